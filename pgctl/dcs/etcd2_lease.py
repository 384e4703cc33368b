"""The lease of one process in etcd v2, which knows none: each key has a ttl of its own, and all are refreshed together.

Law: the deadline is that of the key that ends first, counted from before the first of the refreshes was sent. A key that
was *held* and is gone, or is another life's, ends the lease: then nothing is believed, whatever else of it still stands.

What is mine is known by the index at which etcd made the key: it stays while a key is refreshed or swapped, and no
other life of the key has it. A key whose making was sent and never answered is recognised by its value and by having been
made after it was sent.
"""

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pgctl.clock import Clock
from pgctl.dcs.etcd2_client import Etcd2Client, Failed, Node
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_ENDED = Rejected("the lease has ended")


@dataclass(frozen=True, slots=True)
class Own:
    """A key on the lease. `made` 0: sent and not answered, after the index `after`. `held`: the lease ends with it."""

    value: str
    made: Revision
    modified: Revision
    held: bool
    after: Revision = Revision(0)

    def is_(self, node: Node) -> bool:
        return node.made == self.made if self.made else node.value == self.value and node.made > self.after


class Etcd2Lease:
    """Keys are absolute here. Renewal may run beside everything else; the rest takes turns through `attaching`."""

    def __init__(self, client: Etcd2Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._own: dict[str, Own] = {}
        self._deadline = Instant(0.0)

    @property
    def deadline(self) -> Instant:
        return self._deadline

    @contextlib.contextmanager
    def attaching(self, budget: Seconds) -> Iterator[Instant]:
        """The turn to put keys on the lease; yields the instant at which the budget ends."""
        end = Instant(self._clock.now() + budget)
        if not self._turn.acquire(timeout=max(0.0, budget)):
            raise StoreUnreachable("the lease is busy", detail="another request on it did not end in time")
        try:
            yield end
        finally:
            self._turn.release()

    def mine(self, node: Node) -> bool:
        """Whether that key, as read, is on the lease; one whose making was never answered is recognised now."""
        with self._state:
            own = self._own.get(node.key)
            if own is None or not own.is_(node):
                return False
            self._own[node.key] = replace(own, made=node.made, modified=max(own.modified, node.modified))
            return True

    def begin(self, ttl: Seconds | None) -> int:
        """The ttl for another key, in etcd's whole seconds, so that it ends with the lease; begun where there is none."""
        now = self._clock.now()
        with self._state:
            if not self._own or self._deadline <= now:
                if ttl is None:
                    raise ValueError("a leased key needs a ttl when there is no lease yet")
                self._own.clear()
                self._deadline = Instant(now + ttl)
            return max(1, math.ceil(self._deadline - now))

    def extend(self, ttl: Seconds, end: Instant) -> None:
        """The keys that are there, from now on for `ttl`; a lease of that length is begun where there is none."""
        sent = self._clock.now()
        if not self._own or not isinstance(self._refresh(ttl, end), Applied):
            with self._state:
                self._own.clear()
                self._deadline = Instant(sent + ttl)

    @contextlib.contextmanager
    def making(self, key: str, value: str, *, held: bool) -> Iterator[None]:
        """Around a write of a leased key: while its outcome is unknown, the key may be mine."""
        after = self._client.index
        try:
            yield
        except OutcomeUnknown:
            with self._state:
                self._own.setdefault(key, Own(value, Revision(0), Revision(0), held, after))
            raise

    def carries(self, node: Node, *, held: bool) -> None:
        """Notes that this key is on the lease."""
        with self._state:
            self._own[node.key] = Own(node.value, node.made, node.modified, held)

    def drops(self, key: str) -> None:
        """Notes that this key was given up."""
        with self._state:
            self._own.pop(key, None)

    def renew(self, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        """Refreshes every key."""
        if not self._own:
            return Rejected("there is no lease")
        return self._refresh(ttl, Instant(self._clock.now() + budget))

    def _refresh(self, ttl: Seconds, end: Instant) -> Applied | Rejected:
        """Those first on which the lease hangs: they must not wait behind the others."""
        sent = self._clock.now()
        with self._state:
            keys = sorted(self._own.items(), key=lambda item: not item[1].held)
        last = Revision(0)
        for key, own in keys:
            found = self._refreshed(key, own, math.ceil(ttl), end)
            if found is not None:
                last = max(last, found.modified)
            elif own.held and own.made:  # else it was never made
                with self._state:
                    self._own.clear()
                return _ENDED
        with self._state:
            if not self._own:
                return _ENDED
            self._deadline = Instant(sent + ttl)
        return Applied(last, self._deadline)

    def _refreshed(self, key: str, own: Own, ttl: int, end: Instant) -> Node | None:
        """The key, if it stands and is mine. A member's key is nobody else's to write, so any life of it will do."""
        conditions: dict[str, object] = {"prevValue": own.value} if own.held else {}
        found = self._client.refresh(key, ttl, end=end, **conditions)
        lost = isinstance(found, Failed) or own.held and not own.is_(found)
        with self._state:
            now = self._own.get(key)
            if isinstance(found, Failed) or lost:
                if now == own:
                    del self._own[key]
                return None
            if now is not None and now.modified <= found.modified:
                self._own[key] = replace(now, made=found.made, modified=found.modified)
        return found
