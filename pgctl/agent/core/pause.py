"""Deeds of a paused cluster: the fence lets go, by decision; the key is kept while it is true; the server is left alone."""

from dataclasses import replace

from pgctl.agent.core import cluster_facts, facts, handover, intents, standby_leader, upkeep
from pgctl.agent.core.effects import CloseIntent, MoveFence, ReleaseLease
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.intent import Intent


def leave(view: View) -> Plan:
    """The fence lets go, the key and the member document are kept; a standby is still pointed at a new leader."""
    released = disarm(view)
    seen = replace(view, memory=released.memory or view.memory)
    if facts.leader_is_me(view) and facts.primary(view):
        rest = upkeep.leading(seen)
    elif facts.leader_is_me(view) and cluster_facts.in_office(view):
        rest = standby_leader.keep(seen)
    elif facts.standby(view) and facts.leader_is_other(view):
        rest = upkeep.following(seen)
    else:
        rest = upkeep.quiet(seen)
    return replace(rest, effects=(*released.effects, *rest.effects))


def leave_soon(view: View) -> Plan:
    return replace(leave(view), wake_in=0.5)


def disarm(view: View) -> Plan:
    """Pause: the fence leaves the server alone, by this decision."""
    memory = view.memory
    effects: upkeep.Effects = () if memory.fence_armed is False else (MoveFence(False),)
    return Plan(effects, replace(memory, fence_armed=False))


def close_intent(view: View) -> Plan:
    """Outside a pause the server would be started again; here whoever wants to lose the rest orders a failover."""
    intent = intents.open_intent(view) or Intent()
    why = handover.why_failed(view)
    closed = CloseIntent(intent, upkeep.revision(view, "failover"), why)
    return Plan((closed,), replace(view.memory, handover=None), wake_in=0.0, reason=why)


def release(view: View) -> Plan:
    guarded, memory = upkeep.fence(view, view.memory, armed=False)
    return Plan((ReleaseLease(upkeep.revision(view, "leader")), *guarded), memory)
