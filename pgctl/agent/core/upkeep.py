"""What every situation keeps in order beside its own deed: fence, configuration, slots, member key, status, history.

Level, not edge: each step compares what is with what should be, and is left out when they agree.
"""

from dataclasses import replace

from pgctl.agent.core import (
    cluster_facts,
    failsafe,
    follow_target,
    intents,
    journal,
    logical_slots,
    remote,
    report,
    slot_plan,
    slots,
    sync_upkeep,
)
from pgctl.agent.core.effects import (
    Answer,
    CloseIntent,
    KeepLogical,
    MoveFence,
    Publish,
    Request,
    RunCallback,
    SetSlots,
    WriteConf,
    WriteConfig,
    WriteFailsafe,
    WriteHistory,
    WriteInitialize,
    WriteStatus,
)
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.cluster import Revision
from pgctl.model.conf import Conf, LogicalPlan, SlotPlan
from pgctl.model.server import Phase

Effects = tuple[Request[Answer], ...]


def publish(view: View, memory: Memory) -> tuple[Effects, Memory]:
    """My member key, if what I would say differs from what the store holds.

    Once in each life of an agent in any case: a key that an earlier life wrote hangs on that life's lease.
    """
    if view.cluster is None:
        return (), memory
    wanted = report.member(view)
    if view.cluster.member(view.me) == wanted and memory.published is not None:
        return (), memory
    return (Publish(wanted),), replace(memory, published=wanted)


def fence(view: View, memory: Memory, *, armed: bool) -> tuple[Effects, Memory]:
    if memory.fence_armed is armed:
        return (), memory
    return (MoveFence(armed),), replace(memory, fence_armed=armed)


def guarded(view: View, memory: Memory) -> tuple[Effects, Memory]:
    """The fence of a lead whose server takes writes, while something else than upkeep goes on: a pause that is over left it
    open.
    """
    open_still = view.settings.pause or view.lease.left(view.now) <= 0 or view.server.phase is not Phase.PRIMARY
    return ((), memory) if open_still else fence(view, memory, armed=True)


def conf(view: View, memory: Memory, wanted: Conf) -> tuple[Effects, Memory]:
    if memory.conf == wanted or view.server.phase not in (Phase.PRIMARY, Phase.STANDBY, Phase.STARTING):
        return (), memory
    return (WriteConf(wanted),), replace(memory, conf=wanted)


def callback(view: View, memory: Memory, role: str) -> tuple[Effects, Memory]:
    """on_start the first time a role is seen, on_role_change when it differs from the one last told."""
    if memory.role_called == role:
        return (), memory
    action = "on_role_change" if memory.role_called else "on_start"
    return (RunCallback(action, role),), replace(memory, role_called=role)


def leading(view: View) -> Plan:
    """A leader with a running primary: repair the cluster's keys, keep slots, say where I am."""
    cluster, memory = view.cluster, view.memory
    if cluster is None:
        return Plan(memory=memory)
    effects: list[Request[Answer]] = []
    guarded, memory = fence(view, memory, armed=not view.settings.pause)
    effects += guarded
    effects += recorded(view)
    effects += fulfilled(view)
    named, memory = topology(view, memory)
    effects += named
    synchrony = sync_upkeep.keep(view)
    effects += filter(None, (synchrony.write,))
    known = replace(memory, conf=None) if synchrony.again else memory
    configured, memory = conf(view, known, replace(follow_target.primary_conf(view), sync_names=synchrony.names))
    stirred, memory = sync_upkeep.stir(view, memory)
    effects += (*configured, *stirred)
    effects += kept_slots(view, leading=True)
    effects += history(view)
    status = report.status(view)
    if status != cluster.status:
        effects.append(WriteStatus(status))
    published, memory = publish(view, memory)
    called, memory = callback(view, memory, "primary")
    memory = replace(memory, slots_seen=slots.retained(view).seen)
    told, memory = journal.told(view, memory)
    watch = sync_upkeep.WATCH if view.settings.synchronous else None
    wake_in = sync_upkeep.SOON if synchrony.pending else watch
    done = (*effects, *published, *called, *told)
    return Plan(done, memory, wake_in, synchrony.said, view.settings.synchronous, synchrony.alarm)


def topology(view: View, memory: Memory) -> tuple[Effects, Memory]:
    """`/failsafe`, while the mode is on; once in each lead in any case. `core.failsafe` says what rests on it."""
    cluster = view.cluster
    if cluster is None or not view.settings.failsafe_mode:
        return (), memory
    wanted, at = failsafe.topology(view), cluster.revision("failsafe")
    if memory.failsafe is not None and cluster.failsafe == wanted:
        return (), memory
    return (WriteFailsafe(wanted, at),), replace(memory, failsafe=wanted, failsafe_tried={}, failsafe_at=at)


def kept_slots(view: View, *, leading: bool) -> Effects:
    """Physical slots at once, logical ones beside the cycle."""
    change = slot_plan.plan(view, leading=leading)
    logical = logical_slots.plan(view, follow_target.leader_upstream(view))
    found: list[Request[Answer]] = [SetSlots(change)] if change != SlotPlan() else []
    return (*found, KeepLogical(logical)) if logical != LogicalPlan() else tuple(found)


def history(view: View) -> Effects:
    """Brings `/history` up to my primary's timeline. Until it is there, a member that missed the promotion may open the
    same one again.
    """
    cluster, timeline = view.cluster, view.server.timeline
    if cluster is None or not timeline or timeline == 1 or cluster.history.timeline == timeline:
        return ()
    return (WriteHistory(timeline, cluster.history, view.settings.max_timelines_history),)


def recorded(view: View) -> Effects:
    """The record of which cluster this is, and its settings, where they are missing: the leader repairs both."""
    cluster, identifier, document = view.cluster, view.server.system_identifier, remote.document(view)
    found: list[Request[Answer]] = []
    if cluster is not None and cluster.known_identifier is None and identifier:
        found.append(WriteInitialize(identifier, cluster.revision("initialize")))
    if cluster is not None and cluster.config is None and document is not None:
        found.append(WriteConfig(document, cluster.revision("config")))
    return tuple(found)


def fulfilled(view: View) -> Effects:
    """A switchover away from somebody else, now that I lead: done, or done with another candidate."""
    intent = intents.open_intent(view)
    if view.cluster is None or intent is None or not cluster_facts.intent_fulfilled(view):
        return ()
    other = intent.candidate not in (None, view.me)
    reason = f"{view.me} took over, not {intent.candidate}" if other else ""
    return (CloseIntent(intent, view.cluster.revision("failover"), reason),)


def superseded(view: View) -> Effects:
    """An order for another leader, in whose place I take over: it is closed with the key that I take.

    Else I would make way for its candidate once that one answers, and one order would cost two outages (ha.md INV28).
    """
    intent = intents.open_intent(view)
    if view.cluster is None or intent is None or not cluster_facts.intent_asks_me_to_leave(view):
        return ()
    reason = f"{view.me} took over, not {intent.candidate}" if intent.candidate else f"nobody took over but {view.me}"
    return (CloseIntent(intent, view.cluster.revision("failover"), reason),)


def following(view: View) -> Plan:
    """A running standby: the fence lets go, the upstream is right, the slots for the other members are kept."""
    memory = replace(view.memory, leaving_since=None)
    view = replace(view, memory=memory)
    if view.server.phase is Phase.PRIMARY:
        published, memory = publish(view, memory)
        return Plan(published, memory)
    guarded: Effects = ()
    if view.server.phase in (Phase.STANDBY, Phase.DOWN):
        # One that is on its way, or does not answer, may yet turn out to be a primary.
        guarded, memory = fence(view, memory, armed=False)
    configured: Effects = ()
    if memory.conf is not None or (view.cluster is not None and view.cluster.leader is not None):
        # Nobody leads and nothing is known of what the server was told: it keeps the upstream that it has.
        configured, memory = conf(view, memory, follow_target.standby_conf(view))
    arranged: Effects = ()
    if view.cluster is not None and view.cluster.leader is not None:
        # In a race nothing may cost time; what is missing is made once it is decided.
        arranged = kept_slots(view, leading=False)
    published, memory = publish(view, memory)
    called: Effects = ()
    if view.server.phase is Phase.STANDBY:
        called, memory = callback(view, memory, "replica")
    return Plan((*guarded, *configured, *arranged, *published, *called), memory)


def quiet(view: View) -> Plan:
    """Nothing but the member key: the server is in a job's hands, or there is none."""
    published, memory = publish(view, view.memory)
    return Plan(published, memory)


def add(plan: Plan, *effects: Request[Answer], **changes: object) -> Plan:
    """`plan` with further effects after its own, and with fields replaced."""
    return replace(plan, effects=(*plan.effects, *effects), **changes)  # type: ignore[arg-type]


def guard(view: View) -> dict[str, Revision]:
    """The keys a race is decided by, with the revisions that this view had."""
    return {key: revision(view, key) for key in ("sync", "failover", "config", "initialize", "failsafe")}


def revision(view: View, key: str) -> Revision:
    return view.cluster.revision(key) if view.cluster else Revision(0)
