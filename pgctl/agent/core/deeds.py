"""The effects of rows that do more than upkeep: take the lead, give it up, start, stop, rewind, rebuild.

One function a deed: (view) → plan. Order matters: stopping after any effect must be safe, so the fence is armed before
a server can become writable and lets go only once it cannot be, and the lease is given up only after a proven stop.
"""

from dataclasses import replace

from pgctl.agent.core import (
    claims,
    divergence,
    duty,
    follow_target,
    handover,
    intents,
    logical_slots,
    ranking,
    remote,
    slot_plan,
    slots,
    standby_leader,
    sync_deeds,
    upkeep,
)
from pgctl.agent.core.effects import (
    CancelJob,
    CloseIntent,
    HoldLease,
    ReclaimLease,
    ReleaseLease,
    SetSlots,
    StartJob,
    WriteSync,
)
from pgctl.agent.core.job import Job, Restart, StartPrimary, StartStandby, Stop
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import RestartOrder, View
from pgctl.model.conf import SlotPlan, StopMode
from pgctl.model.intent import Intent
from pgctl.model.server import Phase
from pgctl.model.sync import SyncState

SOON = 0.5
"""Seconds until the next look while something outside is awaited that sends no event."""


def start(view: View, job: Job, *, keep_fence: bool = False) -> Plan:
    """Starts a deed that cannot make the server writable; so the fence lets go first, unless the lead goes on."""
    if keep_fence:
        guarded, memory = upkeep.guarded(view, view.memory)
    else:
        guarded, memory = upkeep.fence(view, view.memory, armed=False)
    return Plan((*guarded, StartJob(job)), memory)


def wait(view: View) -> Plan:
    return upkeep.quiet(view)


def go_on(view: View) -> Plan:
    guarded, memory = upkeep.guarded(view, view.memory)
    plan = upkeep.quiet(replace(view, memory=memory))
    return replace(plan, effects=(*guarded, *plan.effects))


def wait_soon(view: View) -> Plan:
    return replace(upkeep.quiet(view), wake_in=SOON, wake_on_members=True)


def wait_for_retry(view: View) -> Plan:
    left = max(0.05, view.memory.retry_at - view.now)
    return replace(upkeep.quiet(view), wake_in=left, reason=f"{view.memory.last_failure}; next try in {left:.1f}s")


# --- the lead -------------------------------------------------------------------------------------------------------


def hold(view: View) -> Plan:
    """Takes the leader key, if nothing that the decision rests on has changed since it was read.

    Taking or reclaiming the key arms the fence; the next cycle compares again (`fence_armed` None).
    """
    held = HoldLease(upkeep.guard(view), writable=view.server.phase is Phase.PRIMARY)
    return Plan((held,), replace(view.memory, fence_armed=None), wake_in=0.0)


def stand(view: View) -> Plan:
    """Takes the leader key and promotes; the slots of those who will follow are there before they come.

    Nobody is promoted in a standby cluster.
    """
    if remote.section(view) is not None:
        return standby_leader.stand(view)
    change = slot_plan.plan(view, leading=True)
    ahead = SlotPlan(create=change.create, notes=logical_slots.warning(view))
    arranged: upkeep.Effects = (SetSlots(ahead),) if ahead != SlotPlan() else ()
    memory = replace(view.memory, fence_armed=None, slots_seen=slots.retained(view).seen)
    if view.settings.synchronous:
        return upkeep.add(sync_deeds.stand(view, HoldLease(upkeep.guard(view)), memory), *arranged)
    held = (HoldLease(upkeep.guard(view)), *upkeep.superseded(view))
    return Plan((*held, *claims.promotion(view), *arranged), memory)


def adopt(view: View) -> Plan:
    """A running primary, or a standby cluster's first copy, becomes the first leader: identifier, settings, then the key."""
    keys = {key: upkeep.revision(view, key) for key in ("sync", "failover")}
    open_ = view.server.phase is not Phase.STANDBY
    held = HoldLease(keys, arm=open_, writable=open_)
    return Plan((*upkeep.recorded(view), held), replace(view.memory, fence_armed=None), wake_in=0.0)


def reclaim(view: View) -> Plan:
    """A standby leader's server takes no writes, so there is nothing for the fence to stop."""
    harmless = view.server.phase is Phase.STANDBY and remote.section(view) is not None
    writable = view.server.phase is Phase.PRIMARY
    claim = ReclaimLease(upkeep.revision(view, "leader"), arm=not harmless, writable=writable)
    return Plan((claim,), replace(view.memory, fence_armed=None), wake_in=0.0)


def release(view: View) -> Plan:
    """Gives the lead up; the server is stopped, or never was a primary of this cluster."""
    guarded, memory = upkeep.fence(view, view.memory, armed=False)
    given = ReleaseLease(upkeep.revision(view, "leader"))
    return Plan((given, *guarded), replace(memory, handover=None), wake_in=SOON, reason=view.memory.last_failure)


def close_intent(view: View) -> Plan:
    intent = intents.open_intent(view) or Intent()
    why = intents.objection(view, intent)
    plan = upkeep.leading(view) if view.server.phase is Phase.PRIMARY else upkeep.quiet(view)
    return replace(upkeep.add(plan, CloseIntent(intent, upkeep.revision(view, "failover"), why)), reason=why)


def lead(view: View) -> Plan:
    """All is well: upkeep, and a look again when a scheduled intent is due."""
    intent = intents.open_intent(view)
    due = intents.wait_for(view, intent) if intent is not None else 0.0
    plan = upkeep.leading(view)
    return replace(plan, wake_in=min(filter(None, (due, plan.wake_in)), default=None))


def lead_soon(view: View) -> Plan:
    """The same, and a look again in a moment."""
    named = ", ".join(intents.unfitness(view, intents.open_intent(view) or Intent()))
    return replace(upkeep.leading(view), wake_in=SOON, reason=named)


# --- stopping -------------------------------------------------------------------------------------------------------


def stop_fast(view: View) -> Plan:
    """In order, while the lease still covers it; the fence stays as it is and does the rest if this takes too long.

    Where the fence would kill by now there is no time for order. So it is when a pause ends over a lease that was not
    renewed: the fence, armed only now, may not look for a second.
    """
    mode = StopMode.FAST if view.lease.left(view.now) > view.margin / 3 else StopMode.IMMEDIATE
    return start(view, Stop(mode=mode, timeout=view.margin), keep_fence=True)


def stop_now(view: View) -> Plan:
    """Without a checkpoint: nothing may be acknowledged any more."""
    return start(view, Stop(mode=StopMode.IMMEDIATE, timeout=view.margin), keep_fence=True)


# --- starting -------------------------------------------------------------------------------------------------------


def start_standby(view: View) -> Plan:
    if remote.section(view) is not None:
        return standby_leader.start(view)
    upstream = follow_target.standby_conf(view)
    plan = start(view, StartStandby(conf=upstream))
    if duty.counted_on(view):
        # Commits wait for this server: the leader is told at once that it is gone, not by a silence.
        said, memory = upkeep.publish(view, plan.memory or view.memory)
        plan = replace(plan, effects=(*said, *plan.effects), memory=memory)
    return replace(plan, reason=f"following {upstream.upstream.name}" if upstream.upstream else "without an upstream")


def bring_back(view: View) -> Plan:
    """A primary in place; a standby's data in recovery first, and a later cycle promotes it."""
    return start_primary(view) if divergence.was_primary(view.server.control) else start_to_promote(view)


def start_primary(view: View) -> Plan:
    """In place. After a handover that came to nothing the intent is closed: it has cost enough.

    `/sync` is written as it was read before the server starts with names that bear it: a write of mine that is still on
    its way, also of an earlier life, was made upon what was there, and is refused from now on.
    """
    guarded, memory = upkeep.fence(view, view.memory, armed=True)
    if view.settings.synchronous and view.cluster is not None:
        guarded = (*guarded, WriteSync(view.cluster.sync, upkeep.revision(view, "sync")))
    intent = intents.open_intent(view)
    if view.memory.handover is not None and intent is not None:
        failed = f"{handover.why_failed(view)}, and starts again"
        guarded = (*guarded, CloseIntent(intent, upkeep.revision(view, "failover"), failed))
    job = StartPrimary(conf=follow_target.primary_conf(view), timeout=view.settings.primary_start_timeout or 300)
    return Plan((*guarded, StartJob(job)), replace(memory, handover=None))


def start_to_promote(view: View) -> Plan:
    """A standby's data under my lease: brought up in recovery first, promoted by a later cycle."""
    return start(view, StartStandby(conf=follow_target.standby_conf(view)), keep_fence=True)


def restart(view: View) -> Plan:
    order = view.order if isinstance(view.order, RestartOrder) else RestartOrder(0)
    is_primary = view.server.phase is Phase.PRIMARY
    conf = follow_target.primary_conf(view) if is_primary else follow_target.standby_conf(view)
    timeout = order.timeout or view.settings.primary_start_timeout or 300
    stop = (view.settings.stop_limit if is_primary else 0) or timeout
    return start(view, Restart(conf=conf, timeout=timeout, stop_timeout=stop, order=order.id), keep_fence=is_primary)


# --- the rest -------------------------------------------------------------------------------------------------------


def cancel(view: View) -> Plan:
    return upkeep.add(upkeep.quiet(view), CancelJob("the lease is lost"))


def cancel_bootstrap(view: View) -> Plan:
    """It stood still for long, and its claim was taken for abandoned. What it makes takes writes, and nobody leads it."""
    return upkeep.add(upkeep.quiet(view), CancelJob("somebody else made this cluster"))


def cancel_for_reinit(view: View) -> Plan:
    return upkeep.add(upkeep.quiet(view), CancelJob("a reinitialize was ordered with force"))


def say_bar(view: View) -> Plan:
    return replace(upkeep.following(view), reason=ranking.bar(view), wake_in=SOON)


def say_ahead(view: View) -> Plan:
    names, sync = ", ".join(ranking.ahead(view)), view.cluster.sync if view.cluster else SyncState()
    reason = f"{names} should stand" if names else f"{max(0, ranking.votes(view))} of {sync.quorum} votes"
    return replace(upkeep.following(view), reason=reason, wake_in=SOON)


def ask_again(view: View) -> Plan:
    names = ", ".join(ranking.unheard(view))
    return replace(upkeep.following(view), reason=names, wake_in=0.05)


def follow(view: View) -> Plan:
    leader = view.cluster.leader_name if view.cluster else None
    unsettled = view.server.replication_state != "streaming"
    plan = upkeep.following(view)
    return replace(plan, reason=f"leader {leader}", wake_in=1.0 if unsettled else None, wake_on_members=unsettled)


def follow_soon(view: View) -> Plan:
    return replace(upkeep.following(view), wake_in=SOON, wake_on_members=True)
