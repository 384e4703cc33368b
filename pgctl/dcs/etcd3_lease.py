"""The lease of one process in etcd: granting, keeping alive, and moving its keys when the ttl changes.

Law: a deadline is believed from before the request was sent, and never longer than etcd granted. etcd cannot change a
ttl, so a new lease is granted and each key is put on it, if it still hangs on an old one; the old one is revoked when
all have certainly moved. Until then it is kept in the list: a key on any of these leases is ours.
"""

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pgctl.clock import Clock
from pgctl.dcs import etcd3_wire as wire
from pgctl.dcs.etcd3_client import Etcd3Client
from pgctl.dcs.etcd3_wire import Document, Meaning, Refusal
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import PgctlError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_ENDED = Rejected("the lease has ended")
_REVOKE_WITHIN = Seconds(1.0)


@dataclass(frozen=True, slots=True)
class Lease:
    """`deadline` is its holder's belief, on this host's boot-time clock."""

    number: int
    ttl: Seconds
    deadline: Instant


class Etcd3Lease:
    """Keys are absolute here. Renewal may run beside everything else; the rest takes turns through `attaching`."""

    def __init__(self, client: Etcd3Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._leases: tuple[Lease, ...] = ()
        """The one in use last; before it those that keys are being moved from."""
        self._own: set[str] = set()
        """Keys that may hang on them."""

    @property
    def numbers(self) -> frozenset[int]:
        """Leases of this process: a key on one of them is mine."""
        return frozenset(lease.number for lease in self._leases)

    @contextlib.contextmanager
    def attaching(self, budget: Seconds) -> Iterator[Instant]:
        """The turn to put keys on the lease or to move them; yields the instant at which the budget ends."""
        end = Instant(self._clock.now() + budget)
        if not self._turn.acquire(timeout=max(0.0, budget)):
            raise StoreUnreachable("the lease is busy", detail="another request on it did not end in time")
        try:
            yield end
        finally:
            self._turn.release()

    def current(self, ttl: Seconds | None, end: Instant) -> Lease:
        """The lease as it is; one is granted for `ttl` where there is none. Needs the turn."""
        return self._leases[-1] if self._leases else self._grant(ttl, end)

    def extended(self, ttl: Seconds, end: Instant) -> Lease:
        """The lease, from now on for `ttl`; a new one if it has ended. Needs the turn."""
        if self._leases and isinstance(self._extend(ttl, end), Applied) and self._leases:
            return self._leases[-1]
        return self._grant(ttl, end)

    def renew(self, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        """Extends the lease with its keys. Waits for the turn only when `ttl` has changed."""
        leases = self._leases
        if not leases:
            return Rejected("there is no lease")
        if len(leases) == 1 and leases[0].ttl == ttl:
            return self._keep_alive(leases[0], Instant(self._clock.now() + budget))
        with self.attaching(budget) as end:
            return self._extend(ttl, end) if self._leases else _ENDED

    def carries(self, key: str) -> None:
        """Notes that a key may hang on the lease from now on."""
        self._own.add(key)

    def lost(self, lease: Lease) -> None:
        """Notes that etcd no longer knows this lease."""
        with self._state:
            self._leases = tuple(known for known in self._leases if known.number != lease.number)

    def _extend(self, ttl: Seconds, end: Instant) -> Applied | Rejected:
        current = self._leases[-1]
        if current.ttl != ttl:
            return self._move(self._grant(ttl, end), end)
        kept = self._keep_alive(current, end)
        return self._move(self._leases[-1], end) if isinstance(kept, Applied) and len(self._leases) > 1 else kept

    def _grant(self, ttl: Seconds | None, end: Instant) -> Lease:
        """A new lease, last in the list. One whose answer was lost ends by itself, with nothing on it."""
        if ttl is None:
            raise ValueError("a leased key needs a ttl when there is no lease yet")
        sent = self._clock.now()
        reply = self._ask("/lease/grant", {"TTL": math.ceil(ttl)}, end)
        lease = Lease(wire.number(reply.get("ID")), ttl, Instant(sent + min(ttl, wire.number(reply.get("TTL")))))
        with self._state:
            self._leases = (*self._leases, lease)
        return lease

    def _keep_alive(self, lease: Lease, end: Instant) -> Applied | Rejected:
        sent = self._clock.now()
        try:
            reply = self._ask("/lease/keepalive", {"ID": str(lease.number)}, end)
        except Refusal:
            reply = {}
        granted = wire.number(reply.get("TTL"))
        if granted <= 0:
            self.lost(lease)
            return _ENDED
        deadline = Instant(sent + min(lease.ttl, granted))
        with self._state:
            self._leases = tuple(
                replace(known, deadline=max(known.deadline, deadline)) if known.number == lease.number else known
                for known in self._leases
            )
        return Applied(wire.header_revision(reply), deadline)

    def _move(self, target: Lease, end: Instant) -> Applied | Rejected:
        """Puts every key of ours on `target`; Rejected when not one was left to move."""
        old = self.numbers - {target.number}
        own = sorted(self._own)
        moved = [revision for key in own if (revision := self._moved(key, old, target, end)) is not None]
        ended = bool(own) and not moved
        kept = () if ended else (target.number,)
        for number in self.numbers.difference(kept):
            with contextlib.suppress(PgctlError):  # it will end by itself
                self._ask("/lease/revoke", {"ID": str(number)},
                          Instant(min(end, self._clock.now() + _REVOKE_WITHIN)))
        with self._state:
            self._leases = tuple(lease for lease in self._leases if lease.number in kept)
        return _ENDED if ended else Applied(max(moved, default=Revision(0)), target.deadline)

    def _moved(self, key: str, old: frozenset[int], target: Lease, end: Instant) -> Revision | None:
        """The key's revision once it hangs on `target`; None when it was not ours any more."""
        put: dict[str, object] = {"key": wire.b64(key), "ignore_value": True, "lease": str(target.number)}
        for number in sorted(old):
            body = wire.transaction([wire.is_on_lease(key, number)], {"request_put": put}, key)
            reply = self._ask("/kv/txn", body, end, repeatable=False)
            if reply.get("succeeded"):
                return wire.header_revision(reply)
            found = wire.found_instead(reply)
            if found is not None and found.lease == target.number:
                return found.revision
        self._own.discard(key)
        return None

    def _ask(self, path: str, body: Document, end: Instant, *, repeatable: bool = True) -> Document:
        """Raises StoreUnreachable, OutcomeUnknown; Refusal only for a lease that is gone."""
        try:
            return self._client.call(path, body, budget=Seconds(end - self._clock.now()), repeatable=repeatable)
        except Refusal as error:
            if error.meaning is Meaning.LEASE_GONE:
                raise
            raise StoreUnreachable("etcd refused", detail=error.detail) from error
