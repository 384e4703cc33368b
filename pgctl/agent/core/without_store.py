"""Deeds around a leader that cannot reach the store: its own, and those of members that promised it the lead.

What allows them is in `failsafe`. The guards move before anything else is done.
"""

from collections.abc import Mapping
from dataclasses import replace

from pgctl.agent.core import deeds, failsafe, slot_plan, upkeep
from pgctl.agent.core.effects import SetSlots
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.conf import SlotPlan
from pgctl.model.member import slot_name


def lead_on(view: View) -> Plan:
    """Every member agrees: the guards move, the slots of those who follow are kept, all else waits for the store."""
    heard = {slot_name(name): int(at) for name, at in view.round.accepted if at} if view.round is not None else {}
    arranged = _slots(view, heard, leading=True)
    names = ", ".join(name for name, _ in view.round.accepted) if view.round is not None else ""
    return replace(upkeep.quiet(view), effects=(*failsafe.prolong(view), *arranged), wake_in=deeds.SOON,
                   reason=f"agreed: {names}" if names else "nobody else could lead")  # fmt: skip


def follow_on(view: View) -> Plan:
    """A standby whose leader cannot reach the store either: slots for those who cascade from it go by what that one says."""
    told = view.promise.ping.slots if view.promise is not None and view.promise.ping is not None else {}
    return replace(deeds.wait_soon(view), effects=_slots(view, told, leading=False))


def _slots(view: View, told: Mapping[str, int], *, leading: bool) -> upkeep.Effects:
    """Slots are made and moved by the last reading of the store and fresher positions; none is dropped (K5, K11)."""
    last = view.memory.cluster
    if last is None:
        return ()
    known = replace(last, status=replace(last.status, slots={**last.status.slots, **told}))
    found = slot_plan.plan(replace(view, cluster=known), leading=leading)
    kept = SlotPlan(create=found.create, advance=found.advance)
    return (SetSlots(kept),) if kept != SlotPlan() else ()


def lead_on_and_wait(view: View) -> Plan:
    return replace(upkeep.quiet(view), effects=failsafe.prolong(view), wake_in=deeds.SOON, reason=view.memory.last_failure)


def lead_on_and_start(view: View) -> Plan:
    """The primary crashed meanwhile: it comes back in place."""
    plan = deeds.bring_back(view)
    return replace(plan, effects=(*failsafe.prolong(view), *plan.effects))


def say_members(view: View) -> Plan:
    """Why the members do not let me lead on, if they were asked."""
    refused = "; ".join(f"{name}: {why}" for name, why in view.round.refused) if view.round is not None else ""
    return replace(deeds.wait_soon(view), reason=refused)


def say_promise(view: View) -> Plan:
    held = [peer.name for peer in view.peers or () if peer.failsafe]
    leader = view.promise.ping.name if view.promise is not None and view.promise.ping is not None else ""
    left = failsafe.promised(view)
    told = f"{leader or 'before this start'}, for {left:.1f}s more" if left else f"{', '.join(held)} says so"
    return replace(upkeep.following(view), reason=told, wake_in=deeds.SOON)
