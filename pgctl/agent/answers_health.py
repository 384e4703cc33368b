"""Health checks: which path asks for which verdict, and each verdict from the board. Pure.

A load balancer must never be sent to a server that is not what it asks for. So, unlike Patroni, `primary` and
`standby_leader` are given only for a server that was *seen* as such, on top of the lease; and a look older than two
TTLs is no look. The lease alone answers `/leader`. Source: rest.md 3 and 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pgctl.agent import answers_status
from pgctl.agent.board import Notice
from pgctl.model import document
from pgctl.model.member import Role, State
from pgctl.model.server import Phase
from pgctl.units import Instant, parse_bytes

_LEADING = ("leader", "primary", "standby_leader")
"""Checks that tags do not filter."""

_EXACT = {
    "/sync": "sync", "/synchronous": "sync",
    "/quorum": "quorum",
    "/async": "async", "/asynchronous": "async",
    "/read-only-quorum": "read_only_quorum",
    "/read-only-sync": "read_only_sync", "/read-only-synchronous": "read_only_sync",
}  # fmt: skip


class BadQuery(Exception):
    """A parameter that cannot be read; says which."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The four that all checks are made of, and the flags of the status body."""

    leader: bool
    primary: bool
    standby_leader: bool
    replica: bool
    running: bool
    seen: bool
    """There is a DCS view: without one nobody knows who is synchronous."""
    sync: bool
    quorum: bool


def check(path: str) -> str:
    """Which check a path asks for; empty when none. First match wins, mostly by parts of the path."""
    if path == "/":
        return "primary"
    if "standby_leader" in path or "standby-leader" in path:
        return "standby_leader"
    if "leader" in path:
        return "leader"
    if any(word in path for word in ("master", "primary", "read-write")):
        return "primary"
    if "replica" in path:
        return "replica"
    if "read-only" in path and "sync" not in path and "quorum" not in path:
        return "read_only"
    return "health" if "health" in path else _EXACT.get(path, "")


def healthy(path: str, query: Mapping[str, str], notice: Notice, now: Instant) -> bool:
    """Whether the check that `path` asks for holds. Raises BadQuery."""
    asked = check(path)
    found = verdicts(query, notice, now)
    leads = found.primary or found.standby_leader
    match asked:
        case "leader" | "primary" | "standby_leader" | "replica":
            good = bool(getattr(found, asked))
        case "read_only":
            good = leads or found.replica
        case "health":
            good = found.running
        case "sync":
            good = found.seen and found.replica and found.sync
        case "quorum":
            good = found.seen and found.replica and found.quorum
        case "async":
            good = found.seen and found.replica and not found.sync and not found.quorum
        case "read_only_sync":
            good = found.seen and (leads or (found.replica and found.sync))
        case "read_only_quorum":
            good = found.seen and (leads or (found.replica and found.quorum))
        case _:
            good = False
    return good and (asked in _LEADING or _tags_match(query, notice))


def verdicts(query: Mapping[str, str], notice: Notice, now: Instant) -> Verdicts:
    """All four from the board. Raises BadQuery."""
    view = notice.view
    phase = view.server.phase if answers_status.fresh(notice, now) else Phase.HUNG
    role = answers_status.role(notice, now)
    body = answers_status.status(notice, now)
    running = body["state"] == State.RUNNING
    cluster = answers_status.known_cluster(notice, now)
    standby_cluster = view.settings.standby_cluster is not None
    locked = notice.lease.left(now) > 0
    replica = running and role == Role.REPLICA and not view.host.tags.noloadbalance
    replica = replica and not _lagging(query, notice, now) and _replicates(query, body)
    if cluster is None and view.settings.pause:
        primary = phase is Phase.PRIMARY
        standby_leader = phase is Phase.STANDBY and role == Role.STANDBY_LEADER
        leader = primary or standby_leader
    else:
        leader = locked
        primary = locked and not standby_cluster and phase is Phase.PRIMARY
        standby_leader = locked and standby_cluster and phase is Phase.STANDBY
        replica = replica and not (locked and standby_cluster)
    return Verdicts(leader, primary, standby_leader, replica, running, cluster is not None,
                    "sync_standby" in body, "quorum_standby" in body)


def alive(notice: Notice, now: Instant) -> bool:
    """`/liveness`: the loop keeps its plan, with a TTL of patience for a primary and two for all others."""
    view = notice.view
    if view.settings.pause:
        return True
    planned = notice.cycle_done_at + view.settings.loop_wait
    if notice.decision is not None:
        planned = min(planned, notice.decision.wake_at)
    primary = answers_status.role(notice, now) == Role.PRIMARY and view.server.running
    return max(planned, notice.cycle_done_at) + view.settings.ttl * (1 if primary else 2) > now


def ready(query: Mapping[str, str], notice: Notice, now: Instant) -> bool:
    """`/readiness`: leads, or replicates with a lag within the limit, by stream or from the archive."""
    if notice.lease.left(now) > 0:
        return True
    view = notice.view
    if answers_status.state(notice, now) != State.RUNNING or view.server.phase is not Phase.STANDBY:
        return False
    ahead = leader_position(notice, now)
    if not view.server.replication_state or ahead is None:
        return False
    try:
        limit = int(parse_bytes(query["lag"]))
    except (KeyError, ValueError):
        limit = view.settings.maximum_lag_on_failover
    replayed = view.server.replay_lsn
    position = (view.server.receive_lsn or replayed) if query.get("mode") == "write" else replayed
    return position is not None and ahead <= position + limit


def leader_position(notice: Notice, now: Instant) -> int | None:
    """How far the leader is known to be, in bytes: by the DCS view or by my WAL receiver; None when by neither."""
    cluster = answers_status.known_cluster(notice, now)
    receiver = notice.view.server.receiver
    known = [cluster.status.optime] if cluster is not None else []
    if receiver is not None and receiver.latest_end_lsn is not None:
        known.append(receiver.latest_end_lsn)
    return max(known, default=None)


def _lagging(query: Mapping[str, str], notice: Notice, now: Instant) -> bool:
    """More than `lag` behind. A replica that has replayed nothing lags behind any known leader."""
    if "lag" not in query:
        return False
    try:
        limit = parse_bytes(query["lag"])
    except ValueError as error:
        raise BadQuery(f"lag: {error}") from error
    ahead = leader_position(notice, now) or 0
    replayed = notice.view.server.replay_lsn
    return ahead > 0 if replayed is None else ahead > replayed + limit


def _replicates(query: Mapping[str, str], body: Mapping[str, object]) -> bool:
    wanted = query.get("replication_state")
    return wanted is None or body.get("replication_state") == wanted


def _tags_match(query: Mapping[str, str], notice: Notice) -> bool:
    """Every `tag_NAME=VALUE` of the query is a tag of mine: texts as they are, other values as JSON in lower case."""
    own = notice.view.host.tags.published
    return all(_tag_text(own.get(name.removeprefix("tag_"))) == value
               for name, value in query.items() if name.startswith("tag_"))


def _tag_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return document.dump(value).lower()
