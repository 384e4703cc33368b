"""(method, path, query, body, board) → a reply, or an order for the inbox. Pure: no store, no SQL, no thread, no wait.

Everything that is read comes off the board, so a slow store or a stuck server never slows a health check.
HEAD and OPTIONS are answered as GET on every path, without the body. Source: rest.md 2; where we differ: docs/rest.md.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pgctl.agent import answers_health, answers_orders, answers_status, metrics
from pgctl.agent.answers_orders import Accepted, Change
from pgctl.agent.board import Notice
from pgctl.agent.inbox import JSON, Reply
from pgctl.model import codec, document
from pgctl.model.failsafe import Ping
from pgctl.rest import documents, schema
from pgctl.units import Instant, Wall

_ABSOLUTE = re.compile(r"\Ahttps?://[^/?]*", re.IGNORECASE)
UNSUPPORTED = Reply(501, "Server does not support this operation")


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request. `path` has one leading slash and keeps its further segments; `body` None: none was sent."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None

    @property
    def head(self) -> str:
        """The first segment, which picks the handler."""
        return "/" + self.path[1:].partition("/")[0]

    @property
    def changes(self) -> bool:
        """It asks for a change that we know."""
        return (self.method, self.head) in schema.CHANGES


def request(method: str, target: str, body: bytes | None = None) -> Request:
    """A request of its method and target. Blank parameters are dropped; of repeated ones the first counts."""
    path, _, query = _ABSOLUTE.sub("", target, count=1).partition("?")
    first: dict[str, str] = {}
    for name, value in parse_qsl(query):
        first.setdefault(name, value)
    return Request(method, "/" + path.lstrip("/"), first, body)


def answer(asked: Request, notice: Notice, now: Instant, wall: Wall) -> Reply | Accepted | Ping:
    """What this request gets. Access has been checked before."""
    if asked.changes:
        return answers_orders.judge(Change(asked.method, asked.head, asked.body, notice, now, wall))
    if asked.method not in schema.READS:
        return UNSUPPORTED
    reader = _READERS.get(asked.head, _health)
    return reader(asked, notice, now)


def _json(status: int, value: object) -> Reply:
    """JSON with a space after `:` and `,`, as the contract shows it."""
    return Reply(status, json.dumps(value, default=str), JSON)


def _health(asked: Request, notice: Notice, now: Instant) -> Reply:
    try:
        good = answers_health.healthy(asked.path, asked.query, notice, now)
    except answers_health.BadQuery as error:
        return Reply(400, str(error))
    return _json(200 if good else 503, answers_status.status(notice, now))


def _status(_: Request, notice: Notice, now: Instant) -> Reply:
    return _json(200, answers_status.status(notice, now))


def _liveness(_: Request, notice: Notice, now: Instant) -> Reply:
    return Reply(200 if answers_health.alive(notice, now) else 503)


def _readiness(asked: Request, notice: Notice, now: Instant) -> Reply:
    return Reply(200 if answers_health.ready(asked.query, notice, now) else 503)


def _read_from_store(notice: Notice, now: Instant, value: object) -> Reply:
    """A document from the last reading of the store: 200 while that is current, 503 with the same body after."""
    return _json(503 if answers_status.known_cluster(notice, now) is None else 200, value)


def _unread(notice: Notice) -> Reply:
    return Reply(503, "the store has not been read yet" + (f": {notice.view.cut}" if notice.view.cut else ""))


def _cluster(_: Request, notice: Notice, now: Instant) -> Reply:
    if notice.cluster is None:
        return _unread(notice)
    return _read_from_store(notice, now, documents.cluster(notice.cluster))


def _history(_: Request, notice: Notice, now: Instant) -> Reply:
    if notice.cluster is None:
        return _unread(notice)
    return _read_from_store(notice, now, document.load(codec.write_history(notice.cluster.history)))


def _config(_: Request, notice: Notice, now: Instant) -> Reply:
    if notice.cluster is None:
        return _unread(notice)
    if notice.cluster.config is None:
        return Reply(502, "the store holds no usable configuration")
    return _read_from_store(notice, now, dict(notice.cluster.config))


def _failsafe(_: Request, notice: Notice, _now: Instant) -> Reply:
    if not notice.view.settings.failsafe_mode:
        return Reply(502, "failsafe_mode is disabled")
    if notice.cluster is None or notice.cluster.failsafe is None:
        return Reply(502, "the failsafe topology is not known")
    return _json(200, dict(notice.cluster.failsafe))


def _metrics(_: Request, notice: Notice, now: Instant) -> Reply:
    return Reply(200, metrics.render(notice, now), "text/plain; version=0.0.4; charset=utf-8")


def _explain(_: Request, notice: Notice, now: Instant) -> Reply:
    return _json(200, answers_status.explain(notice, now))


_READERS: Mapping[str, Callable[[Request, Notice, Instant], Reply]] = {
    schema.STATUS: _status,
    schema.LIVENESS: _liveness,
    schema.READINESS: _readiness,
    schema.CLUSTER: _cluster,
    schema.HISTORY: _history,
    schema.CONFIG: _config,
    schema.FAILSAFE: _failsafe,
    schema.METRICS: _metrics,
    schema.EXPLAIN: _explain,
}
