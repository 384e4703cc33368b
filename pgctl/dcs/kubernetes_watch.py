"""Watching a cluster in Kubernetes: its objects and its pods, each by a stream of its own, and leases that run out.

The two streams are read by a thread each, for neither can be asked whether it has something to say; the caller's own
thread waits for what they bring and for the next end of a lease, and calls the listener. A stream lives ten seconds at
most: a frozen server keeps its connection open and says nothing, and opening the next stream is the proof that it is not.
Each starts at the version that the last one came to. When that is too old for the server (410), anything may have
changed: the listener is told so, and the stream starts from now, with every object as it is.
"""

import json
import queue
import threading
from collections.abc import Callable

from pgctl.clock import Clock
from pgctl.dcs import retry
from pgctl.dcs.kubernetes_book import KubernetesBook
from pgctl.dcs.kubernetes_client import KubernetesClient, Refusal
from pgctl.dcs.kubernetes_layout import Layout
from pgctl.dcs.kubernetes_objects import thing_of
from pgctl.errors import PgctlError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.net import NoReply, Stream
from pgctl.units import Instant, Seconds

_LIFE = 10.0
_OPEN_WITHIN = 5.0

_TIME = frozenset({"time"})
"""News of no stream: a lease has run out, or the watch has."""

Changed = Callable[[frozenset[str]], None]


class KubernetesWatch:
    """Any number of watches of one store. `close` ends them all, for good."""

    def __init__(self, client: KubernetesClient, layout: Layout, book: KubernetesBook, clock: Clock) -> None:
        self._client = client
        self._layout = layout
        self._book = book
        self._clock = clock
        self._closed = threading.Event()
        self._watches: set[_Watch] = set()

    def run(self, since: Revision, changed: Changed, budget: Seconds) -> None:
        """As `store.Store.watch`."""
        end = Instant(self._clock.now() + budget)
        if not since:
            changed(frozenset())
        watch = _Watch(self._client, self._layout, self._book, self._clock, since, end)
        self._watches.add(watch)
        try:
            if not self._closed.is_set():
                watch.run(changed)
        finally:
            self._watches.discard(watch)
            watch.stop()

    def close(self) -> None:
        self._closed.set()
        for watch in tuple(self._watches):
            watch.stop()


class _Watch:
    """One call of `watch`. `stop` may come from any thread."""

    def __init__(self, client: KubernetesClient, layout: Layout, book: KubernetesBook, clock: Clock, since: Revision,
                 end: Instant) -> None:
        self._client = client
        self._layout = layout
        self._book = book
        self._clock = clock
        self._since = since
        self._end = end
        self._news: queue.SimpleQueue[frozenset[str] | Exception | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._streams: set[Stream] = set()
        self._threads = [threading.Thread(target=self._read, args=(resource,), daemon=True)
                         for resource in (layout.resource, "pods")]

    def run(self, changed: Changed) -> None:
        """Tells what changes until the end. Raises StoreUnreachable."""
        told: dict[str, Revision] = {}
        over: dict[str, Instant] = {}
        for thread in self._threads:
            thread.start()
        news: frozenset[str] | Exception | None = _TIME  # a lease may have run out since the reading before
        while news is not None and not self._stopped.is_set():
            if isinstance(news, Exception):
                raise news
            now, ends = self._clock.now(), self._book.ends()
            past = {key: at for key, at in ends.items() if at <= now and over.get(key) != at}
            fresh = self._book.changed(told, self._since)
            told.update(fresh)
            over.update(past)
            if not news or fresh or past:
                changed(frozenset({*fresh, *past} if news else ()))
            news = self._next(min([self._end, *(at for at in ends.values() if at > now)]))

    def _next(self, until: Instant) -> frozenset[str] | Exception | None:
        """What the streams bring next; `_TIME` when it is time, None at the end."""
        now = self._clock.now()
        try:
            return self._news.get(timeout=max(0.0, until - now)) if now < self._end else None
        except queue.Empty:
            return _TIME

    def stop(self) -> None:
        """Ends the threads and the waiting. Harmless twice."""
        self._stopped.set()
        self._news.put(None)
        for stream in tuple(self._streams):
            stream.close()

    def _read(self, resource: str) -> None:
        """A thread: one stream after the other. Its end, and what went wrong, are news."""
        end: StoreUnreachable | None = None
        try:
            self._read_on(resource)
        except StoreUnreachable as error:
            end = error
        finally:
            self._news.put(end)

    def _read_on(self, resource: str) -> None:
        at, broken = int(self._since), None
        for left in retry.attempts(Seconds(max(0.0, self._end - self._clock.now())), self._clock):
            try:
                while not self._stopped.is_set() and (left := Seconds(self._end - self._clock.now())) > 0:
                    at = self._follow(resource, at, Seconds(min(left, _LIFE)))
                return
            except _Broken as error:
                at, broken = error.at, error
        if broken is not None:
            raise StoreUnreachable("Kubernetes cannot be watched", detail=str(broken))

    def _follow(self, resource: str, at: int, life: Seconds) -> int:
        """One stream to the end of its life; where the next one goes on. Raises StoreUnreachable, _Broken."""
        end = self._clock.now() + life
        query = {"labelSelector": self._layout.selector, "watch": "1", "allowWatchBookmarks": "true"}
        path = f"/api/v1/namespaces/{self._client.namespace}/{resource}"
        try:
            stream = self._client.stream(path, {**query, **({"resourceVersion": str(at)} if at else {})},
                                         budget=Seconds(min(life, _OPEN_WITHIN)))
        except Refusal as error:
            raise self._lost(str(error)) from error
        self._streams.add(stream)
        if self._stopped.is_set():  # meanwhile: `stop` may have missed this one
            stream.close()
        try:
            for line in stream.lines(Seconds(end - self._clock.now())):
                at = self._hear(line, resource, at)
        except NoReply as error:
            raise _Broken(str(error), at) from error
        finally:
            self._streams.discard(stream)
            stream.close()
        return at

    def _hear(self, line: bytes, resource: str, at: int) -> int:
        """Notes one event; how far we have heard now. Raises _Broken."""
        try:
            event = json.loads(line)
            kind, document = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise _Broken("an event of a watch is not JSON", at) from error
        if kind == "ERROR":
            if document.get("code") == 410:
                raise self._lost(str(document.get("message")))
            raise _Broken(str(document.get("message")), at)
        thing = thing_of(document, resource)
        if kind == "DELETED":
            self._book.gone(thing.spot, thing.version)
        elif kind != "BOOKMARK":
            self._book.see(thing, self._clock.now())
        if kind != "BOOKMARK":
            self._news.put(frozenset({thing.spot.name}))
        return max(at, thing.version)

    def _lost(self, why: str) -> "_Broken":
        """Continuity is lost: anything may have changed."""
        self._news.put(frozenset())
        return _Broken(why, 0)


class _Broken(PgctlError):
    """A stream that ended before its time; `at` is how far it came."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at
