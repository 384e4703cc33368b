"""The steps from the replication slots that exist here to those wanted. Pure. Source: ha.md 5, O20 to O27.

Law. Nothing is dropped in pause, or if `ignore_slots` matches it, or while it is in use, or if it is wanted and sound. No
slot is moved past what this server has replayed, or backwards.

A physical slot holds back the removal of WAL, and that is all it is for. Where its member streams, PostgreSQL moves it.
Everywhere else nobody would, and it would hold WAL until the disk is full: so it is moved to where the member is known
to be, by what the leader says in `/status` or, for one that cascades, by what the member says itself. Of the latter only
what it has replayed counts, where it says so: what it has merely written it may lose in a crash, and need again.

A slot that nobody streams through and that holds an xmin, from the time when somebody did, would hold back vacuum for
ever: it is made anew without one.
"""

from collections.abc import Iterator
from enum import StrEnum

from pgctl.agent.core import logical_slots, slots
from pgctl.agent.core.view import View
from pgctl.model.conf import SlotPlan, SlotWanted
from pgctl.model.logical import Means
from pgctl.model.lsn import Lsn
from pgctl.model.member import slot_name
from pgctl.model.server import Phase, Slot

UP = (Phase.PRIMARY, Phase.STANDBY)


class Step(StrEnum):
    """What is to be done with a slot that exists."""

    KEEP = "keep"
    DROP = "drop"
    RENEW = "drop and create"


def plan(view: View, *, leading: bool) -> SlotPlan:
    """Empty when there is nothing to do, and when it is not known what is wanted."""
    if view.server.phase not in UP or view.cluster is None or view.cluster.config is None:
        return SlotPlan()
    want = slots.wanted(view, leading=leading)
    have = {slot.name: slot for slot in view.server.slots}
    steps = {name: step(view, slot, want.get(name), leading=leading) for name, slot in have.items()}
    gone = tuple(name for name, what in steps.items() if what is not Step.KEEP)
    create = tuple(
        slot for name, slot in want.items() if (name not in have or steps[name] is Step.RENEW) and _possible(slot)
    )
    advance = tuple(
        (name, goal)
        for name, slot in have.items()
        if name in want and steps[name] is Step.KEEP and (goal := _goal(view, slot, leading=leading)) is not None
    )
    return SlotPlan(gone, create, advance, tuple(_notes(view, want, gone)))


def step(view: View, slot: Slot, want: SlotWanted | None, *, leading: bool) -> Step:
    """What is to be done with one slot."""
    if view.settings.pause or slot.active or slot.temporary or slots.ignored(view, slot) or _servers_own(view, slot):
        return Step.KEEP
    if want is None:
        return Step.KEEP if slot.name in slots.unusable(view) else Step.DROP
    if differs(slot, want) or slot.wal_status == "lost" or logical_slots.broken(view, slot) or _in_the_way(view, slot):
        return Step.RENEW
    if slot.type == slots.PHYSICAL and not _expected_active(view, slot.name, leading=leading):
        frozen = slot.has_xmin and (leading_elsewhere(view) or view.server.phase is Phase.PRIMARY)
        return Step.RENEW if frozen or slot.restart_lsn is None else Step.KEEP
    return Step.KEEP


def differs(slot: Slot, want: SlotWanted) -> bool:
    """Whether a slot of the right name is another one."""
    return (slot.type, slot.database, slot.plugin) != (want.type, want.database, want.plugin)


def leading_elsewhere(view: View) -> bool:
    return view.cluster is not None and view.cluster.leader is not None and view.cluster.leader_name != view.me


def _servers_own(view: View, slot: Slot) -> bool:
    """A failover slot is the server's and the operator's (O22), but for one in the way of the server itself (O21)."""
    return slot.failover and not _in_the_way(view, slot)


def _in_the_way(view: View, slot: Slot) -> bool:
    """On a standby whose server keeps failover slots in step: one of my own time as primary, or made by this agent."""
    standby = view.server.phase is Phase.STANDBY and leading_elsewhere(view)
    own = slot.type == slots.LOGICAL and not (slot.synced or slot.temporary)
    if not (standby and own and logical_slots.means(view) is Means.SYNCHRONIZED):
        return False
    marked = view.logical is not None and slot.name in view.logical.marked
    return slot.failover or (marked and slot.name in logical_slots.wanted(view))


def _possible(want: SlotWanted) -> bool:
    """Logical ones are made beside the cycle: it can take long."""
    return want.type == slots.PHYSICAL


def _expected_active(view: View, name: str, *, leading: bool) -> bool:
    member = slots.owners(view).get(name)
    return member is not None and slots.expected_active(view, member, leading=leading)


def _goal(view: View, slot: Slot, *, leading: bool) -> Lsn | None:
    """Where a physical slot that nobody streams through is to be moved; None when it is there, or is not ours to move."""
    if slot.type != slots.PHYSICAL or slot.active or slot.temporary or slot.restart_lsn is None:
        return None
    if slots.ignored(view, slot) or _expected_active(view, slot.name, leading=leading):
        return None
    goal = min(known_position(view, slot.name), own_position(view))
    return goal if goal > slot.restart_lsn else None


def known_position(view: View, name: str) -> Lsn:
    """How far the owner of a slot is known to be (O5, O7); 0 when nothing is known."""
    told = view.cluster.status.slots.get(name, 0) if view.cluster else 0
    member = slots.owners(view).get(name)
    if member is not None and member.tags.replicatefrom:
        told = max(told, member.replay_lsn or member.xlog_location or 0)
    return Lsn(told)


def own_position(view: View) -> Lsn:
    """What this server has: flushed by a primary, replayed by a standby; 0 when it is not known."""
    server = view.server
    return Lsn((server.lsn if server.phase is Phase.PRIMARY else server.replay_lsn) or 0)


def _notes(view: View, want: dict[str, SlotWanted], gone: tuple[str, ...]) -> Iterator[str]:
    """What a person should know, a sentence each, the same as long as it holds."""
    by_slot: dict[str, list[str]] = {}
    for member in slots.streaming(view):
        by_slot.setdefault(slot_name(member.name), []).append(member.name)
    for name, members in by_slot.items():
        if len(members) > 1:
            yield f"members {' and '.join(members)} have one slot name, {name}: rename all but one of them"
    for name, permanent in slots.permanent(view).items():
        if name in by_slot and permanent.type == slots.LOGICAL:
            yield f"permanent slot {name} has the name of a member's slot: it is not kept, give it another name"
    for name in slots.unusable(view):
        yield f"permanent slot {name} is not kept: its type must be physical, or logical with database and plugin"
    for slot in view.server.slots:
        if slot.name in gone and slot.name not in want:
            yield (f"replication slot {slot.name} belongs to no member and no setting: it is dropped; "
                   "to keep such a slot, name it in slots or ignore_slots")
        kept = slots.ignored(view, slot) or slot.temporary or _servers_own(view, slot) or view.settings.pause
        if slot.active and not kept and (slot.name not in want or differs(slot, want[slot.name])):
            yield f"replication slot {slot.name} is in use and belongs to no member and no setting: it is left alone"
