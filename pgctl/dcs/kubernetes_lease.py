"""The lease of one process in Kubernetes, where nothing expires by itself: it is kept by convention.

Law. What this process believes it holds, it holds: its deadline is `ttl` after a moment before the write was sent that
the server confirmed, and nobody else takes the key before that (the proof is at the head of `kubernetes_book`). A deadline
that has passed ends the lease for its holder too, although nobody may have taken its keys: what it did not renew in time
it has to take again, and is then seen as a new holder.

A leased key says who holds it, for how long, and when that was renewed (`ttl`, `renewTime`), as Patroni members write it.
Each lease has a token, which is the stamp of its keys; a key whose stamp is the token of my present lease is mine, also
when the answer to its writing was lost. A renewal is written on the version of the object that was seen to be mine, so it
never gives a key back that another has taken meanwhile.

`hold` with guards. The leader's object is compared by the server, other objects are not. They are looked at before the
write, and once more after it, before anybody is told: a key found at the revision it had been read at was at that
revision all the time, so also at the instant of the write, and the answer means what it would mean of a transaction. The
price is that a hold which fails may for a moment have shown a leader: it gives the key back, and if it cannot, says that
the outcome is unknown; the second look is then made before the key is used. Weak place: a process killed between write
and second look, and back within the ttl, finds a key that names it and does not know of the doubt.

Members hang on no lease here: as with Patroni, their keys last as long as their pods.
"""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from pgctl.clock import Clock
from pgctl.dcs import kubernetes_layout as layouts
from pgctl.dcs.kubernetes_book import Entry, KubernetesBook
from pgctl.dcs.kubernetes_layout import Layout, Part, Thing
from pgctl.dcs.kubernetes_objects import Change, KubernetesObjects
from pgctl.dcs.kubernetes_stamps import Stamps
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_ENDED = Rejected("the lease has ended")
_CHANGED = Rejected("what was read has changed since")

Subsets = Callable[[str, Instant], list[object] | None]
"""(key, end of the budget) → what an Endpoints object says of the holder of this key; None: nothing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """`deadline` is its holder's belief, on this host's boot-time clock."""

    token: str
    ttl: Seconds
    deadline: Instant


class KubernetesLease:
    """Renewal may run beside everything else; the rest takes turns."""

    def __init__(self, objects: KubernetesObjects, layout: Layout, book: KubernetesBook, stamps: Stamps, clock: Clock,
                 subsets: Subsets) -> None:
        self._objects = objects
        self._layout = layout
        self._book = book
        self._stamps = stamps
        self._clock = clock
        self._subsets = subsets
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._lease: Lease | None = None
        self._held: dict[str, str] = {}
        """Keys that may hang on the lease, with the values they were given."""
        self._doubt: dict[str, Mapping[str, Revision]] = {}
        """Keys taken whose guards have not been looked at since."""

    @contextlib.contextmanager
    def turn(self, budget: Seconds) -> Iterator[Instant]:
        """The turn to take, give back or put keys on the lease; yields the instant at which the budget ends."""
        end = Instant(self._clock.now() + budget)
        if not self._turn.acquire(timeout=max(0.0, budget)):
            raise StoreUnreachable("the lease is busy", detail="another request on it did not end in time")
        try:
            yield end
        finally:
            self._turn.release()

    def alive(self) -> Lease | None:
        """The lease, unless it has ended. Its keys end with it."""
        with self._state:
            if self._lease is not None and self._clock.now() >= self._lease.deadline:
                self._lease = None
                self._held.clear()
                self._doubt.clear()
            return self._lease

    def current(self, ttl: Seconds | None) -> Lease:
        """The lease as it is; where there is none, a new one, from now."""
        if (lease := self.alive()) is not None:
            return lease
        if ttl is None:
            raise ValueError("a leased key needs a ttl when there is no lease yet")
        lease = Lease(self._stamps.token(), ttl, Instant(self._clock.now() + ttl))
        with self._state:
            self._lease = lease
        return lease

    def mine(self, key: str, part: Part, lease: Lease | None) -> bool:
        if lease is None or part.stamp != lease.token:
            return False
        return not layouts.leasable(key) or self._held.get(key) == part.value

    def holds(self, key: str) -> str | None:
        """The value that this process believes the key to have on its lease."""
        return self._held.get(key) if self.alive() else None

    def drop(self, key: str) -> None:
        """The key is given up."""
        self._held.pop(key, None)
        self._doubt.pop(key, None)

    def attach(self, key: str, value: str, lease: Lease, check: Callable[[Thing | None], Rejected | Revision] | None,
               end: Instant) -> Thing | Rejected:
        """Puts a key on the lease, compared or not. Needs the turn."""
        if key in self._doubt and not self._still(key, end):
            return _CHANGED
        self._held[key] = value
        subsets = self._subsets(key, end)

        def make(thing: Thing | None, seen: Revision) -> Change:
            return self._taken(key, value, lease, thing, subsets)

        done = self._objects.change(key, check or (lambda thing: Revision(0)), make, end)
        if isinstance(done, Rejected):
            self.drop(key)
        return done

    def hold(self, key: str, value: str, ttl: Seconds, guard: Mapping[str, Revision], budget: Seconds) -> Applied | Rejected:
        with self.turn(budget) as end:
            self._book.ttl = ttl
            for other in [known for known in self._held if known != key]:
                self._renew(other, ttl, end)  # what hangs on the lease must be as good as the deadline that is answered
            self._objects.look_all(self._layout.resource, end)
            lease, subsets = replace(self.current(ttl), ttl=ttl), self._subsets(key, end)
            sent = self._clock.now()

            def check(thing: Thing | None) -> Rejected | Entry:
                entry = self._book.entry(key, self._clock.now())
                if entry.part is None:
                    return entry if self._unchanged(guard) else _CHANGED
                mine = self.mine(key, entry.part, lease) and entry.part.value == value
                return entry if mine else Rejected(f"{key} is held by {entry.part.value}")

            def make(thing: Thing | None, entry: Entry) -> Change:
                nonlocal sent
                sent = self._clock.now()
                if entry.part:
                    return self._renewed(ttl, subsets)
                self._held[key], self._doubt[key] = value, guard
                return self._taken(key, value, lease, thing, subsets)

            done = self._objects.change(key, check, make, end)
            if isinstance(done, Rejected):
                return done
            if key in self._doubt and not self._still(key, end):
                return _CHANGED
            self._extend(lease.token, ttl, sent)
            return Applied(self._book.entry(key, self._clock.now()).revision, Instant(sent + ttl))

    def renew(self, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        """Renews each key that hangs on the lease. Without one, nobody looks at it: nothing is sent."""
        sent = self._clock.now()
        end = Instant(sent + budget)
        lease = self.alive()
        if lease is None:
            return _ENDED
        self._book.ttl = ttl
        held = list(self._held)
        kept = [thing.version for key in held if (thing := self._renew(key, ttl, end)) is not None]
        if held and not kept:
            with self._state:
                if self._lease is not None and self._lease.token == lease.token and not self._held:
                    self._lease = None
            return _ENDED
        self._extend(lease.token, ttl, sent)
        return Applied(Revision(max(kept, default=0)), Instant(sent + ttl))

    def release(self, key: str, notes: Mapping[str, str | None]) -> Change:
        """Takes a key off, and with it what Endpoints say."""
        gone = self._layout.endpoints and layouts.leasable(key) and self._layout.spot(key) == self._layout.spot("leader")
        return Change(notes, subsets=[] if gone else None)

    def _renew(self, key: str, ttl: Seconds, end: Instant) -> Thing | None:
        """The object with the key renewed; None when it is not mine any more. Harmless twice."""
        lease, subsets = self.alive(), self._subsets(key, end)

        def check(thing: Thing | None) -> Rejected | Revision:
            part = self._layout.parts(thing).get(key) if thing else None
            return Revision(0) if part is not None and self.mine(key, part, lease) else _ENDED

        def make(thing: Thing | None, seen: Revision) -> Change:
            return self._renewed(ttl, subsets)

        done = self._objects.change(key, check, make, end, repeatable=True)
        if isinstance(done, Rejected):
            self.drop(key)
            return None
        return done

    def _taken(self, key: str, value: str, lease: Lease, thing: Thing | None, subsets: list[object] | None) -> Change:
        """As Patroni counts: another holder than before is one more transition, and a new time of acquiring."""
        notes = thing.notes if thing else {}
        now, again = self._stamps.time(), layouts.holder(notes, key) == value
        acquired = notes.get("acquireTime", now) if again else now
        count = layouts.transitions(notes) + (0 if again or thing is None else 1)
        record = layouts.record(math.ceil(lease.ttl), acquired, now, count)
        return Change({**layouts.written(key, value, lease.token), **record}, subsets=subsets)

    def _renewed(self, ttl: Seconds, subsets: list[object] | None) -> Change:
        return Change({"ttl": str(math.ceil(ttl)), "renewTime": self._stamps.time()}, subsets=subsets)

    def _extend(self, token: str, ttl: Seconds, sent: Instant) -> None:
        with self._state:
            if self._lease is None or self._lease.token == token:
                self._lease = Lease(token, ttl, Instant(sent + ttl))

    def _unchanged(self, guard: Mapping[str, Revision]) -> bool:
        now = self._clock.now()
        return all(self._book.entry(name, now).revision == at for name, at in guard.items())

    def _still(self, key: str, end: Instant) -> bool:
        """Whether the guards of a key just taken are unchanged; if not it is given back. Raises OutcomeUnknown."""
        guard, lease = self._doubt[key], self.alive()

        def check(thing: Thing | None) -> Rejected | Revision:
            part = self._layout.parts(thing).get(key) if thing else None
            return Revision(0) if part is not None and self.mine(key, part, lease) else _ENDED

        try:
            if any(self._layout.spot(name) != self._layout.spot(key) for name in guard):
                self._objects.look_all(self._layout.resource, end)
            if self._unchanged(guard):
                self._doubt.pop(key, None)
                return True
            self._objects.change(key, check, lambda thing, seen: self.release(key, layouts.written(key, None, "")), end)
        except StoreUnreachable as error:
            raise OutcomeUnknown(f"it is not known whether {key} is held", detail=str(error)) from error
        self.drop(key)
        return False
