"""My own deeds as events: kept in memory, shown in my member key until the leader has told them in the journal. Pure.

A deed is recorded when it ends, with the rule that ordered it and whoever asked for it. One that keeps failing is
recorded once. An agent that is started again takes up what its own key still says.
"""

from dataclasses import replace
from datetime import UTC, datetime

from pgctl.agent.core import cluster_facts, intents
from pgctl.agent.core.effects import Answer, CloseIntent, HoldLease, Request, StartJob
from pgctl.agent.core.job import Bootstrap, Clone, Job, Promote, Rebuild, Restart, Rewind, StartPrimary, StartStandby, Stop
from pgctl.agent.core.memory import Begun, Memory
from pgctl.agent.core.view import JobState, View
from pgctl.model.events import MOST_DEEDS, Event, Refused
from pgctl.model.server import Phase
from pgctl.units import Instant

_WHAT: dict[type[Job], str] = {
    Bootstrap: "bootstrap",
    Clone: "clone",
    Rebuild: "reinitialize",
    Rewind: "rewind",
    StartStandby: "start",
    StartPrimary: "start",
    Restart: "restart",
    Stop: "stop",
    Promote: "promotion",
}


LONGEST = 300
"""Letters of a failure that are kept: it is read with every snapshot, and the log has it whole."""


def stamp(view: View, at: Instant | None = None) -> str:
    """UTC, ISO 8601, milliseconds: now, or `at` by the clock that the view was made with."""
    wall = view.wall - (0.0 if at is None else view.now - at)
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def begin(view: View, memory: Memory, rule: str, effects: tuple[Request[Answer], ...], why: str) -> Memory:
    """The memory with the deed that these effects begin, and with what they do at once."""
    job = next((each.job for each in effects if isinstance(each, StartJob) and type(each.job) in _WHAT), None)
    closed = next((effect for effect in effects if isinstance(effect, CloseIntent) and effect.reason), None)
    if closed is not None and not cluster_facts.intent_fulfilled(view):
        asked = closed.intent
        said = Event(stamp(view), "unfulfilled", view.me, target=asked.candidate or "", rule=rule, by=asked.by)
        memory = _add(memory, said._replace(why=closed.reason))
    if job is not None:
        event = _event(view, job)._replace(rule=rule, why=why)
        return replace(memory, begun=Begun(event, view.now, memory.leaderless_since, memory.heard))
    if any(isinstance(effect, HoldLease) for effect in effects):
        former = memory.former_leader or ""
        taken = Event(stamp(view), "lead", view.me, former, view.me, view.server.timeline, rule, why=why)
        return _add(memory, taken)
    return memory


def _event(view: View, job: Job) -> Event:
    """What is known of a deed when it begins."""
    event = Event("", _WHAT[type(job)], view.me)
    intent = intents.open_intent(view)
    due = intent is not None and cluster_facts.intent_due(view)
    match job:
        case Promote():
            former = view.memory.former_leader or ""
            moved = "failover" if former not in ("", view.me) else "promotion"
            if intent is not None and due:
                moved = "switchover" if intent.switchover else "failover"
            return event._replace(what=moved, source=former, target=view.me, by=intent.by if intent and due else "")
        case Stop():
            fell = view.server.phase is Phase.PRIMARY
            by = intent.by if intent and due and job.handover else ""
            return event._replace(what="demotion" if fell else "stop", by=by)
        case Restart() | Rebuild():
            return event._replace(by=view.order.by if view.order is not None else "")
        case Clone(source=source) | Rewind(source=source):
            return event._replace(source=source.name if source else "")
    return event


def finish(view: View, ended: JobState, memory: Memory) -> Memory:
    """The memory with the deed that just ended among the deeds done."""
    begun = memory.begun
    if begun is None:
        return memory
    event = begun.event._replace(failed="" if ended.ok else ended.message[:LONGEST], timeline=view.server.timeline)
    stopped = isinstance(ended.job, Stop)
    at = ended.cut_off or begun.at if stopped else view.now
    event = event._replace(at=stamp(view, at), refused=_refused(view, ended, begun))
    return _add(replace(memory, begun=None), event)


def _refused(view: View, ended: JobState, begun: Begun) -> Refused | None:
    """For how long this deed, or what it mended, kept the cluster from taking writes."""
    job = ended.job
    if not ended.ok:
        return None
    if isinstance(job, StartPrimary) or (isinstance(job, Restart) and job.primary):
        spent = round(view.now - (ended.cut_off or begun.at), 3)
        return Refused(spent, spent)
    if isinstance(job, Promote) and begun.leaderless is not None:
        most = None if begun.heard is None else round(view.now - begun.heard, 3)
        return Refused(round(view.now - begun.leaderless, 3), most)
    return None


def _add(memory: Memory, event: Event) -> Memory:
    """With `event` as the newest; the same failure once more changes nothing."""
    last = memory.deeds[-1] if memory.deeds else None
    again = last is not None and (last.what, last.failed, last.why) == (event.what, event.failed, event.why)
    if again and (event.failed or event.what == "unfulfilled"):
        return memory
    return replace(memory, deeds=(*memory.deeds, event)[-MOST_DEEDS:])


def take_up(view: View, memory: Memory) -> Memory:
    """A fresh agent goes on from what its own key says."""
    own = view.cluster.member(view.me) if view.cluster else None
    if own is None or memory.published is not None or memory.deeds:
        return memory
    return replace(memory, deeds=own.deeds)
