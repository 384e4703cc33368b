"""The cluster as one document: what `GET /cluster` answers, and what the command line shows as JSON. Pure.

Source: rest.md 6.
"""

from pgctl.model import addresses, codec_member
from pgctl.model import lsn as lsns
from pgctl.model.cluster import Cluster
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member
from pgctl.model.settings import SyncMode


def cluster(reading: Cluster) -> dict[str, object]:
    """Members by name, with roles derived from the leader key and `/sync`, and lag in bytes behind `status.optime`."""
    members = sorted(reading.members, key=lambda member: member.name)
    document: dict[str, object] = {
        "members": [_member(reading, member) for member in members],
        "scope": reading.scope,
    }
    if reading.settings.pause:
        document["pause"] = True
    intent = reading.intent
    if intent is not None and intent.scheduled_at is not None:
        wish = {"at": intent.scheduled_at.isoformat(), "from": intent.leader, "to": intent.candidate}
        document["scheduled_switchover"] = {key: value for key, value in wish.items() if value}
    return document


def role(reading: Cluster, name: str) -> str:
    """`leader`, `standby_leader`, `sync_standby`, `quorum_standby` or `replica`: never the member's own word."""
    if name == reading.leader_name:
        return "standby_leader" if reading.settings.standby_cluster is not None else "leader"
    if reading.settings.synchronous and reading.sync.active and reading.sync.is_standby(name):
        return "quorum_standby" if reading.settings.synchronous_mode is SyncMode.QUORUM else "sync_standby"
    return "replica"


def _member(reading: Cluster, member: Member) -> dict[str, object]:
    derived = role(reading, member.name)
    state = member.state if derived == "leader" else member.replication_state or member.state
    document: dict[str, object] = {
        "name": member.name,
        "role": derived,
        "state": "" if state == "unknown" else state,
        "api_url": member.api_url,
    }
    place = addresses.host_port(member.conn_url) if member.conn_url else None
    if place is not None:
        document |= {"host": place[0], "port": place[1]}
    stored = codec_member.to_mapping(member)
    copied = ("timeline", "pending_restart", "pending_restart_reason", "scheduled_restart", "tags")
    document |= {key: stored[key] for key in copied if key in stored}
    if member.name != reading.leader_name:
        optime = reading.status.optime
        document |= _position("receive_", member.receive_lsn, optime)
        document |= _position("replay_", member.replay_lsn, optime)
        document |= _position("", member.xlog_location, optime)
    return document


def _position(prefix: str, at: Lsn | None, optime: Lsn) -> dict[str, object]:
    """`lsn` and `lag`; both `unknown` for a position that is missing or zero."""
    shown: tuple[object, object] = (lsns.show(at), lsns.lag(optime, at)) if at else ("unknown", "unknown")
    return {f"{prefix}lsn": shown[0], f"{prefix}lag": shown[1]}
