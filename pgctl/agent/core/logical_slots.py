"""Permanent logical slots: how each comes to a standby, how far it is moved there, and whether it may be relied upon. Pure.

Law. A standby's logical slot is never moved past what the standby has replayed (INV30), nor past what its consumer has
confirmed to the leader: behind that a consumer could ask for changes that the slot no longer gives.

PostgreSQL 17 and later have failover slots: the server of a standby keeps them in step itself, and this agent only sees
that it can (`prepared`). Where the server cannot, for it follows another standby, or was told not to, or the leader's slot
is of another kind (a subscription may insist, a leader of another make may not know better), and on 16, a standby makes one
of its own, which begins at the standby's present and is good once the consumer has come so far. Up to 15 only a slot's file
can be copied, while the standby is down: with every start, and where one is missing, by a restart.

When is a copied slot good? The leader must not have removed catalog rows that it needs. Let L be the catalog_xmin of the
leader's own slot, P that of the leader's physical slot through which this standby streams with feedback, S that of the
copy. Rows from L on are there while the slot is; rows from P on while the standby is. Once L ≤ P ≤ S was seen, nothing
from S on has been removed, and nothing will be (ha.md O31).
"""

from collections.abc import Mapping
from dataclasses import replace

from pgctl.agent.core import slots
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import View
from pgctl.model.conf import Conf, LogicalFound, LogicalPlan, SlotWanted, Upstream
from pgctl.model.logical import Means, failover_slots, means_of
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, State, slot_name
from pgctl.model.server import Phase, Slot

COPY_AGAIN_AFTER = 300.0
"""Seconds between two restarts for the sake of a slot, whether or not they brought it."""


def means(view: View) -> Means:
    """How a permanent logical slot comes to this standby."""
    return means_of(view.server.version, own=not _switched_off(view) and cascade(view) is None)


def _switched_off(view: View) -> bool:
    """The operator has told PostgreSQL not to synchronize slots."""
    parameters = view.settings.postgresql.get("parameters")
    given = parameters.get("sync_replication_slots") if isinstance(parameters, Mapping) else None
    return str(given).lower() in ("off", "false", "no", "0")


def cascade(view: View) -> Member | None:
    """The running member that I stream from instead of the leader."""
    above = view.host.tags.replicatefrom
    found = view.cluster.member(above) if view.cluster and above and above != view.me else None
    leader = view.cluster.leader_name if view.cluster else None
    return found if found is not None and found.state == State.RUNNING and found.name != leader else None


def wanted(view: View) -> dict[str, SlotWanted]:
    """The permanent logical slots that belong on this member, by name."""
    if not slots.use_slots(view) or not slots.keeps_logical(view):
        return {}
    taken = slots.owners(view)
    failover = failover_slots(view.server.version) and not _switched_off(view)
    return {
        name: replace(slot, failover=failover)
        for name, slot in slots.permanent(view).items()
        if slot.type == slots.LOGICAL and name not in taken
    }


def plan(view: View, leader: Upstream | None) -> LogicalPlan:
    """What is to be done about them now; empty when there is nothing, or nobody leads."""
    cluster = view.cluster
    if cluster is None or cluster.config is None or cluster.leader is None:
        return LogicalPlan()
    if view.server.phase is Phase.PRIMARY:
        return _on_primary(view)
    if view.server.phase is not Phase.STANDBY or leader is None:
        return LogicalPlan()
    how, have, want = means(view), {slot.name: slot for slot in view.server.slots}, wanted(view)
    known = view.logical or LogicalFound()
    own = how is Means.CREATED
    create = tuple(
        replace(slot, failover=False)
        for name, slot in want.items()
        if (own or (how is Means.SYNCHRONIZED and name in known.plain)) and name not in have and name in cluster.status.slots
    )
    advance = tuple(
        (want[name], at) for name, slot in have.items() if name in want and (at := _goal(view, slot)) is not None
    )
    ask = tuple(name for name in want if how is Means.COPIED and name in have and name not in view.memory.ready_slots)
    look, sort = _missing(view), _unsorted(view, want) if how is Means.SYNCHRONIZED else ()
    asked = leader if create or ask or look or sort else None
    return LogicalPlan(create, advance, (), (*ask, feeder(view)) if ask else (), look, sort, asked)


def _unsorted(view: View, want: Mapping[str, SlotWanted]) -> tuple[str, ...]:
    """Slots that PostgreSQL does not keep in step here, or not yet: perhaps they are no failover slots on the leader."""
    kept = {slot.name for slot in view.server.slots if slot.synced or slot.temporary}
    told = view.cluster.status.slots if view.cluster else {}
    return tuple(name for name in want if name in told and name not in kept)


def _on_primary(view: View) -> LogicalPlan:
    want, have = wanted(view), {slot.name: slot for slot in view.server.slots}
    create = tuple(slot for name, slot in want.items() if name not in have)
    plain = tuple(
        name
        for name, slot in have.items()
        if name in want and want[name].failover and slot.type == slots.LOGICAL
        and not (slot.failover or slot.active or slots.ignored(view, slot))
    )
    return LogicalPlan(create, (), plain)


def _goal(view: View, slot: Slot) -> Lsn | None:
    """Where a slot of ours on a standby is to be moved; None when it is there, or is not ours to move."""
    servers = slot.synced or slot.failover or slot.temporary
    mine = slot.type == slots.LOGICAL and not (servers or slot.active or slots.ignored(view, slot))
    told = view.cluster.status.slots.get(slot.name, 0) if view.cluster else 0
    goal = Lsn(min(told, view.server.replay_lsn or 0))
    mine = mine and not broken(view, slot)
    return goal if mine and slot.confirmed_flush_lsn is not None and goal > slot.confirmed_flush_lsn else None


def broken(view: View, slot: Slot) -> bool:
    """Whether this slot was found to be beyond use: its WAL is gone, or the server gave it up."""
    return view.logical is not None and (slot.name, slot.confirmed_flush_lsn) in view.logical.broken


def feeder(view: View) -> str:
    """The leader's physical slot through which my feedback reaches it: mine, or that of the standby I stream from."""
    above = cascade(view)
    return slot_name(above.name if above is not None else view.me)


# --- readiness ------------------------------------------------------------------------------------------------------


def ready(view: View, slot: Slot) -> bool:
    """Whether the consumer of this slot would miss nothing, were I promoted now."""
    if slot.wal_status == "lost" or slot.temporary:
        return False
    if slot.synced:
        return True
    if means_of(view.server.version, own=False) is Means.COPIED:
        return slot.name in view.memory.ready_slots
    told = view.cluster.status.slots.get(slot.name) if view.cluster else None
    return told is not None and (slot.confirmed_flush_lsn or 0) <= told


def unready(view: View) -> tuple[str, ...]:
    """Permanent logical slots that a promotion of mine would break: those the cluster had, and I have not, or not yet."""
    if view.server.phase is not Phase.STANDBY or view.cluster is None:
        return ()
    have = {slot.name: slot for slot in view.server.slots}
    told = view.cluster.status.slots
    return tuple(name for name in wanted(view) if name in told and not (name in have and ready(view, have[name])))


def warning(view: View) -> tuple[str, ...]:
    """A sentence for a promotion (O33)."""
    names = unready(view)
    return (f"logical slots {', '.join(names)} are not ready here: their consumers may miss changes",) if names else ()


def seen(view: View, memory: Memory) -> Memory:
    """The memory with the copied slots that were found good by the law above; one that is gone is forgotten.

    A new leader's catalogs are protected by what streams from it: its own slots are compared anew.
    """
    if view.server.phase not in (Phase.STANDBY, Phase.PRIMARY):
        return memory
    have = {slot.name: slot for slot in view.server.slots if slot.type == slots.LOGICAL}
    leader = view.cluster.leader_name if view.cluster else None
    kept = memory.ready_slots if leader in (None, view.memory.former_leader) else ()
    xmins = dict(view.logical.xmins) if view.logical is not None else {}
    physical = xmins.get(feeder(view))
    good = [
        name
        for name, slot in have.items()
        if name in kept or _protected(xmins.get(name), physical, slot.catalog_xmin)
    ]
    return replace(memory, ready_slots=tuple(sorted(good)))


def _protected(leaders: int | None, feeding: int | None, own: int | None) -> bool:
    """L ≤ P ≤ S, each known. Transaction numbers wrap around: they are compared by their distance."""
    return None not in (leaders, feeding, own) and _up_to(leaders, feeding) and _up_to(feeding, own)


def _up_to(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and (other - one) % 2**32 < 2**31


# --- what the server needs ------------------------------------------------------------------------------------------


def to_copy(view: View) -> tuple[str, ...]:
    """Slots that are missing on a running standby, can only be copied, and would come with a restart now."""
    found = view.logical.copyable if view.logical is not None else ()
    return tuple(name for name in _missing(view) if name in found)


def _missing(view: View) -> tuple[str, ...]:
    cluster = view.cluster
    if cluster is None or view.server.phase is not Phase.STANDBY or means(view) is not Means.COPIED:
        return ()
    if view.now < view.memory.copy_slots_at or view.server.replication_state != "streaming":
        return ()
    have = {slot.name for slot in view.server.slots}
    return tuple(name for name in wanted(view) if name not in have and name in cluster.status.slots)


def prepared(view: View, conf: Conf, leader: Upstream | None) -> Conf:
    """`conf` with what logical slots ask of the server: feedback, synchronization, whom consumers must wait for (O32)."""
    logical = [slot for slot in slots.permanent(view).values() if slot.type == slots.LOGICAL]
    if not logical or not slots.use_slots(view) or view.settings.standby_cluster is not None:
        return conf
    own = failover_slots(view.server.version) and not _switched_off(view)
    if not conf.standby:
        return replace(conf, confirm_slots=_confirming(view) if own else ())
    kept = view.memory.conf
    if kept is not None and kept.standby and view.cluster is not None and view.cluster.leader is None:
        # In a race nothing is known that would be better, and nothing may cost time.
        return replace(conf, hot_standby_feedback=kept.hot_standby_feedback, sync_slots=kept.sync_slots,
                       copy_slots=kept.copy_slots, leader=kept.leader)
    mine = slots.keeps_logical(view)
    members = view.cluster.members if view.cluster else ()
    feeds = any(member.tags.replicatefrom == view.me for member in members)
    return replace(
        conf,
        hot_standby_feedback=mine or feeds or conf.hot_standby_feedback,
        sync_slots=mine and own and cascade(view) is None,
        copy_slots=tuple(sorted(wanted(view))) if mine else (),
        leader=leader if mine else None,
    )


def _confirming(view: View) -> tuple[str, ...]:
    """Slots of the standbys that stream from me and may succeed me: no consumer may be ahead of these."""
    streaming = {slot.name for slot in view.server.slots if slot.active and slot.type == slots.PHYSICAL}
    able = [slot_name(member.name) for member in slots.streaming(view) if not member.tags.nofailover]
    return tuple(sorted(name for name in able if name in streaming))
