"""Calls of etcd's v2 API through python-etcd, over our own pool: deadlines, retries, typed answers. Knows no key.

python-etcd's client says what to ask and reads the answers; its transport is not used: it asks on without an end, and
with today's urllib3 it does not work. `_Wire.execute` is put in its place. This is the only room that sees the library.
Source: etcd.io/docs/v2.3/api, errorcode; dcs.md 6.1.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import etcd

from pgctl.clock import Clock
from pgctl.dcs import etcd_access, outcomes
from pgctl.dcs.etcd_access import Access
from pgctl.dcs.outcomes import Outcome
from pgctl.dcs.persist import persist
from pgctl.endpoints import Endpoints, Finder
from pgctl.errors import PgctlError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.net import Http, NoReply, NotSent, Stream, basic
from pgctl.units import Instant, Seconds

T = TypeVar("T")

_NO_V2 = "Start etcd with --enable-v2 (3.4 and 3.5 have it), or use the section etcd3."
_LOGIN = "Look at etcd.username and etcd.password, and at what that user's roles allow."
_NOT_BEGUN = ("no leader", "not capable")


@dataclass(frozen=True, slots=True)
class Node:
    """One key as it is. `made` stays while it is refreshed or swapped; `modified` is that of the last change."""

    key: str
    value: str
    made: Revision
    modified: Revision
    expires: bool

    @property
    def revision(self) -> Revision:
        """What others compare with: of a key that expires, of which life it is, whatever refreshes it."""
        return self.made if self.expires else self.modified


class Tree(NamedTuple):
    """All keys below a directory; `revision` is where a watch may continue."""

    nodes: tuple[Node, ...]
    revision: Revision


class Failed(NamedTuple):
    """A comparison did not hold. `exists` and `absent`: why, where that is the reason."""

    exists: bool = False
    absent: bool = False


class Etcd2Client:
    """May be used from several threads. All raise StoreUnreachable; `change` without `repeatable`, OutcomeUnknown."""

    def __init__(self, access: Access, clock: Clock, find: Finder | None = None) -> None:
        """Raises ConfigError for unusable TLS files."""
        self._access = access
        self._clock = clock
        self._http = Http(access.tls, clock=clock)
        self._endpoints = Endpoints(access.urls, find)
        self._learn_at = Instant(0)
        self._cluster = ""
        self.index = Revision(0)
        """The highest index seen."""

    def tree(self, directory: str, *, end: Instant) -> Tree:
        """A reading that went through etcd's log: it sees every write acknowledged before it began."""
        found = self._ask(lambda client: client.read(directory, recursive=True, quorum=True), end, repeatable=True)
        if isinstance(found, Failed):
            return Tree((), self.index)
        leaves = tuple(_node(leaf) for leaf in found.leaves if not leaf.dir)
        return Tree(leaves, Revision(found.etcd_index))

    def node(self, key: str, *, end: Instant) -> Node | None:
        """One key, in the same way."""
        return _found(self._ask(lambda client: client.read(key, quorum=True), end, repeatable=True))

    def write(self, key: str, value: str, *, end: Instant, **conditions: object) -> Node | Failed:
        """`conditions` are python-etcd's: ttl, prevExist, prevIndex."""
        return self._change(lambda client: client.write(key, value, **conditions), end)

    def refresh(self, key: str, ttl: int, *, end: Instant, **conditions: object) -> Node | Failed:
        """Begins a key's ttl anew and wakes nobody. Harmless twice, so it is repeated within the budget."""
        return self._change(lambda client: client.refresh(key, ttl, **conditions), end, repeatable=True)

    def delete(self, key: str, *, end: Instant, **conditions: object) -> Node | Failed:
        return self._change(lambda client: client.delete(key, **conditions), end)

    def waiting(self, directory: str, since: Revision, timeout: Seconds) -> tuple[str, Stream]:
        """A server, and its answer that comes with the next change after `since`. Raises StoreUnreachable.

        python-etcd would read it to its end, and a watch must end when it is told to.
        """
        start = {"waitIndex": str(since + 1)} if since else {}
        query = urlencode({"wait": "true", "recursive": "true", **start})

        def begin(url: str, timeout: Seconds) -> tuple[str, Stream]:
            target = f"{url}/v2/keys{quote(directory)}?{query}"
            return url, self._http.stream("GET", target, headers=self._headers(), timeout=timeout)

        try:
            return self._endpoints.ask(begin, budget=timeout, clock=self._clock, repeatable=True)
        except (NotSent, NoReply) as error:
            raise StoreUnreachable("etcd cannot be watched", detail=str(error)) from error

    def distrust(self, url: str) -> None:
        """Asks this server last from now on."""
        self._endpoints.distrust(url)

    def close(self) -> None:
        self._http.close()

    def _headers(self) -> Mapping[str, str]:
        return basic(self._access.username, self._access.password)

    def _change(self, ask: Callable[[Any], Any], end: Instant, *, repeatable: bool = False) -> Node | Failed:
        answer = self._ask(ask, end, repeatable=repeatable)
        return answer if isinstance(answer, Failed) else _node(answer)

    def _ask(self, ask: Callable[[Any], Any], end: Instant, *, repeatable: bool) -> Any:
        """What python-etcd makes of the answer, or Failed."""
        def attempt(url: str, timeout: Seconds) -> Any:
            wire = _Wire(self._http, url, self._headers(), Instant(self._clock.now() + timeout), self._clock, self._same)
            client = etcd.Client(host="unused", port=1)
            client.api_execute = wire.execute
            try:
                answer = ask(client)
            except etcd.EtcdException as error:
                answer = _judged(error, wire.status)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise NoReply(f"what {url} answered is no answer of etcd", detail=f"status {wire.status}") from error
            self.index = max(self.index, Revision(wire.index))
            self._learn(url, timeout)
            return answer

        try:
            return persist(attempt, self._endpoints, store="etcd", budget=Seconds(end - self._clock.now()),
                           clock=self._clock, repeatable=repeatable)
        except _Refused as error:
            raise StoreUnreachable("etcd refused", detail=error.detail, hint=error.hint) from error

    def _same(self, url: str, cluster: str) -> None:
        """A server that was learnt must be of the cluster that was asked first. Raises NotSent."""
        self._cluster = self._cluster or cluster
        if url not in self._access.urls and cluster != self._cluster:
            raise NotSent(f"{url} is not known to be of the same etcd cluster")

    def _learn(self, url: str, timeout: Seconds) -> None:
        """Now and then, where the other servers of the cluster are; without them it goes on."""
        if not self._access.learn or self._clock.now() < self._learn_at:
            return
        self._learn_at = Instant(self._clock.now() + etcd_access.LEARN_EVERY)
        try:
            answer = self._http.request("GET", f"{url}/v2/machines", headers=self._headers(),
                                        timeout=Seconds(min(1.0, timeout)))
        except (NotSent, NoReply):
            return
        if answer.status == 200:
            named = [each.strip().rstrip("/") for each in answer.body.decode("utf-8", "replace").split(",")]
            self._endpoints.learn([each for each in named if each.startswith("http")])


class _Refused(PgctlError):
    """A complete answer that says no, for a reason of its own."""


def _found(answer: Any) -> Node | None:
    return None if isinstance(answer, Failed) or answer.dir else _node(answer)


def _node(result: Any) -> Node:
    return Node(str(result.key), str(result.value or ""), Revision(int(result.createdIndex or 0)),
                Revision(int(result.modifiedIndex or 0)), result.ttl is not None)


def _judged(error: "etcd.EtcdException", status: int) -> Failed:
    """What an error of python-etcd comes to. Raises NotSent, NoReply, _Refused; anything unknown may have been done."""
    payload = error.payload if isinstance(error.payload, dict) else {}
    said = " ".join(str(payload[name]) for name in ("message", "cause") if payload.get(name)) or f"status {status}"
    known = "errorCode" in payload
    outcome = outcomes.of_error(outcomes.ETCD, error) if known else outcomes.of_status(status)
    if outcome is Outcome.ANSWER:
        absent = isinstance(error, (etcd.EtcdKeyNotFound, etcd.EtcdNotFile))
        return Failed(exists=isinstance(error, etcd.EtcdAlreadyExist), absent=absent)
    if status == 404 and not known:
        raise _Refused("", detail=f"there is no v2 API ({said})", hint=_NO_V2)
    if outcome is Outcome.DOWN or any(words in said.lower() for words in _NOT_BEGUN):
        raise NotSent("etcd could not serve the request", detail=said)
    if outcome is Outcome.REFUSED:
        raise _Refused("", detail=said, hint=_LOGIN if status in (401, 403) else "")
    raise NoReply("etcd did not finish the request", detail=said)


class _Wire:
    """python-etcd's transport, for one attempt: over our pool, within one deadline."""

    def __init__(self, http: Http, url: str, headers: Mapping[str, str], end: Instant, clock: Clock,
                 same: Callable[[str, str], None]) -> None:
        self._http = http
        self._url = url
        self._headers = headers
        self._end = end
        self._clock = clock
        self._same = same
        self.status = 0
        self.index = 0

    def execute(self, path: str, method: str, params: Mapping[str, object] | None = None,
                timeout: object = None) -> "_Answer":
        """As etcd.Client.api_execute: an answer of success, or an error of the library."""
        form = urlencode(dict(params or {}))
        target = self._url + quote(path, safe="/")
        headers, body = dict(self._headers), None
        if method in ("GET", "DELETE"):
            target += f"?{form}" if form else ""
        else:
            headers["content-type"], body = "application/x-www-form-urlencoded", form.encode()
        response = self._http.request(method, target, body=body, headers=headers,
                                      timeout=Seconds(self._end - self._clock.now()))
        self.status = response.status
        self.index = int(response.headers.get("x-etcd-index", "0"))
        self._same(self._url, response.headers.get("x-etcd-cluster-id", ""))
        if response.status not in (200, 201):
            etcd.EtcdError.handle(_payload(response.body) | {"status": response.status})
        return _Answer(response.status, response.body, response.headers)


def _payload(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": body.decode("utf-8", "replace").strip()[:200]}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What python-etcd asks of a response of urllib3 1."""

    status: int
    data: bytes
    headers: Mapping[str, str]

    def getheaders(self) -> Mapping[str, str]:
        return self.headers
