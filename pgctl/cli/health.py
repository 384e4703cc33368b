"""What is wrong with a cluster, as far as its store tells, in sentences. Pure."""

from pgctl.cli import members
from pgctl.model import lsn as lsns
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member, Role, State
from pgctl.units import show_bytes

_LEADING = (Role.PRIMARY, Role.STANDBY_LEADER)


def problems(cluster: Cluster) -> tuple[str, ...]:
    """A sentence for each fault: no leader, a leader that does not run, a standby that does not follow, or is behind.

    Maintenance mode and pending restarts are no faults.
    """
    found = [*_leader(cluster)]
    found += [f"{name} is silent" for name in members.silent(cluster) if name != cluster.leader_name]
    for member in cluster.members:
        if member.name != cluster.leader_name:
            found += _standby(cluster, member)
    return tuple(found)


def _leader(cluster: Cluster) -> list[str]:
    if cluster.leader is None:
        return ["the cluster has no leader"]
    leader = cluster.leader_member
    if leader is None:
        return [f"{cluster.leader.name} holds the leader key and is silent"]
    if leader.state != State.RUNNING:
        return [f"the leader {leader.name} is {leader.state}"]
    if leader.role not in _LEADING:
        return [f"{leader.name} holds the leader key and runs as {leader.role or 'nothing known'}"]
    return []


def _standby(cluster: Cluster, member: Member) -> list[str]:
    if member.state != State.RUNNING:
        return [f"{member.name} is {member.state}"]
    if member.replication_state != "streaming" and not member.tags.nostream:
        return [f"{member.name} does not stream"]
    position = max(member.receive_lsn or 0, member.replay_lsn or 0) or member.xlog_location
    limit = cluster.settings.maximum_lag_on_failover
    behind = lsns.lag(cluster.status.optime, position) if position else 0
    if behind > limit:
        return [f"{member.name} is {show_bytes(behind)} behind, more than maximum_lag_on_failover ({show_bytes(limit)})"]
    return []
