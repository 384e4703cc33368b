"""The effects of rows about synchronous replication: to take the lead with `/sync`, and to leave one's duty in order."""

from dataclasses import replace

from pgctl.agent.core import claims, duty, follow_target, logical_slots, sync_claim, sync_upkeep, upkeep
from pgctl.agent.core.effects import HoldLease, SetSlots, WriteSync
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.conf import SlotPlan
from pgctl.model.sync import SyncState

AT_ONCE = 0.05
"""Seconds until the next look: a server reads its configuration within a few milliseconds."""


def stand(view: View, hold: HoldLease, memory: Memory) -> Plan:
    """The key, then `/sync`; then the promotion, or first the names that it needs."""
    state = sync_claim.claim(view)
    names = sync_claim.names_for(view, state)
    taken = (hold, *upkeep.superseded(view), WriteSync(state, upkeep.revision(view, "sync")))
    if not names:
        return Plan((*taken, *claims.promotion(view)), memory)
    configured, memory = _configured(view, memory, names)
    return Plan((*taken, *configured), memory, AT_ONCE)


def claim(view: View) -> Plan:
    """The next of the steps that come before a promotion: `/sync`, then the names that bear it."""
    if not sync_claim.mine(view):
        return Plan((WriteSync(sync_claim.claim(view), upkeep.revision(view, "sync")),), view.memory, AT_ONCE)
    if sync_claim.held_up(view):
        alone = WriteSync(SyncState(view.me), upkeep.revision(view, "sync"))
        return Plan((alone,), view.memory, AT_ONCE, "a checkpoint keeps PostgreSQL from waiting for standbys")
    published = sync_upkeep.standing(view).published
    state = SyncState(view.me, tuple(sorted(published.voters)), published.quorum)
    configured, memory = _configured(view, view.memory, sync_claim.names_for(view, state))
    return Plan(configured, memory, AT_ONCE)


def promote(view: View) -> Plan:
    guarded, memory = upkeep.fence(view, view.memory, armed=True)
    told = SlotPlan(notes=logical_slots.warning(view))
    warned: upkeep.Effects = (SetSlots(told),) if told != SlotPlan() else ()
    return Plan((*guarded, *upkeep.superseded(view), *claims.promotion(view), *warned), memory)


def take_over(view: View) -> Plan:
    """The steps before a promotion, one a cycle, and the promotion."""
    ready = sync_claim.mine(view) and sync_claim.borne(view)
    return promote(view) if ready else claim(view)


def _configured(view: View, memory: Memory, names: str) -> tuple[upkeep.Effects, Memory]:
    return upkeep.conf(view, memory, replace(follow_target.standby_conf(view), sync_names=names))


def leave_duty(view: View) -> Plan:
    """Asks the leader to let me go; it is seen in `/sync` that it did."""
    since = view.memory.leaving_since if view.memory.leaving_since is not None else view.now
    left = max(AT_ONCE, since + duty.patience(view.settings) - view.now)
    plan = upkeep.quiet(replace(view, memory=replace(view.memory, leaving_since=since)))
    return replace(plan, wake_in=left, reason=f"for at most {left:.0f} s")
