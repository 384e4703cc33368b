"""How simulated members ask each other for a promise, and keep it: the real `PromiseCell`, over links that lose and delay.

Follows `pgctl.agent.lead`, `reception` and `answers_orders`; where they differ, those are right.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from pgctl.agent.core import effects as e
from pgctl.agent.core.job import Promote
from pgctl.model import settings
from pgctl.model.failsafe import Ping, Promise
from pgctl.model.lsn import Lsn
from pgctl.model.server import Phase
from pgctl.units import Instant
from tests.sim.record import Prolonged, Promised

Reply = Callable[[e.Round], None]
SILENCE = "no answer"


class Disk:
    """What the file in the run directory keeps, for as long as the machine is up."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self._forgetful = forgetful
        self._kept: Promise | None = None

    def load(self) -> Promise | None:
        return self._kept

    def save(self, promise: Promise) -> None:
        self._kept = Promise(Instant(0), Ping("", "", "")) if self._forgetful else promise

    def lose(self) -> None:
        """Another boot: the record counts for nothing."""
        self._kept = None


def ask(agent: Any, request: e.AskMembers, budget: float, reply: Reply) -> None:
    """Each ping and each answer travels alone; who has not answered within the budget has refused."""
    node, sent = agent.node, agent.now
    accepted: dict[str, Lsn | None] = {}
    why = dict.fromkeys((name for name, _ in request.members), SILENCE)
    done: list[bool] = []

    def finish() -> None:
        if not done:
            done.append(True)
            refused = tuple((name, text) for name, text in why.items() if name not in accepted)
            if node.mutation.presumptuous:
                refused = tuple((name, text) for name, text in refused if text != SILENCE)
            reply(e.Round(Instant(sent), tuple(accepted.items()), refused))

    def heard(name: str, refusal: str, lsn: Lsn | None) -> None:
        if refusal:
            why[name] = refusal
        else:
            accepted[name] = lsn
        if len(accepted) == len(why):
            agent.later(0.0, finish)

    for name, _ in request.members:
        _send(node, name, request.ping, partial(heard, name))
    agent.later(budget if why else 0.001, finish)


def _send(node: Any, name: str, ping: Ping, heard: Callable[[str, Lsn | None], None]) -> None:
    world, other = node.world, node.peers.get(name)
    way = world.random.uniform(0.001, 0.02)
    if node.late_requests and world.random.random() < 0.5:
        way += world.random.uniform(0.0, node.late_requests)

    def arrive() -> None:
        if other is None or not other.host_up or not other.alive or not world.reaches(node.name, name):
            return
        other.agent.heart_later(0.0, lambda: answer(other.agent))

    def answer(agent: Any) -> None:
        refusal = _accept(agent, ping)
        lost = node.lose_replies and world.random.random() < node.lose_replies
        if not lost and world.reaches(name, node.name):
            lsn = agent.shown.server.lsn if agent.shown is not None else None
            world.at(world.random.uniform(0.001, 0.02), lambda: heard(refusal, lsn))

    world.at(way, arrive)


def _accept(agent: Any, ping: Ping) -> str:
    """Empty, or why not."""
    view = agent.shown
    if view is None or (view.memory.cluster is not None and not view.settings.failsafe_mode):
        return "failsafe_mode is disabled"
    promoting = view.job is not None and not view.job.ended and isinstance(view.job.job, Promote)
    if view.server.phase is Phase.PRIMARY or promoting:
        return "running as a leader"
    if view.cluster is not None and view.cluster.leader_name not in (None, ping.name):
        return f"{view.cluster.leader_name} leads"
    until = Instant(agent.now + max(view.settings.ttl, ping.ttl))
    refusal: str = agent.promise.accept(ping, until, lambda: Instant(agent.now))
    if not refusal:
        agent.node.world.note(Promised(agent.node.world.now, agent.node.name, agent.node.clock.true(until)))
    return refusal


def prolong(agent: Any, request: e.Prolong) -> e.Answer:
    world, name = agent.node.world, agent.node.name
    margin = settings.margin(agent.watchdog.within(agent.settings.ttl))
    deadline = agent.watchdog.keep(request.deadline, agent.settings.ttl)
    lease = agent.cell.prolong(deadline, Instant(agent.now), margin)
    if lease is None:
        return e.Answer(e.Outcome.REJECTED, "the members agreed too late")
    agent.fence.move(lease.deadline, margin)
    by_members = agent.node.clock.true(min(lease.deadline, deadline))  # the store may have renewed it for longer meanwhile
    world.note(Prolonged(world.now, name, by_members, world.named_in_failsafe()))
    return e.APPLIED
