"""One cycle as a generator: it yields a request and is sent the answer; it does not know who drives it.

The agent's driver does the deed; the simulator's pretends to. Order: the store, the server, what this view needs
besides, the decision, its effects one by one. An effect that is rejected, or whose outcome is unknown, ends the cycle.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pgctl.agent.core import decide, failsafe, needs, remember, sync_upkeep
from pgctl.agent.core.effects import Answer, Outcome, ReadCluster, ReadServer, Request, Unreadable, WriteSync
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import ConfigOrder, Decision, Host, JobState, Lease, Order, ShowView, View
from pgctl.model.cluster import Cluster
from pgctl.model.conf import LogicalFound
from pgctl.model.failsafe import Promise
from pgctl.units import Instant, Wall

A = TypeVar("A")
Cycle = Generator[Request[Any], Any, "CycleResult"]


@dataclass(frozen=True, slots=True)
class CycleStart:
    """What the shell knows when a cycle begins."""

    now: Instant
    wall: Wall
    host: Host
    memory: Memory
    lease: Lease = Lease()
    job: JobState | None = None
    order: Order | None = None
    promise: Promise | None = None
    logical: LogicalFound | None = None
    config_order: ConfigOrder | None = None


@dataclass(frozen=True, slots=True)
class CycleResult:
    """The view, the decision, and the answer that cut the effects short, if one did; then wake again at once."""

    view: View
    decision: Decision
    cut_short: Answer | None = None
    done: int = 0
    """How many effects were applied."""


def ask(request: Request[A]) -> Generator[Request[Any], Any, A]:
    """One request and its answer, typed."""
    answer: A = yield request
    return answer


def cycle(start: CycleStart) -> Cycle:
    """Runs one cycle to its end."""
    read = yield from ask(ReadCluster())
    cluster = read if isinstance(read, Cluster) else None
    cut = read.reason if isinstance(read, Unreadable) else ""
    leader = cluster.leader_member if cluster else None
    server = yield from ask(ReadServer(leader.timeline if leader else None))
    view = View(
        start.now,
        start.wall,
        start.host,
        server,
        cluster,
        cut,
        job=start.job,
        lease=start.lease,
        order=start.order,
        promise=start.promise,
        logical=start.logical,
        config_order=start.config_order,
        memory=start.memory,
    )
    view = replace(view, memory=remember.update(view))
    yield from ask(ShowView(view))
    members = failsafe.question(view)
    if members is not None:
        view = replace(view, round=(yield from ask(members)))
    question = needs.peers(view)
    if question is not None:
        view = replace(view, peers=(yield from ask(question)))
    reading = needs.upstream_history(view)
    if reading is not None:
        view = replace(view, upstream_history=(yield from ask(reading)), history_asked=True)
    decision = decide.decide(view)
    for done, effect in enumerate(decision.effects):
        answer: Answer = yield from ask(effect)
        if isinstance(effect, WriteSync):
            decision = replace(decision, memory=sync_upkeep.tried(decision.memory, effect.revision, answer))
        if answer.outcome is not Outcome.APPLIED:
            return CycleResult(view, _unsure(view, decision), answer, done)
    return CycleResult(view, decision, None, len(decision.effects))


def _unsure(view: View, decision: Decision) -> Decision:
    """After a cut nothing that the effects would have done is taken as done: the next cycle compares afresh.

    But for `/failsafe` and `/sync`: what may have been written there is to be reckoned with.
    """
    before, after = view.memory, decision.memory
    tried = dict(before.failsafe_tried)
    if after.failsafe is not before.failsafe:
        tried |= after.failsafe or {}
    memory = replace(before, conf=None, fence_armed=None, last_rule=decision.rule, failsafe_tried=tried,
                     failsafe_at=after.failsafe_at, sync_tried=after.sync_tried)  # fmt: skip
    return replace(decision, memory=memory)
