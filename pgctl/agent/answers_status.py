"""Documents about this member: the status body that peers and health checks read, and `explain`. Pure.

Source: rest.md 5. Ours beside it: the key `pgctl`, by which a peer knows how fresh the answer is, and `GET /explain`.
"""

import pgctl
from pgctl.agent.board import Notice
from pgctl.agent.core import because, report
from pgctl.agent.core.rules.tables import SENTENCES
from pgctl.agent.core.view import Decision, View
from pgctl.model import codec_member, events
from pgctl.model.cluster import Cluster
from pgctl.model.member import Role
from pgctl.model.server import Phase, ServerState, WalSender
from pgctl.model.settings import SyncMode
from pgctl.rest.schema import COMPATIBLE_VERSION
from pgctl.units import Instant

UNKNOWN = "unknown"


def known_cluster(notice: Notice, now: Instant) -> Cluster | None:
    """The DCS view: what the last read found; None when that read failed or is older than the TTL."""
    cluster, read_at = notice.view.cluster, notice.cluster_at
    if cluster is None or read_at is None or now - read_at > notice.view.settings.ttl:
        return None
    return cluster


def fresh(notice: Notice, now: Instant) -> bool:
    """The look at the server is not older than two TTLs.

    The loop looks more often, even while every reading of the store takes all the time it may; an older look comes
    from a loop that is stuck, and proves nothing.
    """
    return now - notice.looked_at <= 2 * notice.view.settings.ttl


def answering(server: ServerState) -> bool:
    """A query worked at the last look."""
    return server.phase in (Phase.PRIMARY, Phase.STANDBY)


def role(notice: Notice, now: Instant) -> str:
    """`primary` or `replica` by recovery, `standby_leader` for a standby cluster's leader; else the managed role."""
    view = notice.view
    if view.server.phase is Phase.PRIMARY:
        return Role.PRIMARY
    if view.server.phase is not Phase.STANDBY:
        return report.role(view)
    leads = notice.lease.left(now) > 0 or (notice.cluster is not None and notice.cluster.leader_name == view.me)
    return Role.STANDBY_LEADER if leads and view.settings.standby_cluster is not None else Role.REPLICA


def state(notice: Notice, now: Instant) -> str:
    """The state text; `unknown` when the server is believed to run and could not be asked, or not lately."""
    if notice.view.server.phase is Phase.HUNG or not fresh(notice, now):
        return UNKNOWN
    return report.state(notice.view)


def status(notice: Notice, now: Instant) -> dict[str, object]:
    """The body of `/patroni` and of every health check."""
    view, server = notice.view, notice.view.server
    body: dict[str, object] = {"state": state(notice, now), "role": role(notice, now)}
    if answering(server):
        body |= _server(server)
    body |= _cluster(notice, now)
    if view.host.tags.published:
        body["tags"] = dict(view.host.tags.published)
    if server.system_identifier:
        body["database_system_identifier"] = server.system_identifier
    if server.pending_restart:
        body["pending_restart"] = True
        body["pending_restart_reason"] = {
            change.name: {"old_value": change.old, "new_value": change.new} for change in server.pending_restart
        }
    body["patroni"] = {"version": COMPATIBLE_VERSION, "scope": notice.scope, "name": view.me}
    restart = codec_member.write_restart(view.host.scheduled_restart)
    if restart is not None:
        body["scheduled_restart"] = {key: value for key, value in restart.items() if key != "postmaster_start_time"}
    body["pgctl"] = {
        "version": pgctl.__version__,
        "looked_age_s": round(max(0.0, now - notice.looked_at), 3),
        "rule": notice.decision.rule if notice.decision else None,
    }
    return body


def _server(server: ServerState) -> dict[str, object]:
    """The part that needs a working query. A standby that has received nothing shows its replayed position."""
    started = server.postmaster.start_time if server.postmaster else None
    body: dict[str, object] = {} if started is None else {"postmaster_start_time": started}
    body["server_version"] = server.version
    if server.phase is Phase.PRIMARY:
        body["xlog"] = {"location": server.lsn or 0}
    else:
        body["xlog"] = {
            "received_location": server.receive_lsn or server.replay_lsn,
            "replayed_location": server.replay_lsn,
            "replayed_timestamp": server.replay_timestamp,
            "paused": server.replay_paused,
        }
    body["timeline"] = server.timeline
    if server.phase is Phase.STANDBY and server.replication_state:
        body["replication_state"] = server.replication_state
    if server.senders:
        body["replication"] = [_sender(sender) for sender in server.senders]
    return body


def _sender(sender: WalSender) -> dict[str, object]:
    return {
        "usename": sender.usename,
        "application_name": sender.application_name,
        "client_addr": sender.client_addr,
        "state": sender.state,
        "sync_state": sender.sync_state,
        "sync_priority": sender.sync_priority,
    }


def _cluster(notice: Notice, now: Instant) -> dict[str, object]:
    """What the DCS view adds. `dcs_last_seen` is calendar time: 0 before the first reading."""
    view, cluster = notice.view, known_cluster(notice, now)
    body: dict[str, object] = {}
    listed = cluster is not None and cluster.sync.active and cluster.sync.is_standby(view.me)
    if listed and view.server.phase is Phase.STANDBY and view.settings.synchronous:
        quorum = view.settings.synchronous_mode is SyncMode.QUORUM
        body["quorum_standby" if quorum else "sync_standby"] = True
    if view.settings.pause:
        body["pause"] = True
    if cluster is None or cluster.leader is None:
        body["cluster_unlocked"] = True
    if view.host.watchdog_fault:
        body["watchdog_failed"] = True
    if failsafe_active(notice, now):
        body["failsafe_mode_is_active"] = True
    body["dcs_last_seen"] = int(notice.cluster_wall or 0)
    return body


def failsafe_active(notice: Notice, now: Instant) -> bool:
    """This member leads without the store, or has promised such a leader not to stand."""
    promise = notice.promise
    promised = promise is not None and promise.ping is not None and now < promise.until
    return promised or (notice.lease.failsafe and notice.lease.left(now) > 0)


def explain(notice: Notice, now: Instant) -> dict[str, object]:
    """Why this member does what it does: the last rule, what made it hold, and what was passed over before it."""
    view, decision = notice.view, notice.decision
    waited = view.memory.leaderless_since
    return {
        "name": view.me,
        "scope": notice.scope,
        "role": role(notice, now),
        "state": state(notice, now),
        "rule": decision.rule if decision else None,
        "sentence": decision.sentence if decision else "no cycle has ended yet",
        "reason": decision.reason if decision else "",
        "facts": list(decision.facts) if decision else [],
        "passed_over": _passed_over(notice.decided or view, decision) if decision else [],
        "since_s": round(max(0.0, now - notice.since), 3),
        "cycle_age_s": round(max(0.0, now - notice.cycle_done_at), 3),
        "looked_age_s": round(max(0.0, now - notice.looked_at), 3),
        "next_look_s": round(max(0.0, decision.wake_at - now), 3) if decision else None,
        "job": _job(notice, now),
        "lease_left_s": round(notice.lease.left(now), 3),
        "failsafe": failsafe_active(notice, now),
        "leader": notice.cluster.leader_name if notice.cluster else None,
        "former_leader": view.memory.former_leader,
        "leaderless_s": None if waited is None else round(max(0.0, now - waited), 3),
        "cut": view.cut,
        "server": str(view.server.phase),
        "problem": report.problem(view),
        "last_failure": decision.memory.last_failure if decision else "",
        "timeline": view.server.timeline,
        "pause": view.settings.pause,
        "deeds": [events.to_mapping(deed) for deed in view.memory.deeds],
    }


def _passed_over(view: View, decision: Decision) -> list[dict[str, str]]:
    """The rules that were tried before, and why each did not hold."""
    return [{"rule": rule, "sentence": SENTENCES.get(rule, ""), "failed": fact, "because": because.failed(view, fact)}
            for rule, fact in decision.passed_over]


def _job(notice: Notice, now: Instant) -> dict[str, object] | None:
    job = notice.view.job
    if job is None:
        return None
    return {
        "name": job.job.name,
        "rule": job.job.rule,
        "for_s": round(max(0.0, now - job.started), 3),
        "progress": job.message,
        "ended": job.ended,
        "ok": job.ok,
    }
