"""Whom a standby should follow or be cloned from, and the configuration that says so. Pure.

A standby keeps its upstream while nobody leads: the old primary may still be sending (ha.md WK12).
"""

from pgctl.agent.core.view import View
from pgctl.model import addresses
from pgctl.model.conf import Conf, Upstream
from pgctl.model.member import Member, State, slot_name


def upstream_of(view: View, member: Member, *, slot: bool = True) -> Upstream | None:
    """`member` as a server to connect to; None when it has not published an address."""
    address = addresses.host_port(member.conn_url or "")
    if address is None:
        return None
    name = slot_name(view.me) if slot and use_slots(view) else None
    return Upstream(member.name, address[0], address[1], name, view.host.database)


def use_slots(view: View) -> bool:
    return view.settings.postgresql.get("use_slots", True) is not False


def target(view: View) -> Member | None:
    """The member to follow: the one named by `replicatefrom` while it runs, else the leader (ha.md F1 to F5, WK47)."""
    cluster = view.cluster
    if cluster is None or view.host.tags.nostream:
        return None
    wanted = view.host.tags.replicatefrom
    cascade = cluster.member(wanted) if wanted and wanted != view.me else None
    if cascade is not None and cascade.state == State.RUNNING:
        return cascade
    leader = cluster.leader_member
    return leader if leader is not None and leader.name != view.me else None


def source(view: View) -> Upstream | None:
    """Whom to clone from: a running member tagged `clonefrom`, the one with most WAL first, else the leader."""
    cluster = view.cluster
    if cluster is None:
        return None
    leader = cluster.leader_member
    if leader is None:
        return None
    from_leader = view.order is not None and getattr(view.order, "from_leader", False)
    tagged = [
        member
        for member in cluster.members
        if member.tags.clonefrom and member.state == State.RUNNING and member.name not in (view.me, leader.name)
    ]
    tagged.sort(key=lambda member: (-(member.xlog_location or 0), member.name))
    for member in [] if from_leader else tagged:
        found = upstream_of(view, member, slot=False)
        if found is not None:
            return found
    return upstream_of(view, leader, slot=False)


def leader_upstream(view: View) -> Upstream | None:
    """The leader as the server to compare with and to rewind from."""
    leader = view.cluster.leader_member if view.cluster else None
    return upstream_of(view, leader) if leader is not None and leader.name != view.me else None


def standby_conf(view: View) -> Conf:
    """The wanted configuration of a standby in this view."""
    member = target(view)
    upstream = upstream_of(view, member) if member is not None else None
    kept = view.memory.conf
    if upstream is None and not view.host.tags.nostream and kept is not None and kept.standby:
        upstream = kept.upstream
    return Conf(standby=True, upstream=upstream, postgresql=view.settings.postgresql)


def primary_conf(view: View) -> Conf:
    return Conf(standby=False, postgresql=view.settings.postgresql)
