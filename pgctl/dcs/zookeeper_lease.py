"""The lease of one process in ZooKeeper: a session of its own, on which its keys hang as ephemeral nodes.

Law. Its holder believes in the lease until `ttl` after a moment before the last renewal was sent, and the server ends the
session later than that. A renewal is a `sync`, which goes by way of the ensemble's leader. That it came back shows that
the server we are connected to had the leader's ear; but it may tell the leader that we live up to half a tick later, and
lose it before that, so that the leader counts from our last sign of life before, a renewal ago. Therefore the session is
asked for `ttl`, a renewal's period (a quarter of it) and a second; where the server grants less, belief is that much
shorter. What is added is what a lost host costs more here than in another store.

kazoo keeps a session alive for as long as its process lives, also when the agent is stuck. So a thread watches the
deadline: when it passes without a renewal the session is ended, and its keys with it.

A session's time-out cannot be changed. For another ttl there is a second session, and each key is moved to it by one
transaction that removes it from the one and makes it on the other: nobody sees it absent. A key on either is mine.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pgctl.clock import Clock
from pgctl.dcs.store import Applied, Rejected
from pgctl.dcs.zookeeper_session import NodeExists, Session
from pgctl.dcs.zookeeper_tree import Node, node_of
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_ENDED = Rejected("the lease has ended")
_RELAY = 1.0


class Lease:
    """One session; `deadline` is its holder's belief, on this host's boot-time clock."""

    def __init__(self, session: Session, ttl: Seconds, deadline: Instant) -> None:
        self.session = session
        self.ttl = ttl
        self.deadline = deadline

    def believed(self, sent: Instant) -> Instant:
        allowance = self.ttl / 4 + _RELAY
        return Instant(sent + min(self.ttl, max(self.session.granted / 2, self.session.granted - allowance)))


class ZookeeperLease:
    """Paths are absolute here. Renewal may run beside everything else; the rest takes turns."""

    def __init__(self, options: Mapping[str, Any], clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._turn = threading.Lock()
        self._state = threading.Condition()
        self._leases: list[Lease] = []
        """The one in use last; before it those that keys are being moved from."""
        self._own: set[str] = set()

    @contextlib.contextmanager
    def turn(self, budget: Seconds) -> Iterator[Instant]:
        """The turn to put keys on the lease or to move them; yields the instant at which the budget ends."""
        end = Instant(self._clock.now() + budget)
        if not self._turn.acquire(timeout=max(0.0, budget)):
            raise StoreUnreachable("the lease is busy", detail="another request on it did not end in time")
        try:
            yield end
        finally:
            self._turn.release()

    def ids(self) -> frozenset[int]:
        """Sessions of this process that have not ended: a node of one of them is mine."""
        return frozenset(lease.session.id for lease in self._alive())

    def carries(self, path: str) -> None:
        """Notes that a key may hang on the lease from now on."""
        self._own.add(path)

    def current(self, ttl: Seconds | None, end: Instant) -> Lease:
        """The lease as it is; a new one where there is none. Needs the turn."""
        if alive := self._alive():
            return alive[-1]
        if ttl is None:
            raise ValueError("a leased key needs a ttl when there is no lease yet")
        self._own.clear()
        return self._grant(ttl, end)

    def extended(self, ttl: Seconds, end: Instant) -> Lease:
        """The lease, from now on for `ttl`. Needs the turn."""
        lease = self.current(ttl, end)
        done = self._extend(ttl, end)
        return self._alive()[-1] if isinstance(done, Applied) and self._alive() else self._grant(lease.ttl, end)

    def renew(self, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        alive = self._alive()
        if not alive:
            return _ENDED
        if len(alive) == 1 and alive[0].ttl == ttl:
            return self._touch(alive[0], Instant(self._clock.now() + budget))
        with self.turn(budget) as end:
            return self._extend(ttl, end)

    def close(self) -> None:
        """The sessions are left to expire."""
        with self._state:
            leases, self._leases = self._leases, []
            self._state.notify_all()
        for lease in leases:
            lease.session.leave()

    def _alive(self) -> list[Lease]:
        now = self._clock.now()
        with self._state:
            return [lease for lease in self._leases if not lease.session.lost and now < lease.deadline]

    def _extend(self, ttl: Seconds, end: Instant) -> Applied | Rejected:
        alive = self._alive()
        if not alive:
            return _ENDED
        target = alive[-1] if alive[-1].ttl == ttl else self._grant(ttl, end)
        done = self._touch(target, end)
        if isinstance(done, Rejected) or len(self._alive()) == 1:
            return done
        return done if self._move(target, end) else _ENDED

    def _grant(self, ttl: Seconds, end: Instant) -> Lease:
        """A new session, last in the list."""
        session = Session(self._options, Seconds(ttl * 1.25 + _RELAY), self._clock, again=False)
        lease = Lease(session, ttl, Instant(0))
        try:
            sent = self._clock.now()
            session.wait(end)
            lease.deadline = lease.believed(sent)
        except StoreUnreachable:
            session.leave()
            raise
        with self._state:
            self._leases.append(lease)
        threading.Thread(target=self._guard, args=(lease,), name="zookeeper-lease", daemon=True).start()
        return lease

    def _touch(self, lease: Lease, end: Instant) -> Applied | Rejected:
        sent = self._clock.now()
        try:
            lease.session.read(lambda client: client.sync_async("/"), end)
        except StoreUnreachable:
            if lease.session.lost:
                return _ENDED
            raise
        if lease.session.lost or lease not in self._leases:
            return _ENDED
        with self._state:
            lease.deadline = max(lease.deadline, lease.believed(sent))
            self._state.notify_all()
        return Applied(Revision(lease.session.seen), lease.believed(sent))

    def _move(self, target: Lease, end: Instant) -> bool:
        """Puts every key of ours on the target; False when not one was left to move."""
        old = self.ids() - {target.session.id}
        own = sorted(self._own)
        moved = [path for path in own if self._moved(path, old, target, end)]
        self._own.intersection_update(moved)
        with self._state:
            left = [lease for lease in self._leases if lease is not target]
            self._leases = [target]
            self._state.notify_all()
        for lease in left:
            lease.session.leave()
        return bool(moved) or not own

    def _moved(self, path: str, old: frozenset[int], target: Lease, end: Instant) -> bool:
        node = look(target.session, path, end)
        if node is None or node.owner not in old:
            return node is not None and node.owner == target.session.id
        results = replace(target.session, path, node.value, node.version, end)
        return not any(isinstance(each, Exception) for each in results)

    def _guard(self, lease: Lease) -> None:
        """A thread: ends the session when its deadline passes without a renewal."""
        with self._state:
            while lease in self._leases and (left := lease.deadline - self._clock.now()) > 0 and not lease.session.lost:
                self._state.wait(left)
            overdue = lease in self._leases
            self._leases = [known for known in self._leases if known is not lease]
        if overdue:
            lease.session.end()


def look(session: Session, path: str, end: Instant) -> Node | None:
    """The node now, after all that was written before. Raises StoreUnreachable."""
    session.read(lambda client: client.sync_async(path), end)
    answer = session.read(lambda client: client.get_async(path), end)
    return None if isinstance(answer, Exception) else node_of(*answer)


def replace(session: Session, path: str, value: str, version: int, end: Instant) -> list[Any]:
    """Makes the node anew on this session, if it is at that version, in one transaction; one answer for each step.

    The last one is that of `attach`.
    """
    def commit(client: Any) -> Any:
        transaction = client.transaction()
        transaction.delete(path, version)
        attach(transaction, path, value)
        return transaction.commit_async()

    answers: list[Any] = session.write(commit, end)
    return answers


def attach(transaction: Any, path: str, value: str) -> None:
    """Makes the node on the transaction's session. It is written at once again, for only of that comes an answer with what
    the node is then: looking at it afterwards would find what others made of it.
    """
    transaction.create(path, b"", ephemeral=True)
    transaction.set_data(path, value.encode(), 0)


def made(session: Session, path: str, value: str, end: Instant, ephemeral: bool) -> Any:
    """Creates the node and the directories above it; what it is then, or None: it exists.

    Raises StoreUnreachable, OutcomeUnknown.
    """
    def create(client: Any) -> Any:
        return client.create_async(path, value.encode(), ephemeral=ephemeral, makepath=True, include_data=True)

    try:
        return session.write(create, end)[1]
    except NodeExists:
        return None
