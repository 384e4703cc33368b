"""Calls of a Consul agent through python-consul, over our own pool: deadlines, retries, typed answers. Knows no key.

python-consul's endpoints are used (what each says and reads), its transport is not: it has no timeouts, and puts the
token into URLs. `_Wire` is what they are given instead. So is `_Agent`, for the library's own takes the address and the
token from the environment, whatever was configured. This is the only room that sees the library.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from consul import base

from pgctl.clock import Clock
from pgctl.dcs import consul_wire as wire
from pgctl.dcs.consul_access import Access
from pgctl.dcs.consul_wire import Meaning, Operation, Reading, Refusal, Row
from pgctl.dcs.persist import persist
from pgctl.endpoints import Endpoints
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.net import Http, NoReply, NotSent
from pgctl.units import Instant, Seconds

T = TypeVar("T")

_LAG = Seconds(0.5)
"""What a blocking query may take beyond its wait, to which Consul adds up to a sixteenth."""


class ConsulClient:
    """One agent; may be used from several threads. Every call ends with its budget.

    All raise StoreUnreachable; those that change something, OutcomeUnknown; and Refusal where they say so.
    """

    def __init__(self, access: Access, clock: Clock) -> None:
        """Raises ConfigError for unusable TLS files."""
        self._access = access
        self._clock = clock
        self._http = Http(access.tls, clock=clock)
        self._waiting = Http(access.tls, clock=clock)
        """For blocking queries alone, so that they can be cut."""
        self._endpoints = Endpoints([access.url])
        self._closed = False

    def below(self, prefix: str, *, end: Instant) -> Reading:
        """All rows whose key starts with `prefix`, consistently.

        A token that may not read makes Consul leave rows out without a word, and an empty cluster is no small thing to
        believe: then one key is read by its name, which Consul does refuse.
        """
        found = wire.reading(*self._ask(
            lambda agent: base.Consul.KV(agent).get(prefix, recurse=True, consistency="consistent"), end))
        if not found.rows:
            self._ask(lambda agent: base.Consul.KV(agent).get(prefix, consistency="consistent"), end)
        return found

    def row(self, key: str, *, end: Instant) -> Row | None:
        """One key, consistently."""
        found = wire.reading(*self._ask(lambda agent: base.Consul.KV(agent).get(key, consistency="consistent"), end))
        return found.rows[0] if found.rows else None

    def wait(self, prefix: str, since: Revision, life: Seconds) -> Reading:
        """As `below` with the configured consistency: once something changed after `since`, or just before `life` ends."""
        spelt = f"{max(1, int((life - _LAG) * 16 / 17 * 1000))}ms"
        return wire.reading(*self._ask(
            lambda agent: base.Consul.KV(agent).get(prefix, index=since, recurse=True, wait=spelt,
                                                    consistency=self._access.consistency),
            Instant(self._clock.now() + life), http=self._waiting))

    def change(self, operations: Sequence[Operation], *, end: Instant) -> Revision | tuple[str, ...]:
        """One transaction: the last written key's new revision, or the reasons why nothing was changed.

        Raises Refusal SESSION_GONE.
        """
        answer: Revision | tuple[str, ...] = self._ask(lambda agent: _transaction(agent, operations), end, repeatable=False)
        if isinstance(answer, tuple) and any(reason.startswith("invalid session") for reason in answer):
            raise Refusal(answer[0], Meaning.SESSION_GONE)
        return answer

    def create_session(self, body: Mapping[str, object], *, end: Instant) -> str:
        """Its id. One whose answer was lost ends by itself, with nothing on it. Raises Refusal BOUNDS.

        python-consul's own `create` insists on a ttl of ten seconds, whatever the agent allows.
        """
        found = self._ask(lambda agent: agent.http.put(base.CB.json(is_id=True), "/v1/session/create",
                                                       data=json.dumps(body)), end)
        return str(found)

    def renew_session(self, session: str, *, end: Instant) -> None:
        """Raises Refusal SESSION_GONE."""
        self._ask(lambda agent: wire.renewed(base.Consul.Session(agent).renew(session), session), end)

    def prove_leader(self, session: str, *, end: Instant) -> None:
        """Returns once the server that leads Consul has answered something, having asked a majority whether it does."""
        self._ask(lambda agent: base.Consul.Session(agent).info(session, consistency="consistent"), end)

    def destroy_session(self, session: str, *, end: Instant) -> None:
        self._ask(lambda agent: base.Consul.Session(agent).destroy(session), end)

    def register(self, service: Mapping[str, object], *, end: Instant) -> None:
        """Puts a service into the agent's care. python-consul's own `register` knows too few fields of a check."""
        self._ask(lambda agent: agent.http.put(base.CB.bool(), "/v1/agent/service/register", data=json.dumps(service)), end)

    def deregister(self, service: str, *, end: Instant) -> None:
        """A service that is not there is no error."""
        self._ask(lambda agent: base.Consul.Agent.Service(agent).deregister(service), end)

    def close(self) -> None:
        """Ends blocking queries at once."""
        self._closed = True
        self._waiting.abort()
        self._http.close()

    def _ask(self, ask: "Callable[[_Agent], Any]", end: Instant, *, repeatable: bool = True,
             http: Http | None = None) -> Any:
        def attempt(url: str, timeout: Seconds) -> Any:
            if self._closed:
                raise StoreUnreachable("the store was closed")
            agent = _Agent(_Wire(http or self._http, url, self._access, Instant(self._clock.now() + timeout), self._clock))
            try:
                return ask(agent)
            except base.ConsulException as error:
                raise _judged(agent.http.status, agent.http.text) from error
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise NoReply(f"what {url} answered is no answer of Consul",
                              detail=f"status {agent.http.status}") from error

        try:
            return persist(attempt, self._endpoints, store="Consul", budget=Seconds(end - self._clock.now()),
                           clock=self._clock, repeatable=repeatable)
        except Refusal as error:
            if error.meaning in (Meaning.SESSION_GONE, Meaning.BOUNDS):
                raise
            denied = "denied" in error.detail.lower() or "acl" in error.detail.lower()
            hint = "Give consul.token a policy that allows it." if denied else ""
            raise StoreUnreachable("Consul refused", detail=error.detail, hint=hint) from error


def _transaction(agent: "_Agent", operations: Sequence[Operation]) -> Revision | tuple[str, ...]:
    """A transaction that was rolled back is status 409 with its reasons, and no error here."""
    try:
        return wire.changed(base.Consul.Txn(agent).put(list(operations)))
    except base.ClientError:
        if agent.http.status != 409:
            raise
        return wire.failures(agent.http.text)


def _judged(status: int, text: str) -> Exception:
    meaning = wire.meaning(status, text)
    said = text.strip() or f"status {status}"
    if meaning is Meaning.ELSEWHERE:
        return NotSent("Consul could not serve the request", detail=said)
    if meaning is Meaning.UNSURE:
        return NoReply("Consul did not finish the request", detail=said)
    return Refusal(said, meaning)


class _Wire:
    """python-consul's HTTP client, for one attempt: over our pool, within one deadline, the token in a header."""

    def __init__(self, http: Http, url: str, access: Access, end: Instant, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._access = access
        self._end = end
        self._clock = clock
        self.status = 0
        self.text = ""

    def get(self, callback: Callable[[Any], T], path: str, params: Iterable[tuple[str, object]] | None = None) -> T:
        return self._send("GET", callback, path, params, None)

    def put(self, callback: Callable[[Any], T], path: str, params: Iterable[tuple[str, object]] | None = None,
            data: str | bytes | None = "") -> T:
        return self._send("PUT", callback, path, params, data.encode() if isinstance(data, str) else data)

    def _send(self, method: str, callback: Callable[[Any], T], path: str, params: Iterable[tuple[str, object]] | None,
              body: bytes | None) -> T:
        pairs = [*(params or ()), *([("dc", self._access.dc)] if self._access.dc else [])]
        url = self._url + quote(path, safe="/") + (f"?{urlencode(pairs)}" if pairs else "")
        headers = {"x-consul-token": self._access.token} if self._access.token else {}
        response = self._http.request(method, url, body=body, headers=headers,
                                      timeout=Seconds(self._end - self._clock.now()))
        self.status, self.text = response.status, response.body.decode("utf-8", "replace")
        if self.status >= 300 and self.status < 400:
            raise ValueError("a redirect")
        # An answer of Consul to a reading has an index, also one that finds nothing; without it, the 404 is another's.
        index = response.headers.get("x-consul-index")
        return callback(base.Response(self.status, {"X-Consul-Index": index} if index else {}, self.text))


class _Agent:
    """What python-consul's endpoints ask their owner for. Token and datacentre are `_Wire`'s business."""

    token = None
    dc = None
    consistency = "default"

    def __init__(self, http: _Wire) -> None:
        self.http = http
