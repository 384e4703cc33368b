"""A store in a dictionary, with a clock: for tests and the simulator. No threads and no time of its own.

Members share one `Universe`; each has an `InprocStore`. It is no kinder than a real store: a plan, asked before every
verb, can delay it, refuse it, or lose the request or the reply. It is deterministic as long as clock and plan are.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeVar

from pgctl.clock import Clock
from pgctl.dcs.store import Applied, Item, Rejected, Snapshot
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

T = TypeVar("T")


class Fate(Enum):
    """What becomes of one call."""

    SERVED = "served"
    REFUSED = "refused"  # no connection: certainly not applied
    REQUEST_LOST = "request lost"  # not applied, and the caller cannot know
    REPLY_LOST = "reply lost"  # applied, and the caller cannot know


@dataclass(frozen=True, slots=True)
class Fault:
    """`delay` seconds pass on the caller's clock before the request arrives."""

    fate: Fate = Fate.SERVED
    delay: Seconds = Seconds(0)


FaultPlan = Callable[[str, str], Fault]
"""(member, verb) → what becomes of the call; verbs are named as in `store.Store`."""


def all_well(member: str, verb: str) -> Fault:
    """The plan without faults."""
    return Fault()


@dataclass(frozen=True, slots=True)
class _Row:
    value: str
    revision: Revision
    lease: int | None


@dataclass(frozen=True, slots=True)
class _Lease:
    ttl: Seconds
    deadline: Instant


class Universe:
    """What all members see: keys, leases, one revision for all. `plan` may be replaced at any time.

    `listeners` are called with the names of changed keys, within the verb that changed them.
    """

    def __init__(self, clock: Clock, plan: FaultPlan = all_well) -> None:
        self.clock = clock
        self.plan = plan
        self.revision = Revision(0)
        self.listeners: list[Callable[[frozenset[str]], None]] = []
        self.changing = threading.Condition(threading.RLock())
        self.rows: dict[str, _Row] = {}
        self.leases: dict[int, _Lease] = {}
        self._changes: dict[str, Revision] = {}
        self._granted = 0

    def values(self) -> Mapping[str, str]:
        """Key → value, as they are now."""
        with self.changing:
            self.expire()
            return {key: row.value for key, row in self.rows.items()}

    def next_deadline(self) -> Instant | None:
        """When the next lease ends, if nothing happens."""
        return min((lease.deadline for lease in self.leases.values()), default=None)

    def changed_since(self, since: Revision) -> frozenset[str]:
        return frozenset(key for key, revision in self._changes.items() if revision > since)

    def grant(self, ttl: Seconds) -> int:
        self._granted += 1
        self.leases[self._granted] = _Lease(ttl, Instant(self.clock.now() + ttl))
        return self._granted

    def extend(self, lease: int, ttl: Seconds) -> None:
        self.leases[lease] = _Lease(ttl, Instant(self.clock.now() + ttl))

    def write(self, key: str, value: str | None, lease: int | None = None) -> Revision:
        """Writes or, with None, removes; returns the new revision."""
        self._record([key])
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = _Row(value, self.revision, lease)
        return self.revision

    def expire(self) -> None:
        """Ends leases whose deadline has passed, in order, and removes their keys."""
        now = self.clock.now()
        for number in sorted(self.leases, key=lambda number: self.leases[number].deadline):
            if self.leases[number].deadline <= now:
                del self.leases[number]
                keys = [key for key, row in self.rows.items() if row.lease == number]
                for key in keys:
                    del self.rows[key]
                if keys:
                    self._record(keys)

    def _record(self, keys: list[str]) -> None:
        self.revision = Revision(self.revision + 1)
        self._changes.update(dict.fromkeys(keys, self.revision))
        for listener in self.listeners:
            listener(frozenset(keys))
        self.changing.notify_all()


class InprocStore:
    """One member's way to the universe; the verbs are those of `store.Store`."""

    def __init__(self, universe: Universe, member: str, clock: Clock) -> None:
        """`clock` is the member's own: its belief in a deadline is counted on it."""
        self._universe = universe
        self._member = member
        self._clock = clock
        self._lease: int | None = None
        self._deadline = Instant(0)
        self._closed = False

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        return self._call("snapshot", budget, self._snapshot)

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        sent = self._clock.now()

        def apply() -> Applied | Rejected:
            if (conflict := self._compare(key, expect)) is not None:
                return conflict
            if not leased:
                return Applied(self._universe.write(key, value))
            if not self._alive():
                self._grant(ttl, sent)
            return Applied(self._universe.write(key, value, self._lease), self._deadline)

        return self._call("put", budget, apply)

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        def apply() -> Applied | Rejected:
            if (conflict := self._compare(key, expect)) is not None:
                return conflict
            if key not in self._universe.rows:
                return Applied(self._universe.revision) if expect is None else Rejected(f"{key} does not exist")
            return Applied(self._universe.write(key, None))

        return self._call("delete", budget, apply)

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        sent = self._clock.now()

        def apply() -> Applied | Rejected:
            row = self._universe.rows.get(key)
            if row is not None and not (self._alive() and row.lease == self._lease and row.value == value):
                return Rejected(f"{key} is held by {row.value}")
            for name, revision in {} if row else (guard or {}).items():
                if (conflict := self._compare(name, revision)) is not None:
                    return conflict
            if self._alive():
                self._extend(ttl, sent)
            else:
                self._grant(ttl, sent)
            return Applied(row.revision if row else self._universe.write(key, value, self._lease), self._deadline)

        return self._call("hold", budget, apply)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        sent = self._clock.now()

        def apply() -> Applied | Rejected:
            if not self._alive():
                return Rejected("the lease has ended")
            self._extend(ttl, sent)
            return Applied(self._universe.revision, self._deadline)

        return self._call("renew", budget, apply)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        """Waits in real time, for tests with threads; a simulator uses `Universe.listeners` instead."""
        deadline = self._clock.now() + budget
        while True:
            found = self._call("watch", Seconds(0), partial(self._wait, since, deadline))
            if found is None:
                return
            since, keys = found
            changed(keys)

    def close(self) -> None:
        with self._universe.changing:
            self._closed = True
            self._universe.changing.notify_all()

    def _wait(self, since: Revision, deadline: float) -> tuple[Revision, frozenset[str]] | None:
        """The next change after `since`; None at `deadline` and on close."""
        universe = self._universe
        while not self._closed and (now := self._clock.now()) < deadline:
            keys = universe.changed_since(since)
            if keys:
                return universe.revision, keys
            universe.changing.wait(max(0.0, min(deadline, universe.next_deadline() or deadline) - now))
            universe.expire()
        return None

    def _snapshot(self) -> Snapshot:
        items = {
            key: Item(row.value, row.revision, row.lease is not None and row.lease == self._lease)
            for key, row in self._universe.rows.items()
        }
        return Snapshot(items, self._universe.revision)

    def _compare(self, key: str, expect: Revision | None) -> Rejected | None:
        row = self._universe.rows.get(key)
        if expect is None or expect == (row.revision if row else 0):
            return None
        return Rejected(f"{key} has changed" if row and expect else f"{key} exists" if row else f"{key} does not exist")

    def _alive(self) -> bool:
        return self._lease in self._universe.leases

    def _grant(self, ttl: Seconds | None, sent: Instant) -> None:
        if ttl is None:
            raise ValueError("a leased key needs a ttl when there is no lease yet")
        self._lease = self._universe.grant(ttl)
        self._deadline = Instant(sent + ttl)

    def _extend(self, ttl: Seconds, sent: Instant) -> None:
        assert self._lease is not None
        self._universe.extend(self._lease, ttl)
        self._deadline = Instant(sent + ttl)

    def _call(self, verb: str, budget: Seconds, apply: Callable[[], T]) -> T:
        """Runs `apply` on the universe as the plan allows; what is lost costs the caller its whole budget."""
        fault = self._universe.plan(self._member, verb)
        reading = verb in ("snapshot", "watch")
        if fault.fate is Fate.REFUSED:
            raise StoreUnreachable("could not reach the store")
        self._pass(min(fault.delay, budget))
        if fault.fate is Fate.REQUEST_LOST or reading and (fault.fate is Fate.REPLY_LOST or fault.delay > budget):
            self._pass(budget - fault.delay)
            raise StoreUnreachable("no answer") if reading else OutcomeUnknown("no answer")
        with self._universe.changing:
            self._universe.expire()
            answer = apply()
        if fault.fate is Fate.REPLY_LOST or fault.delay > budget:
            self._pass(budget - fault.delay)
            raise OutcomeUnknown("no answer")
        return answer

    def _pass(self, duration: float) -> None:
        if duration > 0:
            self._clock.sleep(Seconds(duration))
