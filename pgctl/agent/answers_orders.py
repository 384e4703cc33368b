"""Requests that change something, judged as far as the board allows: refused with the contract's texts, or accepted.

What is accepted goes into the inbox with its body brought into one shape; whatever needs a fresh reading of the store
is judged once more by whoever takes it out. Pure. Source: rest.md 9 to 15.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pgctl.agent import answers_status
from pgctl.agent.board import Notice
from pgctl.agent.inbox import Reply
from pgctl.model import document, failsafe
from pgctl.model.cluster import Cluster
from pgctl.model.failsafe import Ping
from pgctl.model.intent import Intent
from pgctl.model.member import Role
from pgctl.model.objections import objections
from pgctl.rest import schema
from pgctl.units import Instant, Seconds, Wall, parse_bool, parse_seconds

_UNCLEAR = "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601"
_CHANGEABLE = 412
_ROLES = ("primary", "standby_leader", "replica")


@dataclass(frozen=True, slots=True)
class Change:
    """A request to change something, and the moment to judge it at. `body` None: none was sent, nor its length."""

    method: str
    path: str
    body: bytes | None
    notice: Notice
    now: Instant
    wall: Wall


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order for the inbox. The asker waits `limit` seconds at most, and is then answered `silence`."""

    body: Mapping[str, object] | None
    limit: Seconds
    silence: Reply


class Refused(Exception):
    """Carries the reply; raised by the small checks below."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(status, text)


def judge(change: Change) -> Reply | Accepted | Ping:
    """A refusal, an answer that needs nobody, an order, or a promise that is asked for."""
    try:
        return _JUDGES[change.method, change.path](change)
    except Refused as refused:
        return refused.reply


def _accepted(change: Change, body: Mapping[str, object] | None, limit: float | None = None,
              text: str = "") -> Accepted:
    """Waits a TTL unless told: the loop takes orders between two cycles, and none of those lasts that long."""
    seconds = change.notice.view.settings.ttl if limit is None else limit
    said = text or f"no answer within {seconds:.0f} seconds; the request may still be carried out"
    return Accepted(body, Seconds(seconds), Reply(503, said))


# --- bodies -----------------------------------------------------------------------------------------------------------


def _object(change: Change, *, required: bool) -> Mapping[str, object]:
    """The body as a JSON object. An empty one will do unless `required`. Raises Refused: 411, 400."""
    if required and change.body is None:
        raise Refused(411, "Length Required")
    text = (change.body or b"").decode(errors="replace").strip()
    if not text and not required:
        return {}
    found = document.mapping(document.load(text))
    if found is None:
        raise Refused(400, "the body is not a JSON object")
    if required and not found:
        raise Refused(400, "the body is an empty object")
    return found


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    parsed = parse_bool(value)
    if parsed is None:
        raise Refused(400, f"{name} should be true or false")
    return parsed


# --- one judge a request ----------------------------------------------------------------------------------------------


def _config(change: Change) -> Accepted:
    return _accepted(change, _object(change, required=True))


def _reload(change: Change) -> Accepted:
    """The body is ignored, whatever it is."""
    return _accepted(change, None)


def _restart(change: Change) -> Accepted:
    body = _object(change, required=False)
    settings = change.notice.view.settings
    if "schedule" in body and settings.pause:
        raise Refused(500, "Can't schedule restart in the paused state")
    checked = {name: _RESTART_FIELDS[name](value, change) for name, value in body.items() if _known_filter(name)}
    if "schedule" in checked:
        return _accepted(change, checked)
    _refuse_when_busy(change)
    timeout = checked.get("timeout")
    start = timeout if isinstance(timeout, float) else settings.primary_start_timeout
    limit = max(start, settings.ttl) + max(settings.primary_stop_timeout, 60.0)
    return _accepted(change, checked, limit,
                     f"restart not finished after {limit:.0f} seconds; it may still be in progress")


def _known_filter(name: str) -> bool:
    if name not in _RESTART_FIELDS:
        raise Refused(400, f"Unknown filter for the scheduled restart: {name}")
    return True


def _restart_role(value: object, _: Change) -> str:
    if value not in _ROLES:
        raise Refused(400, "PostgreSQL role should be either primary, standby_leader, or replica")
    return str(value)


def _restart_version(value: object, _: Change) -> str:
    """`X.Y` from 10 on, `X.Y.Z` before."""
    text = str(value)
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
        raise Refused(400, f"Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: {text}")
    parts = text.split(".")
    if len(parts) != (2 if int(parts[0]) >= 10 else 3):
        raise Refused(400, f"Invalid PostgreSQL version: {text}")
    return text


def _restart_timeout(value: object, _: Change) -> float:
    try:
        seconds = float(parse_seconds(value)) if isinstance(value, (str, int, float)) else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise Refused(400, "Timeout should be a positive number of seconds")
    return seconds


def _restart_pending(value: object, _: Change) -> bool:
    return value is None or _flag({"restart_pending": value}, "restart_pending")


def _restart_schedule(value: object, change: Change) -> str:
    """A time to come, with its zone, in ISO 8601."""
    at, fault = document.moment(value)
    if fault.endswith(document.NO_ZONE):
        raise Refused(400, "Timezone information is mandatory for the scheduled restart")
    if at is None:
        raise Refused(422, _UNCLEAR)
    if at <= datetime.fromtimestamp(change.wall, UTC):
        raise Refused(422, "Cannot schedule restart in the past")
    return at.isoformat()


_RESTART_FIELDS: Mapping[str, Callable[[object, Change], object]] = {
    "schedule": _restart_schedule,
    "role": _restart_role,
    "postgres_version": _restart_version,
    "timeout": _restart_timeout,
    "restart_pending": _restart_pending,
}


def _refuse_when_busy(change: Change) -> None:
    job = change.notice.view.job
    if job is not None and not job.ended:
        raise Refused(503, f"{job.job.name} already in progress")


def _reinitialize(change: Change) -> Accepted:
    body = _object(change, required=False)
    dashed = {name.replace("-", "_"): value for name, value in body.items()}
    checked = {"force": _flag(dashed, "force"), "from_leader": _flag(dashed, "from_leader")}
    cluster = _cluster(change)
    if cluster.leader is None:
        raise Refused(503, "Cluster has no leader, can not reinitialize")
    if cluster.leader.name == change.notice.view.me:
        raise Refused(503, "I am the leader, can not reinitialize")
    if not checked["force"]:
        _refuse_when_busy(change)
    return _accepted(change, checked)


def _cluster(change: Change) -> Cluster:
    """The DCS view. Raises Refused when there is none."""
    cluster = answers_status.known_cluster(change.notice, change.now)
    if cluster is None:
        raise Refused(503, "the store cannot be read: " + (change.notice.view.cut or "no reading yet"))
    return cluster


def _leave(change: Change) -> Accepted:
    """`/switchover` and `/failover`: refused here for what is wrong with the wish itself.

    What depends on who leads and who is there now (412) is left to whoever takes the order, with a fresh reading.
    """
    body = _object(change, required=True)
    cluster = _cluster(change)
    leader = document.name(body.get("leader"))
    candidate = document.name(body.get("candidate")) or document.name(body.get("member"))
    scheduled = body.get("scheduled_at") or None
    at, fault = document.moment(scheduled)
    found = objections(cluster, Intent(leader, candidate, at, fault), now=datetime.fromtimestamp(change.wall, UTC),
                       failover=change.path == schema.FAILOVER)
    wrong = next((each for each in found if each.status != _CHANGEABLE), None)
    if wrong is not None:
        raise Refused(wrong.status, wrong.text)
    checked = {"leader": leader, "candidate": candidate}
    if at is not None:
        return _accepted(change, {**checked, "scheduled_at": at.isoformat()})
    limit = 2 * max(10.0, change.notice.view.settings.loop_wait)
    deed = "Switchover" if leader else "Failover"
    return _accepted(change, checked, limit,
                     f"{deed} status unknown after {limit:.0f} seconds; operation may still be in progress")


def _cancel(change: Change) -> Accepted:
    return _accepted(change, None)


def _failsafe(change: Change) -> Reply | Ping:
    """The wish of a leader that cannot reach the store, unless it is known that it does not lead.

    A member that was started while the store is away knows nothing of the mode; to promise is safe in any case.
    """
    notice = change.notice
    known = notice.cluster is not None
    if known and not notice.view.settings.failsafe_mode:
        return Reply(502, "failsafe_mode is disabled")
    if not notice.view.cut and notice.view.cluster is None:
        return Reply(503, "this member has not looked at its server yet")
    ping = failsafe.read(_object(change, required=True))
    if ping is None:
        raise Refused(400, "name, conn_url and api_url are required")
    if not known and not ping.ttl:
        return Reply(502, "this member has not read the store yet, and does not know for how long to promise")
    if answers_status.role(notice, change.now) in (Role.PRIMARY, Role.PROMOTED):
        return Reply(500, "Running as a leader")
    cluster = answers_status.known_cluster(notice, change.now)
    if cluster is not None and cluster.leader_name not in (None, ping.name):
        return Reply(500, f"the store says that {cluster.leader_name} leads")
    return ping


def _citus(change: Change) -> Reply:
    """Answered OK and ignored, as by any member that is not a Citus coordinator."""
    _object(change, required=True)
    return Reply(200, "OK")


def _sigterm(_: Change) -> Reply:
    return Reply(501, "Server does not support this operation")


_JUDGES: Mapping[tuple[str, str], Callable[[Change], Reply | Accepted | Ping]] = {
    ("PATCH", schema.CONFIG): _config,
    ("PUT", schema.CONFIG): _config,
    ("POST", schema.RELOAD): _reload,
    ("POST", schema.RESTART): _restart,
    ("DELETE", schema.RESTART): _cancel,
    ("POST", schema.REINITIALIZE): _reinitialize,
    ("POST", schema.SWITCHOVER): _leave,
    ("POST", schema.FAILOVER): _leave,
    ("DELETE", schema.SWITCHOVER): _cancel,
    ("POST", schema.FAILSAFE): _failsafe,
    ("POST", schema.CITUS): _citus,
    ("POST", schema.MPP): _citus,
    ("POST", schema.SIGTERM): _sigterm,
}
