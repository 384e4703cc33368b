"""A board as Prometheus text (format 0.0.4): the contract's `patroni_*` samples in order, then `pgctl_*`. Pure.

Source: rest.md 8; prometheus.io, "Exposition formats".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pgctl.agent import answers_status
from pgctl.agent.board import Notice
from pgctl.model.member import Role, State
from pgctl.model.server import Phase, ServerState
from pgctl.rest.schema import COMPATIBLE_VERSION
from pgctl.units import Instant

_OLDEST_WITH_RECEIVER = 90600


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric with its only value; a text is printed as it stands. `labels` come beside scope and name."""

    name: str
    help: str
    value: float | str
    type: str = "gauge"
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def render(notice: Notice, now: Instant) -> str:
    """All samples, each with its HELP and TYPE."""
    own = {"scope": notice.scope, "name": str(notice.view.me)}
    return "".join(_lines(sample, own) for sample in (*_patroni(notice, now), *_pgctl(notice, now)))


def _lines(sample: Sample, own: Mapping[str, str]) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in {**own, **sample.labels}.items())
    value = sample.value if isinstance(sample.value, str) else repr(sample.value + 0)
    note = f"# {sample.note}\n" if sample.note else ""
    return (f"# HELP {sample.name} {sample.help}\n{note}# TYPE {sample.name} {sample.type}\n"
            f"{sample.name}{{{labels}}} {value}\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _epoch(text: str | None) -> float:
    """Seconds since 1970 of `2026-01-31 12:00:00.123456+00:00`; 0 when there is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _version() -> str:
    """4.1.0 as 040100."""
    return "".join(f"{int(part):02d}" for part in COMPATIBLE_VERSION.split("."))


def _patroni(notice: Notice, now: Instant) -> list[Sample]:
    server, role, state = notice.view.server, answers_status.role(notice, now), answers_status.state(notice, now)
    body = answers_status.status(notice, now)
    started = server.postmaster.start_time if server.postmaster else None
    states = [str(known) for known in State]
    return [
        Sample("patroni_version", "Patroni version this member is compatible with", _version()),
        Sample("patroni_postgres_running", "1 if PostgreSQL is running", state == State.RUNNING),
        Sample("patroni_postmaster_start_time", "Start of the postmaster, epoch seconds", _epoch(started)),
        Sample("patroni_primary", "1 if the server is a primary", role == Role.PRIMARY),
        *_positions(server, role, body),
        *_replication(server),
        Sample("patroni_postgres_server_version", "Version of PostgreSQL, 0 if unknown", server.version),
        Sample("patroni_cluster_unlocked", "1 if the cluster has no leader", "cluster_unlocked" in body),
        Sample("patroni_failsafe_mode_is_active", "1 if failsafe mode is active", "failsafe_mode_is_active" in body),
        Sample("patroni_failsafe_mode_enabled", "1 if failsafe mode is enabled", notice.view.settings.failsafe_mode),
        Sample("patroni_failsafe_member", "1 if listed in the failsafe topology", _failsafe_member(notice)),
        Sample("patroni_postgres_timeline", "Timeline, 0 if unknown", server.timeline or 0),
        Sample("patroni_dcs_last_seen", "When the store was last read, epoch seconds", int(notice.cluster_wall or 0)),
        Sample("patroni_pending_restart", "1 if a restart is pending", bool(server.pending_restart)),
        Sample("patroni_is_paused", "1 if the cluster is paused", notice.view.settings.pause),
        Sample("patroni_postgres_state", "State of PostgreSQL", states.index(state) if state in states else -1,
               note="Values: " + ", ".join(f"{place}={text}" for place, text in enumerate(states))),
        Sample("patroni_failover_priority", "Failover priority, 0 is nofailover",
               notice.view.host.tags.failover_priority),
    ]  # fmt: skip


def _positions(server: ServerState, role: str, body: Mapping[str, object]) -> list[Sample]:
    """Positions in bytes, 0 where they do not apply or are not known."""
    primary, standby = server.phase is Phase.PRIMARY, server.phase is Phase.STANDBY
    received, replayed = server.receive_lsn or server.replay_lsn or 0, server.replay_lsn or 0
    return [
        Sample("patroni_xlog_location", "Position of a primary in bytes", (server.lsn or 0) if primary else 0,
               "counter"),
        Sample("patroni_standby_leader", "1 if leader of a standby cluster", role == Role.STANDBY_LEADER),
        Sample("patroni_replica", "1 if the server is a replica", role == Role.REPLICA),
        Sample("patroni_sync_standby", "1 if a synchronous standby", "sync_standby" in body),
        Sample("patroni_quorum_standby", "1 if a quorum standby", "quorum_standby" in body),
        Sample("patroni_xlog_received_location", "Received position of a standby in bytes", received if standby else 0,
               "counter"),
        Sample("patroni_xlog_replayed_location", "Replayed position of a standby in bytes", replayed if standby else 0,
               "counter"),
        Sample("patroni_xlog_replayed_timestamp", "Last replayed commit, epoch seconds",
               _epoch(server.replay_timestamp) if standby else 0.0),
        Sample("patroni_xlog_paused", "1 if replay is paused", standby and server.replay_paused),
    ]  # fmt: skip


def _replication(server: ServerState) -> list[Sample]:
    if server.version < _OLDEST_WITH_RECEIVER:
        return []
    found = server.replication_state if server.phase is Phase.STANDBY else None
    return [
        Sample("patroni_postgres_streaming", "1 if streaming", found == "streaming"),
        Sample("patroni_postgres_in_archive_recovery", "1 if in archive recovery", found == "in archive recovery"),
    ]


def _failsafe_member(notice: Notice) -> bool:
    listed = notice.cluster.failsafe if notice.cluster else None
    return listed is not None and notice.view.me in listed


def _pgctl(notice: Notice, now: Instant) -> list[Sample]:
    view, decision = notice.view, notice.decision
    job = view.job.job.name if view.job is not None and not view.job.ended else ""
    return [
        Sample("pgctl_lease_seconds_left", "Seconds left of this member's lease on the leader key, 0 if it has none",
               float(notice.lease.left(now))),
        Sample("pgctl_cycle_age_seconds", "Seconds since the last cycle ended", float(now - notice.cycle_done_at)),
        Sample("pgctl_look_age_seconds", "Seconds since the server was looked at", float(now - notice.looked_at)),
        Sample("pgctl_rule_info", "1; the label names the rule of the last cycle", 1,
               labels={"rule": decision.rule if decision else ""}),
        Sample("pgctl_rule_seconds", "Seconds since when that rule has held", float(now - notice.since)),
        Sample("pgctl_job_info", "1 while a long deed is under way, which the label names", bool(job),
               labels={"job": job}),
        Sample("pgctl_start_failures", "Deeds that failed in a row",
               decision.memory.start_failures if decision else 0),
        Sample("pgctl_store_readable", "1 if the store could be read lately",
               answers_status.known_cluster(notice, now) is not None),
    ]  # fmt: skip
