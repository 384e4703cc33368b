"""The second half of a switchover: my server is stopped in order, and the key goes once another has all of its log. Pure.

Law (INV18). A clean stop is not yet proof: PostgreSQL sends its last record to those that are connected, and one whose
receiver broke a moment before is not. So `/status` says where the log ends, which makes everybody look and answer anew;
the key is given up when whoever may take over says that it has that much. When nobody does, I come back: nothing is lost,
and writes are refused for seconds, where the others would wait out the grace of a successor who cannot come. An order
that accepts losses, a failover, is carried out all the same. Source: ha.md FP4, M17; PostgreSQL 27.2, walsender.
"""

from dataclasses import replace

from pgctl.agent.core import intents, ranking, report, upkeep
from pgctl.agent.core.effects import AskPeers, ReleaseLease, StartJob, WriteStatus
from pgctl.agent.core.job import Stop
from pgctl.agent.core.memory import Handover
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model import lsn
from pgctl.model.conf import StopMode
from pgctl.model.intent import Intent

STOP_WITHIN = 30.0
"""Seconds for the clean stop: a standby that hangs must not keep the primary from coming back."""
HEARD_WITHIN = 2.0
"""Seconds that others have, from when `/status` says where my log ends, to answer that they have it."""
AGAIN = 0.03
"""Seconds until they are asked again: what a change of the store takes to them, and a look at their server."""
AFTERWARDS = 0.5
"""Seconds until I look who took the key."""


def question(view: View) -> AskPeers:
    """To all; nobody is waited for but the one that I stop for, where it is known who that is."""
    members, target = ranking.electorate(view), view.memory.handover.target if view.memory.handover else ""
    others = {name for name, _ in members if name != target}
    return AskPeers(members, frozenset(others) if target else frozenset())


def owners(view: View) -> tuple[str, ...]:
    """Who may take over and says that it has all of my log."""
    intent, control = intents.open_intent(view), view.server.control
    if control is None:
        return ()
    named = intent.candidate if intent is not None else None
    able = [peer for peer in view.peers or () if named in (None, "", peer.name) and not intents.barred(view, peer, intent)]
    return tuple(peer.name for peer in able if peer.lsn >= control.checkpoint_lsn)


def accepts_losses(view: View) -> bool:
    intent = intents.open_intent(view)
    return intent is not None and not intent.switchover


def time_over(view: View) -> bool:
    offered = view.memory.handover.offered if view.memory.handover else None
    return offered is not None and view.now - offered >= HEARD_WITHIN


def hopeful(view: View) -> bool:
    """The key can go to another, now or in a moment."""
    return accepts_losses(view) or not time_over(view) or bool(owners(view))


def hand_over(view: View) -> Plan:
    """How far the log goes, then the key; the fence has nothing left to guard."""
    if not owners(view) and not (accepts_losses(view) and time_over(view)):
        return _offer(view)
    final = WriteStatus(report.final_status(view))
    guarded, memory = upkeep.fence(view, view.memory, armed=False)
    given = ReleaseLease(upkeep.revision(view, "leader"))
    return Plan((final, given, *guarded), memory, wake_in=AFTERWARDS, reason=f"for {_target(view)}")


def step_aside(view: View) -> Plan:
    """First half of a switchover: a checkpoint while writes go on, then a fast stop. The lease is kept meanwhile.

    A leader that was promoted a moment ago says so first: whoever comes next must not open its timeline again.
    """
    intent = intents.open_intent(view) or Intent()
    named = intent.candidate or next(iter(intents.successors(view, intent)), "")
    stop = Stop(mode=StopMode.FAST, checkpoint=True, handover=True, timeout=view.settings.stop_limit or STOP_WITHIN)
    guarded, memory = upkeep.guarded(view, view.memory)
    effects = (*guarded, *upkeep.history(view), StartJob(stop))
    return Plan(effects, replace(memory, handover=Handover(named)), reason=f"for {named}")


def why_failed(view: View) -> str:
    """Of a handover that is called off while my server is stopped."""
    control = view.server.control
    if control is None or not control.cleanly_stopped:
        return f"{view.me} did not stop cleanly in time"
    return f"{view.me} stopped for it, and {_target(view)} did not get the last of the log"


def _offer(view: View) -> Plan:
    final, handover = report.final_status(view), view.memory.handover or Handover("")
    guarded, memory = upkeep.guarded(view, view.memory)
    told = view.cluster is not None and view.cluster.status.optime == final.optime
    said = () if told else (WriteStatus(final),)
    offered = handover.offered if handover.offered is not None else view.now
    reason = f"{_target(view)} has yet to say that it has the log up to {lsn.show(final.optime)}"
    memory = replace(memory, handover=Handover(handover.target, offered))
    return Plan((*guarded, *said), memory, wake_in=AGAIN, reason=reason)


def _target(view: View) -> str:
    return (view.memory.handover.target if view.memory.handover else "") or "whoever is fit"
