"""What the leader of a standby cluster does: its server is a standby of a remote primary, and everybody else's upstream.

It takes no writes, so the fence leaves it alone, and giving its lead up costs nobody anything: no stop, no promotion, no
new timeline. Source: ha.md 2.12.
"""

from dataclasses import replace

from pgctl.agent.core import divergence, follow_target, intents, journal, remote, report, slots, upkeep
from pgctl.agent.core.effects import (
    Answer,
    CloseIntent,
    HoldLease,
    ReleaseLease,
    Request,
    StartJob,
    WriteHistory,
    WriteStatus,
    WriteSync,
)
from pgctl.agent.core.job import StartStandby, Stop
from pgctl.agent.core.memory import Handover
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.conf import StopMode
from pgctl.model.intent import Intent
from pgctl.model.sync import SyncState
from pgctl.units import show_seconds

STAND_DOWN_WITHIN = 300.0
"""Seconds for the clean stop of a primary whose cluster becomes a standby cluster: nobody waits for it to take writes."""

EAGER = 10.0
"""Seconds in which a remote that sends nothing is looked for every second; after them once in a loop_wait."""


def stand(view: View) -> Plan:
    """Takes the leader key, and no more than that."""
    guarded, memory = upkeep.fence(view, view.memory, armed=False)
    held = HoldLease(upkeep.guard(view), arm=False)
    return Plan((*guarded, held, *upkeep.superseded(view)), memory, wake_in=0.0)


def stand_down(view: View) -> Plan:
    """A primary in a standby cluster: a clean stop, so that the remote goes on where this log ends. Lease and fence stay."""
    stop = Stop(mode=StopMode.FAST, checkpoint=True, timeout=STAND_DOWN_WITHIN)
    return Plan((StartJob(stop),), view.memory, reason=f"to follow {_address(view)}")


def turn(view: View) -> Plan:
    """Stopped as a primary: how far its log goes, for whoever compares (ha.md WK54); then a standby of the remote."""
    plan = start(view)
    return replace(plan, effects=(WriteStatus(report.final_status(view)), *plan.effects))


def start(view: View) -> Plan:
    """As a standby, with or without the lease. The fence lets go: what starts takes no writes.

    A primary's last WAL segment is archived before.
    """
    guarded, memory = upkeep.fence(view, view.memory, armed=False)
    conf = follow_target.standby_conf(view)
    job = StartStandby(conf=conf, archive_first=divergence.was_primary(view.server.control))
    followed = f"following {conf.upstream.name}" if conf.upstream else "from the archive"
    return Plan((*guarded, StartJob(job)), memory, reason=followed)


def give_up(view: View) -> Plan:
    """A switchover: the key alone changes hands; my server goes on streaming until it is told whom to follow."""
    intent = intents.open_intent(view) or Intent()
    named = intent.candidate or next(iter(intents.successors(view, intent)), "")
    told = WriteStatus(report.status(view))
    given = ReleaseLease(upkeep.revision(view, "leader"))
    return Plan((told, given), replace(view.memory, handover=Handover(named)), wake_in=0.0, reason=f"for {named}")


def close_intent(view: View) -> Plan:
    intent = intents.open_intent(view) or Intent()
    why = intents.objection(view, intent)
    closed = CloseIntent(intent, upkeep.revision(view, "failover"), why)
    return replace(upkeep.add(keep(view), closed), reason=why)


def wait_for_remote(view: View) -> Plan:
    """Nothing streams in. The cluster stays up on what it has, and says since when, and what is known."""
    since = view.memory.unfed_since
    for_how_long = 0.0 if since is None else view.now - since
    plan = keep(view)
    plan = replace(plan, wake_in=1.0 if for_how_long < EAGER else plan.wake_in)
    return replace(plan, reason=f"{_address(view)}, for {show_seconds(for_how_long)}: {_why_unfed(view)}")


def _why_unfed(view: View) -> str:
    history = view.upstream_history
    archive = ", WAL comes from the archive" if view.server.replication_state else ""
    if history is None:
        return f"it does not answer{archive}"
    if divergence.diverged(view) is True:
        cause = "pg_rewind failed and is tried again" if view.memory.rewind_failed else "pg_rewind cannot be used"
        return f"my data left its branch, and {cause}: hand over to another member, and reinitialize this one"
    return f"it answers, on timeline {history.timeline}, and does not stream: the server log says why{archive}"


def keep(view: View) -> Plan:
    """The cluster's keys, the upstream, the slots of those who cascade from me; and a look when an intent is due."""
    cluster, memory = view.cluster, view.memory
    if cluster is None:
        return Plan(memory=memory)
    intent = intents.open_intent(view)
    effects: list[Request[Answer]] = []
    guarded, memory = upkeep.fence(view, memory, armed=False)
    effects += [*guarded, *upkeep.recorded(view), *_left_behind(view), *(upkeep.fulfilled(view) or _taken_back(view))]
    configured, memory = upkeep.conf(view, memory, follow_target.standby_conf(view))
    effects += configured
    effects += upkeep.kept_slots(view, leading=True)
    named, memory = upkeep.topology(view, memory)
    effects += named
    if cluster.sync.active:
        effects.append(WriteSync(SyncState(), cluster.revision("sync")))
    status = report.status(view)
    if status != cluster.status:
        effects.append(WriteStatus(status))
    published, memory = upkeep.publish(view, memory)
    called, memory = upkeep.callback(view, memory, "standby_leader")
    memory = replace(memory, slots_seen=slots.retained(view).seen, handover=None)
    told, memory = journal.told(view, memory)
    due = intents.wait_for(view, intent) if intent is not None else None
    return Plan((*effects, *published, *called, *told), memory, wake_in=due or None)


def _left_behind(view: View) -> upkeep.Effects:
    """`/history` without the timelines that this cluster left when it went back to its remote's.

    They are nobody's any more, and as a primary cluster again it would have no member that is recent enough to lead.
    """
    cluster, timeline = view.cluster, view.server.timeline
    if cluster is None or not timeline or view.server.replication_state != "streaming":
        return ()
    if cluster.history.timeline <= timeline:
        return ()
    return (WriteHistory(timeline, cluster.history, view.settings.max_timelines_history),)


def _taken_back(view: View) -> upkeep.Effects:
    """I gave the lead up for an intent, and have it again: it was tried."""
    intent = intents.open_intent(view)
    if view.memory.handover is None or intent is None:
        return ()
    reason = f"{view.memory.handover.target or 'nobody'} did not take over, and {view.me} leads again"
    return (CloseIntent(intent, upkeep.revision(view, "failover"), reason),)


def _address(view: View) -> str:
    found = remote.upstream(view)
    return f"{found.host}:{found.port}" if found else "the archive"
