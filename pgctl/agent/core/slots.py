"""Replication slots wanted on this member, and what is said of them in `/status`. Pure. Source: ha.md 5.

Every member keeps a physical slot for every other one, so that whoever leads next still has the WAL that the others lack;
one tagged nofailover keeps those of its own followers alone. Members gone less than member_slots_ttl ago keep theirs: the
leader names them, and itself, in `/status`. Permanent slots of the operator are kept everywhere; what `ignore_slots`
matches is never touched. The steps from the slots that exist to these are `slot_plan`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pgctl.agent.core.view import View
from pgctl.model.conf import SlotWanted
from pgctl.model.member import Member, State, slot_name
from pgctl.model.server import Slot
from pgctl.units import Instant

PHYSICAL, LOGICAL = "physical", "logical"


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
    present = {slot_name(member.name): view.now for member in streaming(view)}
    before = dict(view.memory.slots_seen)
    inherited = {name: view.now for name in cluster.status.retain_slots if name not in before} if cluster else {}
    merged = {**inherited, **before, **present}
    keep = view.settings.member_slots_ttl
    return Retained(tuple(sorted((name, at) for name, at in merged.items() if view.now - at <= keep)))


def streaming(view: View) -> tuple[Member, ...]:
    """Members that receive WAL by streaming, by name."""
    members = view.cluster.members if view.cluster else ()
    return tuple(sorted((member for member in members if not member.tags.nostream), key=lambda member: member.name))


def owners(view: View) -> Mapping[str, Member]:
    """Slot name → the member that streams through it. Of members whose names give one slot the first by name has it."""
    return {slot_name(member.name): member for member in reversed(streaming(view))}


def expected_active(view: View, member: Member, *, leading: bool) -> bool:
    """Whether `member` should be streaming from me (O3), by its tag and by what becomes of a dead upstream (WK47)."""
    upstream = member.tags.replicatefrom
    if not leading:
        leader = view.cluster.leader_name if view.cluster else None
        return upstream == view.me and member.name != leader
    through = view.cluster.member(upstream) if view.cluster and upstream not in (None, view.me, member.name) else None
    return through is None or through.state != State.RUNNING


def use_slots(view: View) -> bool:
    return view.settings.postgresql.get("use_slots", True) is not False


def wanted(view: View, *, leading: bool) -> dict[str, SlotWanted]:
    """The slots that should exist here, by name. A member's slot comes before a permanent one of its name."""
    if not use_slots(view):
        return {}
    names = _for_members(view, leading=leading)
    found = {name: SlotWanted(name) for name in sorted(names - {slot_name(view.me)})}
    for name, slot in permanent(view).items():
        if slot.type == PHYSICAL or keeps_logical(view):
            found.setdefault(name, slot)
    return found


def _for_members(view: View, *, leading: bool) -> set[str]:
    followers = {name for name, member in owners(view).items() if expected_active(view, member, leading=leading)}
    if not view.settings.member_slots_ttl or (view.host.tags.nofailover and not leading):
        return followers
    kept = retained(view).names if leading else view.cluster.status.retain_slots if view.cluster else ()
    return {*owners(view), *kept}


def keeps_logical(view: View) -> bool:
    """Whether permanent logical slots belong on this member (O8): it may lead some day, and in its own right."""
    tags = view.host.tags
    return not tags.nofailover and not _without_stream(view) and view.settings.standby_cluster is None


def _without_stream(view: View) -> bool:
    """I do not stream, or somebody above me in the cascade does not: logical positions would never arrive in time."""
    if view.host.tags.nostream:
        return True
    above, seen = view.host.tags.replicatefrom, {str(view.me)}
    while above and above not in seen:
        seen.add(above)
        member = view.cluster.member(above) if view.cluster else None
        if member is None:
            return False
        if member.tags.nostream:
            return True
        above = member.tags.replicatefrom
    return False


def permanent(view: View) -> dict[str, SlotWanted]:
    """The slots of the `slots` setting that this kind of cluster keeps; never one with my own slot's name."""
    kind = "standby" if view.settings.standby_cluster is not None else "primary"
    found = {}
    for name, definition in view.settings.slots.items():
        slot = permanent_slot(name, definition, kind)
        if slot is not None and name != slot_name(view.me):
            found[name] = slot
    return found


def permanent_slot(name: str, definition: object, cluster_type: str) -> SlotWanted | None:
    """One entry of `slots`; None when it is for the other kind of cluster, or cannot be used."""
    document = definition if isinstance(definition, Mapping) else {}
    if document.get("cluster_type") not in (None, "", cluster_type):
        return None
    database, plugin = document.get("database"), document.get("plugin")
    kind = document.get("type") or (LOGICAL if database and plugin else PHYSICAL)
    if kind == LOGICAL:
        return SlotWanted(name, LOGICAL, str(database), str(plugin)) if database and plugin else None
    return SlotWanted(name) if kind == PHYSICAL else None


def unusable(view: View) -> tuple[str, ...]:
    """Names in `slots` whose definition cannot be used: neither created, nor dropped where they exist."""
    return tuple(
        name
        for name, definition in view.settings.slots.items()
        if all(permanent_slot(name, definition, kind) is None for kind in ("primary", "standby"))
    )


def ignored(view: View, slot: Slot) -> bool:
    """Whether a matcher of `ignore_slots` covers this slot: all the attributes that it gives are equal."""
    own = {"name": slot.name, "type": slot.type, "database": slot.database, "plugin": slot.plugin}
    return any(
        matcher and all(own.get(key) == value for key, value in matcher.items() if key in own)
        for matcher in view.settings.ignore_slots
    )


def positions(view: View) -> dict[str, int]:
    """Slot name → position for `/status`: logical ones by confirmed flush, physical by restart; my own by my LSN.

    With member_slots_ttl 0 nobody keeps slots for members elsewhere, and permanent ones alone are told (dcs.md 3.6).
    """
    every, kept = bool(view.settings.member_slots_ttl), permanent(view)
    found = {
        slot.name: int(position)
        for slot in view.server.slots
        if not slot.temporary and (every or slot.name in kept)
        and (position := slot.confirmed_flush_lsn or slot.restart_lsn)
    }
    if view.server.lsn:
        found[slot_name(view.me)] = int(view.server.lsn)
    return found
