"""Watching a prefix in Consul: one blocking query after another. Knows no key by name.

A blocking query tells that something changed, and gives the rows as they are; what changed is found by comparing with
the rows before. A key that came and went between two of them shows only in the index, which then is higher than that of
any row: so the listener is told that it cannot be told which.

A query waits fifteen seconds at most: a frozen agent keeps its connection open and says nothing, so an old query is no
proof that there is nothing to hear.
"""

import threading
from collections.abc import Callable

from pgctl.clock import Clock
from pgctl.dcs.consul_client import ConsulClient
from pgctl.dcs.consul_wire import Reading
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds

_LIFE = 15.0
_TAIL = 0.6
"""What is left of a budget is too short for another query: it is slept through, and the next watch misses nothing."""

Changed = Callable[[frozenset[str]], None]


class ConsulWatch:
    """Any number of watches of one store. `close` ends them all, for good; it cuts the client's blocking queries."""

    def __init__(self, client: ConsulClient, prefix: str, clock: Clock) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._closed = threading.Event()

    def run(self, before: Reading | None, since: Revision, changed: Changed, budget: Seconds) -> None:
        """As `store.Store.watch`; `before` are the rows at `since`, if they are known. Raises StoreUnreachable."""
        end = self._clock.now() + budget
        heard = since
        while not self._closed.is_set() and (left := end - self._clock.now()) > 0:
            try:
                found = self._client.wait(self._prefix, heard, Seconds(min(left, _LIFE)))
            except StoreUnreachable:
                if self._closed.is_set():
                    return
                raise
            told = news(before, heard, found)
            # Consul's index may fall, after a restore: then counting begins anew.
            before, heard = found, max(found.revision, Revision(1))
            if told is not None and not self._closed.is_set():
                changed(frozenset(key.removeprefix(self._prefix) for key in told))
            if end - self._clock.now() < _TAIL:
                self._closed.wait(max(0.0, end - self._clock.now()))
                return

    def close(self) -> None:
        self._closed.set()


def news(before: Reading | None, heard: Revision, found: Reading) -> frozenset[str] | None:
    """Keys that changed since `heard`; empty: some, and it cannot be told which; None: none. Pure."""
    if not heard or found.revision < heard:
        return frozenset()
    fresh = {row.key for row in found.rows if row.revision > heard}
    gone = {row.key for row in before.rows} - {row.key for row in found.rows} if before else set[str]()
    if fresh or gone:
        # What was made and deleted since is not seen; the index is that of the last change below the prefix.
        hidden = not gone and found.revision > max(row.revision for row in found.rows)
        return frozenset() if hidden else frozenset(fresh | gone)
    if found.revision == heard or (before and not before.rows and not found.rows):
        return None  # nothing; or, of an empty cluster, something elsewhere in Consul
    return frozenset()
