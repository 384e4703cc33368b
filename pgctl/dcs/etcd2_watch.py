"""Watching a directory in etcd v2: one answer for each change, asked for where the last one ended. Knows no key by name.

etcd keeps the last thousand changes; what is older is gone, and then anything may have changed. A refreshed key is no
change. An answer is waited for ten seconds at most: a frozen server keeps its connection open and says nothing.
"""

import json
import threading
from collections.abc import Callable

from pgctl.clock import Clock
from pgctl.dcs import retry
from pgctl.dcs.etcd2_client import Etcd2Client
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.net import NoReply, Stream
from pgctl.units import Seconds

_LIFE = 10.0
_OPEN_WITHIN = 5.0
_FORGOTTEN = 401

Changed = Callable[[frozenset[str]], None]


class Etcd2Watch:
    """Any number of watches of one store. `close` ends them all, for good."""

    def __init__(self, client: Etcd2Client, directory: str, clock: Clock) -> None:
        self._client = client
        self._directory = directory
        self._clock = clock
        self._closed = threading.Event()
        self._streams: set[Stream] = set()

    def run(self, since: Revision, changed: Changed, budget: Seconds) -> None:
        """As `store.Store.watch`. Raises StoreUnreachable when no server can be asked, or answers keep breaking."""
        end = self._clock.now() + budget
        heard, broken = since, ""
        if not since:
            changed(frozenset())
        for left in retry.attempts(budget, self._clock):
            try:
                while not self._closed.is_set() and (left := Seconds(end - self._clock.now())) > 0:
                    heard = self._next(heard, changed, Seconds(min(left, _LIFE)))
                return
            except NoReply as error:
                broken = str(error)
                if self._closed.is_set():
                    return
        raise StoreUnreachable("etcd cannot be watched", detail=broken)

    def close(self) -> None:
        self._closed.set()
        for stream in tuple(self._streams):
            stream.close()

    def _next(self, heard: Revision, changed: Changed, life: Seconds) -> Revision:
        """One answer, or none within `life`; how far was heard. Raises StoreUnreachable, NoReply."""
        end = self._clock.now() + life
        url, stream = self._client.waiting(self._directory, heard, Seconds(min(life, _OPEN_WITHIN)))
        self._streams.add(stream)
        if self._closed.is_set():  # meanwhile: `close` may have missed this one
            stream.close()
        try:
            if heard and (reset := index_of(stream)) < heard:
                changed(frozenset())  # another store than before, its count begun anew
                return reset
            for line in stream.lines(Seconds(end - self._clock.now())):
                return self._hear(line, heard, changed, index_of(stream))
        except NoReply:
            self._client.distrust(url)
            raise
        finally:
            self._streams.discard(stream)
            stream.close()
        return heard

    def _hear(self, line: bytes, heard: Revision, changed: Changed, index: Revision) -> Revision:
        """Tells what one answer says. Raises NoReply when it is none."""
        try:
            document = json.loads(line)
            if document.get("errorCode") == _FORGOTTEN:
                changed(frozenset())
                return Revision(int(document.get("index", index)))
            node = document["node"]
            key, modified = str(node["key"]), Revision(int(node["modifiedIndex"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoReply("etcd ended the watch", detail=line.decode("utf-8", "replace")[:200]) from error
        name = key.removeprefix(f"{self._directory}/")
        changed(frozenset() if name == key else frozenset({name}))
        return max(modified, heard)


def index_of(stream: Stream) -> Revision:
    """etcd's index when the watch began."""
    text = stream.headers.get("x-etcd-index", "")
    return Revision(int(text)) if text.isdigit() else Revision(0)
