"""Watching a cluster in ZooKeeper: one-shot watches on each node and directory, set again when they have fired (`Mirror`).

What changed before the watches were set is found by reading once they are. When the connection is lost, so are the
watches: that ends the watch, and whoever begins it again says from where.
"""

import queue
import threading
from collections.abc import Callable

from pgctl.clock import Clock
from pgctl.dcs.zookeeper_mirror import Mirror
from pgctl.dcs.zookeeper_session import Session
from pgctl.dcs.zookeeper_tree import Reading
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

Changed = Callable[[frozenset[str]], None]

_REMEMBERED = 16
_READ_WITHIN = Seconds(5.0)


class ZookeeperWatch:
    """Any number of watches of one store. `close` ends them all, for good."""

    def __init__(self, session: Callable[[], Session], base: str, clock: Clock) -> None:
        self._session = session
        self._mirror = Mirror(session, base, self._fired)
        self._clock = clock
        self._closed = threading.Event()
        self._known: dict[Revision, frozenset[str]] = {}
        self._queues: set[queue.SimpleQueue[str | None]] = set()

    def read(self, end: Instant) -> Reading:
        """The tree as it is now. Raises StoreUnreachable."""
        found = self._mirror.read(end)
        self._remember(found.revision, frozenset(found.nodes))
        return found

    def _remember(self, revision: Revision, names: frozenset[str]) -> None:
        """The keys that were there at a reading: a watch from there can tell which have gone since."""
        self._known[revision] = names
        for old in sorted(self._known)[:-_REMEMBERED]:
            self._known.pop(old, None)

    def wake(self) -> None:
        """The connection or the session is lost, or there again."""
        for each in tuple(self._queues):
            each.put(None)

    def run(self, since: Revision, changed: Changed, budget: Seconds) -> None:
        """As `store.Store.watch`."""
        end = Instant(self._clock.now() + budget)
        news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._queues.add(news)
        try:
            self._follow(since, changed, news, end)
        except StoreUnreachable:
            if not self._closed.is_set():  # else the session went while we were reading
                raise
        finally:
            self._queues.discard(news)

    def _follow(self, since: Revision, changed: Changed, news: "queue.SimpleQueue[str | None]", end: Instant) -> None:
        before, there = since, self._known.get(since)
        while not self._closed.is_set() and (now := self._clock.now()) < end:
            reading = self.read(Instant(now + _READ_WITHIN))
            names = frozenset(reading.nodes)
            fresh = {key for key, node in reading.nodes.items() if node.revision > before}
            gone = None if there is None else there - names
            if fresh or gone:
                changed(frozenset(fresh | (gone or frozenset())))
            if gone is None or reading.removed > before and not gone:
                changed(frozenset())  # what has gone since cannot be told: it came after the last reading
            before, there = reading.revision, names
            if not self._wait(news, end):
                return

    def close(self) -> None:
        self._closed.set()
        self.wake()

    def _fired(self, path: str | None) -> None:
        """Called once for each watch that was set; without a path when the connection is lost."""
        for each in tuple(self._queues):
            each.put(path)

    def _wait(self, news: "queue.SimpleQueue[str | None]", end: Instant) -> bool:
        """Waits for something to read again for; False at the end. Raises StoreUnreachable."""
        try:
            path = news.get(timeout=max(0.0, end - self._clock.now()))
        except queue.Empty:
            return False
        while not news.empty():
            path = news.get() if path is not None else path
            if path is None:
                break
        if self._closed.is_set():
            return False
        if path is None and not self._session().connected:
            raise StoreUnreachable("ZooKeeper cannot be watched", detail="the connection is lost")
        return True
