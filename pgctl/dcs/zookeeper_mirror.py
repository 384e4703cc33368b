"""The last reading of a cluster's tree, for as long as nothing in it has changed: one request, instead of one for each node.

Law. Watches are set by a reading on all that it reads, so whatever changes afterwards fires one. The server tells of that
before it gives an answer that has seen the change, and a `sync` makes its answer one that has seen all that was written
before it was asked (ZooKeeper Programmer's Guide, "What ZooKeeper Guarantees about Watches", "Consistency Guarantees"). So
when a `sync` was answered, the watches that had fired were told (`Link.settle`), and none of this reading's was among
them, a new reading would find the same. A connection that is lost takes its watches with it, and each is told of that
before the next connection is used; with a new client of kazoo's (`Link.life`) nothing of the old one counts.
"""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from pgctl.dcs import zookeeper_tree as tree
from pgctl.dcs.zookeeper_session import Session
from pgctl.dcs.zookeeper_tree import Reading
from pgctl.model.cluster import Revision
from pgctl.units import Instant


class _Held(NamedTuple):
    reading: Reading
    fired: int
    """How many watches had fired when it was begun."""
    life: int
    session: Session


class Mirror:
    """Any thread may read. `told` hears, in kazoo's, the path of each watch that fires; None: the connection is lost."""

    def __init__(self, session: Callable[[], Session], base: str, told: Callable[[str | None], None]) -> None:
        self._session = session
        self._base = base
        self._told = told
        self._counting = threading.Lock()
        self._count = 0
        self._held: _Held | None = None

    def read(self, end: Instant) -> Reading:
        """The tree as it is now; whatever changes after it, `told` will hear of. Raises StoreUnreachable."""
        session, held = self._session(), self._held
        if held is not None and self._holds(held, session):
            session.read(lambda client: client.sync_async(self._base), end)
            at = Revision(session.seen)
            session.settle(end)
            if self._holds(held, session):
                return held.reading._replace(revision=at)
        fired, life = self._count, session.life
        reading = tree.read(session, self._base, end, self._fired)
        self._held = _Held(reading, fired, life, session)
        return reading

    def _holds(self, held: _Held, session: Session) -> bool:
        return held.session is session and held.life == session.life and held.fired == self._count

    def _fired(self, event: Any) -> None:
        """Always this one function: kazoo tells each function of a node once, however often it was set."""
        with self._counting:
            self._count += 1
        self._told(event.path)
