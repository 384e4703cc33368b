"""The store protocol: seven verbs, what they answer, and what an answer means.

Law: not knowing is an answer. A write is `Applied`, `Rejected` (the comparison failed; nothing was changed), or it
raises: `StoreUnreachable` when it certainly was not applied, `OutcomeUnknown` when it may have been. No caller may
take unknown for either. Reads raise `StoreUnreachable` only.

Every verb takes a budget in seconds and ends within it. A store may be used from several threads at once. Keys here are
relative to the cluster's path (`leader`, `members/a`); this room knows none by name.

A lease belongs to one store object (one process): all keys written with `leased=True`, and those taken by `hold`, hang
on it and vanish together when it ends. Its deadline counts from before the request was sent, on this host's boot-time
clock: a late reply shortens it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds


class Item(NamedTuple):
    """One key's value. `mine` says that it hangs on the lease of the store object that read it."""

    value: str
    revision: Revision
    mine: bool = False


class Snapshot(NamedTuple):
    """All keys under the cluster's path at one instant; `revision` is where a watch may continue."""

    items: Mapping[str, Item]
    revision: Revision


class Applied(NamedTuple):
    """The write happened. `revision` is the key's new one; `deadline` is set by verbs that move the lease."""

    revision: Revision
    deadline: Instant | None = None


class Rejected(NamedTuple):
    """The comparison failed, or (renew) the lease is gone; nothing was changed. `reason` is for people."""

    reason: str


ABSENT = Revision(0)
"""Expect the key not to exist."""


class Store(Protocol):
    """One cluster's part of a store. All methods raise StoreUnreachable or OutcomeUnknown as the law says."""

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        """All keys and values; the reading is linearizable: it sees every write acknowledged before it began."""

    def put(
        self,
        key: str,
        value: str,
        *,
        expect: Revision | None = None,
        leased: bool = False,
        ttl: Seconds | None = None,
        budget: Seconds,
    ) -> Applied | Rejected:
        """Writes a value; with `expect` only if the key is at that revision (ABSENT: does not exist).

        With `leased` the key hangs on the lease, which is granted for `ttl` if there is none; `deadline` is set then.
        """

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        """Removes a key; one already absent is Applied without `expect`, Rejected with it."""

    def hold(
        self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None, budget: Seconds
    ) -> Applied | Rejected:
        """Creates `key` under the lease if it is absent and every key of `guard` is at its revision, in one step.

        A key that exists with this very value on this very lease is Applied (a repeated call is harmless).
        Backends whose transactions span one key check the guards just before, and say so in their docstring.
        """

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        """Extends the lease to `ttl` from now, keeping its keys; `ttl` may differ from before. Rejected: it is gone.

        The only write that may be repeated within a budget. Without a lease it is Rejected.
        """

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        """Calls `changed` with the names of keys that changed after `since`, until the budget ends or `close`.

        A lease that ends on its own changes its keys. It may call too often, and with an empty set when it cannot
        tell which; it never misses a change: when continuity is lost it calls with the empty set. Returns early on
        `close` only; raises StoreUnreachable when the store cannot be asked.
        """

    def close(self) -> None:
        """Ends watches and connections. The lease is left to expire: who wants to give it up deletes its keys."""
