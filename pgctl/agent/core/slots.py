"""Replication slots wanted, and the steps from those that exist. Pure. Source: ha.md 5.

The leader keeps a physical slot for every other member, and for those gone less than member_slots_ttl. It names its own
among them in `/status`: should it be lost, its successor keeps a slot for its return. A standby keeps one for every
member that cascades from it. Permanent slots of the operator are kept on the leader; slots that
`ignore_slots` matches are never touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pgctl.agent.core.view import View
from pgctl.model.conf import SlotPlan, SlotWanted
from pgctl.model.member import Member, slot_name
from pgctl.model.server import Phase, Slot
from pgctl.units import Instant


@dataclass(frozen=True, slots=True)
class Retained:
    """Member slots by when their member was last registered, oldest name first; `names` are those to retain."""

    seen: tuple[tuple[str, Instant], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.seen)


def retained(view: View) -> Retained:
    """Slots of present members, me among them, and of those that vanished less than member_slots_ttl ago."""
    cluster = view.cluster
    present = {slot_name(member.name): view.now for member in _streaming(view)}
    before = dict(view.memory.slots_seen)
    inherited = {name: view.now for name in cluster.status.retain_slots if name not in before} if cluster else {}
    merged = {**inherited, **before, **present}
    keep = view.settings.member_slots_ttl
    return Retained(tuple(sorted((name, at) for name, at in merged.items() if view.now - at <= keep)))


def _streaming(view: View) -> list[Member]:
    members = view.cluster.members if view.cluster else ()
    return [member for member in members if not member.tags.nostream]


def wanted(view: View, *, leading: bool) -> tuple[SlotWanted, ...]:
    """The slots that should exist here."""
    if view.settings.postgresql.get("use_slots", True) is False:
        return ()
    own = slot_name(view.me)
    if not leading:
        mine = [member for member in _streaming(view) if member.tags.replicatefrom == view.me != member.name]
        return tuple(SlotWanted(slot_name(member.name)) for member in mine)
    member_slots = tuple(SlotWanted(name) for name in retained(view).names if name != own)
    permanent = tuple(filter(None, (permanent_slot(*item) for item in view.settings.slots.items())))
    taken = {own, *(slot.name for slot in member_slots)}
    return member_slots + tuple(slot for slot in permanent if slot.name not in taken)


def permanent_slot(name: str, definition: object) -> SlotWanted | None:
    """A slot from the `slots` setting; None when it is for standby clusters only, or its definition is unusable."""
    document = definition if isinstance(definition, Mapping) else {}
    if document.get("cluster_type") == "standby":
        return None
    database, plugin = document.get("database"), document.get("plugin")
    kind = document.get("type") or ("logical" if database and plugin else "physical")
    if kind == "logical":
        return SlotWanted(name, "logical", str(database), str(plugin)) if database and plugin else None
    return SlotWanted(name)


def ignored(view: View, slot: Slot) -> bool:
    """Whether a matcher of `ignore_slots` covers this slot: all the attributes that it gives are equal."""
    own = {"name": slot.name, "type": slot.type, "database": slot.database, "plugin": slot.plugin}
    return any(
        matcher and all(own.get(key) == value for key, value in matcher.items() if key in own)
        for matcher in view.settings.ignore_slots
    )


def plan(view: View, *, leading: bool) -> SlotPlan:
    """Steps from the slots that exist to those wanted; empty when there is nothing to do."""
    if view.server.phase not in (Phase.PRIMARY, Phase.STANDBY):
        return SlotPlan()
    want = {slot.name: slot for slot in wanted(view, leading=leading)}
    have = {slot.name: slot for slot in view.server.slots}
    drop = tuple(
        slot.name
        for slot in view.server.slots
        if not (slot.active or slot.temporary or slot.failover or view.settings.pause or ignored(view, slot))
        and (slot.name not in want or slot.type != want[slot.name].type or slot.wal_status == "lost")
    )
    create = tuple(
        slot
        for name, slot in want.items()
        if (name not in have or name in drop) and (slot.type == "physical" or view.server.phase is Phase.PRIMARY)
    )
    return SlotPlan(drop, create)


def positions(view: View) -> dict[str, int]:
    """Slot name → position for `/status`: logical ones by confirmed flush, physical by restart; my own by my LSN."""
    found = {
        slot.name: int(position)
        for slot in view.server.slots
        if not slot.temporary and (position := slot.confirmed_flush_lsn or slot.restart_lsn)
    }
    if view.server.lsn:
        found[slot_name(view.me)] = int(view.server.lsn)
    return found
