"""Whom a standby should follow or be cloned from, and the configuration that says so. Pure.

A standby keeps its upstream while nobody leads: the old primary may still be sending (ha.md WK12). In a standby cluster
the leader follows the remote primary, and the others cascade from it.
"""

from pgctl.agent.core import logical_slots, remote, slots, sync_upkeep
from pgctl.agent.core.view import View
from pgctl.model import addresses
from pgctl.model.conf import Conf, Upstream
from pgctl.model.member import Member, State, slot_name


def upstream_of(view: View, member: Member, *, slot: bool = True) -> Upstream | None:
    """`member` as a server to connect to; None when it has not published an address."""
    address = addresses.host_port(member.conn_url or "")
    if address is None:
        return None
    name = slot_name(view.me) if slot and slots.use_slots(view) else None
    return Upstream(member.name, address[0], address[1], name, view.host.database)


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
    """Whom to clone from: a running member tagged `clonefrom`, the one with most WAL first, else the leader.

    Where nobody leads a standby cluster, it is the remote; whoever copies it will lead, and uses its slot.
    """
    cluster = view.cluster
    if cluster is None:
        return None
    leader = cluster.leader_member
    if leader is None:
        return remote.upstream(view, slot=True) if cluster.leader is None else None
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


def rewind_source(view: View) -> Upstream | None:
    """Whom to rewind with: a primary, which in a standby cluster is the remote one (ha.md Y7)."""
    return remote.upstream(view) if remote.section(view) is not None else leader_upstream(view)


def leader_upstream(view: View) -> Upstream | None:
    """The leader as the server to compare with and to rewind from."""
    leader = view.cluster.leader_member if view.cluster else None
    return upstream_of(view, leader) if leader is not None and leader.name != view.me else None


def standby_conf(view: View) -> Conf:
    """The wanted configuration of a standby in this view."""
    upstream = None if view.host.tags.nostream else _upstream(view)
    names = "" if view.settings.synchronous else None
    conf = Conf(standby=True, upstream=upstream, sync_names=names, postgresql=view.settings.postgresql)
    return logical_slots.prepared(view, remote.dressed(view, conf), leader_upstream(view))


def _upstream(view: View) -> Upstream | None:
    """In a standby cluster its leader follows the remote; so does, without its slot, who knows nobody else (ha.md F2)."""
    leader = view.cluster.leader_name if view.cluster else None
    if leader == view.me and remote.section(view) is not None:
        return remote.upstream(view, slot=True)
    member = target(view)
    found = upstream_of(view, member) if member is not None else None
    kept = view.memory.conf
    if found is None and kept is not None and kept.standby:
        found = kept.upstream
    return remote.upstream(view) if found is None and leader is None else found


def primary_conf(view: View) -> Conf:
    """The wanted configuration of a server that takes writes."""
    conf = Conf(standby=False, sync_names=sync_upkeep.at_start(view), postgresql=view.settings.postgresql)
    return logical_slots.prepared(view, conf, None)
