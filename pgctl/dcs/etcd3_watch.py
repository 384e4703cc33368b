"""Watching a prefix in etcd: one stream at a time, taken up again where it stopped. Knows no key by name.

A stream lives ten seconds at most. A frozen endpoint keeps its connection open and says nothing, so an old stream is
no proof that there is nothing to hear; opening the next one is. Changes are not lost between two: each starts behind
the last change heard.
"""

import threading
from collections.abc import Callable

from pgctl.clock import Clock
from pgctl.dcs import etcd3_wire as wire
from pgctl.dcs import retry
from pgctl.dcs.etcd3_client import Etcd3Client
from pgctl.dcs.etcd3_wire import Refusal, WatchNews
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.net import NoReply, Stream
from pgctl.units import Seconds

_LIFE = 10.0
_OPEN_WITHIN = 5.0

Changed = Callable[[frozenset[str]], None]


class Etcd3Watch:
    """Any number of watches of one store. `close` ends them all, for good."""

    def __init__(self, client: Etcd3Client, prefix: str, clock: Clock) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._closed = threading.Event()
        self._streams: set[Stream] = set()

    def run(self, since: Revision, changed: Changed, budget: Seconds) -> None:
        """As `store.Store.watch`. Raises StoreUnreachable when no endpoint opens a stream, or streams keep breaking."""
        end = self._clock.now() + budget
        heard = since
        broken: Exception | None = None
        for left in retry.attempts(budget, self._clock):
            try:
                while not self._closed.is_set() and (left := Seconds(end - self._clock.now())) > 0:
                    heard = self._follow(heard, changed, Seconds(min(left, _LIFE)))
                return
            except _Broken as error:
                heard, broken = error.heard, error
        if broken is not None:
            raise StoreUnreachable("etcd cannot be watched", detail=str(broken))

    def close(self) -> None:
        self._closed.set()
        for stream in tuple(self._streams):
            stream.close()

    def _follow(self, heard: Revision, changed: Changed, life: Seconds) -> Revision:
        """One stream to the end of its life; where the next one goes on. Raises StoreUnreachable, _Broken."""
        end = self._clock.now() + life
        # Without a known place it starts now, and says that anything may have changed before.
        start = {"start_revision": str(heard + 1)} if heard else {}
        body = {"create_request": {**wire.below(self._prefix), **start}}
        url, stream = self._client.stream("/watch", body, budget=Seconds(min(life, _OPEN_WITHIN)))
        self._streams.add(stream)
        if self._closed.is_set():  # meanwhile: `close` may have missed this one
            stream.close()
        try:
            for line in stream.lines(Seconds(end - self._clock.now())):
                if self._closed.is_set():
                    break
                heard = self._hear(wire.news(wire.answer(200, line)), heard, changed)
        except (NoReply, Refusal) as error:
            self._client.distrust(url)
            self._client.renew_token()
            raise _Broken(str(error), heard) from error
        finally:
            self._streams.discard(stream)
            stream.close()
        return heard

    def _hear(self, news: WatchNews, heard: Revision, changed: Changed) -> Revision:
        """Tells what one message says; how far we have heard now. Raises _Broken when the server gave up."""
        if news.compacted or news.created and news.revision < heard:
            # What we missed was compacted away; or this is another store than before, its count begun anew.
            changed(frozenset())
            raise _Broken("the history of changes was compacted", Revision(0))
        if news.ended:
            raise _Broken("etcd ended the watch", heard)
        if news.created:
            if not heard:
                changed(frozenset())
            return heard or news.revision
        fresh = {key: revision for key, revision in news.keys if revision > heard}
        if fresh:
            changed(frozenset(key[len(self._prefix):] for key in fresh))
        return max([heard, *fresh.values()])


class _Broken(Exception):
    """A stream that ended before its time; `heard` is how far it came."""

    def __init__(self, reason: str, heard: Revision) -> None:
        super().__init__(reason)
        self.heard = heard
