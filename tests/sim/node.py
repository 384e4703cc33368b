"""One simulated member: the real cycle, driven under virtual time, with a job slot, a heartbeat and a fence of its own.

An agent can be killed (its memory is gone), frozen (its next steps wait), cut from the store or from peers. Its fence
is an actor apart: it goes on when the agent does not.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from pgctl.agent.core.cycle import Cycle, CycleStart, cycle
from pgctl.agent.core.effects import Answer, Outcome, Request
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Decision, Host, JobState, Lease, View
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import InprocStore
from pgctl.model.member import MemberName, Tags
from pgctl.model.settings import Settings
from pgctl.units import Instant, Seconds
from tests.sim.actions import Actions
from tests.sim.postgres_model import Server
from tests.sim.world import World

LATENCY = (0.0005, 0.02)


class Fence:
    """Stops a writable server a margin before the deadline, kills it later, ends an agent that does not move."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self.armed = False
        self.deadline = 0.0
        self.margin = 5.0
        self.frozen_until = 0.0

    def move(self, deadline: float, margin: float) -> None:
        self.armed, self.deadline, self.margin = True, deadline, margin
        world = self.node.world
        world.at(deadline - margin - world.now, lambda: self._act(deadline, deadline - margin, self._stop))
        world.at(deadline - margin / 3 - world.now, lambda: self._act(deadline, deadline - margin / 3, self._kill))
        world.at(deadline - world.now, lambda: self._act(deadline, deadline, self._end_agent))

    def disarm(self) -> None:
        self.armed = False

    def _act(self, deadline: float, due: float, deed: Callable[[], None]) -> None:
        world = self.node.world
        if world.now < self.frozen_until:
            world.at(self.frozen_until - world.now, lambda: self._act(deadline, due, deed))
        elif self.armed and self.deadline == deadline and self.node.host_up:
            deed()

    def _stop(self) -> None:
        if self.node.server.running:
            self.node.world.tell(f"{self.node.name}: the fence stops the server")
            self.node.stop_server(clean=True)

    def _kill(self) -> None:
        if self.node.server.running:
            self.node.stop_server(clean=False)

    def _end_agent(self) -> None:
        if self.node.alive and self.node.frozen_until > self.node.world.now:
            self.node.world.tell(f"{self.node.name}: the fence ends the agent")
            self.node.kill_agent()


class Node:
    """A host: a server, an agent, a fence."""

    def __init__(self, world: World, name: str, *, bootstrap: dict[str, object] | None, tags: Tags) -> None:
        self.world = world
        self.name = MemberName(name)
        self.server = world.servers.setdefault(name, Server(name))
        self.tags = tags
        self.bootstrap = bootstrap
        self.host_up = True
        self.alive = False
        self.life = 0
        self.frozen_until = 0.0
        self.cut_from_store = False
        self.lose_replies = 0.0
        self.peers: dict[str, Node] = {}
        self.fence = Fence(self)
        self.actions = Actions(self)
        self.settings = Settings()

    # --- life of the agent ---

    def start_agent(self) -> None:
        self.alive = True
        self.life += 1
        self.frozen_until = 0.0
        self.memory = Memory()
        self.lease = Lease()
        self.job: JobState | None = None
        self.shown: View | None = None
        self.decision: Decision | None = None
        self.busy, self.again, self.wake_number = False, False, 0
        self.progress = self.world.now
        self.store = ClusterStore(InprocStore(self.world.universe, self.name, self.world.clock), "sim")
        self.world.tell(f"{self.name}: agent starts")
        self.wake()
        self.later(0.5, self._heartbeat)

    def kill_agent(self) -> None:
        self.alive = False
        self.life += 1
        self.busy = False

    def freeze(self, duration: float) -> None:
        self.frozen_until = self.world.now + duration

    def stop_server(self, *, clean: bool) -> None:
        was_primary = self.server.writable
        if clean:
            if was_primary:
                self.world.flush_standbys(self.server)
            self.server.stop()
        else:
            self.server.crash()
        self.wake()

    def later(self, delay: float, call: Callable[[], None]) -> None:
        """`call` by this life of the agent: dropped when it is dead, late when it is frozen."""
        life = self.life

        def run() -> None:
            if self.life != life or not self.alive:
                return
            if self.world.now < self.frozen_until:
                self.world.at(self.frozen_until - self.world.now, run)
                return
            call()

        self.world.at(delay, run)

    # --- the loop ---

    def wake(self, delay: float = 0.0) -> None:
        if self.alive:
            self.later(delay, self._run)

    def _run(self) -> None:
        if self.busy:
            self.again = True
            return
        self.busy, self.again = True, False
        self.wake_number += 1
        host = Host(
            self.name,
            f"postgres://{self.name}:5432/postgres",
            f"http://{self.name}:8008/patroni",
            "4.1.0",
            self.tags,
            bootstrap=self.bootstrap,
        )
        start = CycleStart(Instant(self.world.now), self.world.clock.wall(), host, self.memory, self.lease, self.job)
        if self.job is not None and self.job.ended:
            self.job = None
        self._step(cycle(start), None)

    def _step(self, running: Cycle, answer: object) -> None:
        try:
            request = running.send(answer)
        except StopIteration as ended:
            self._finish(ended.value)
            return
        self.actions.perform(request, lambda found: self._step(running, found))

    def _finish(self, result: Any) -> None:
        self.busy = False
        self.progress = self.world.now
        decision: Decision = result.decision
        if self.decision is None or self.decision.rule != decision.rule:
            self.world.tell(f"{self.name}: {decision.rule} {decision.sentence} {decision.reason}")
        self.memory, self.decision = decision.memory, decision
        self.settings = result.view.settings
        number = self.wake_number
        wait = 0.05 if result.cut_short is not None else max(0.05, decision.wake_at - self.world.now)
        if self.again:
            self.wake()
        else:
            self.later(wait, lambda: self._run() if self.wake_number == number else None)

    # --- the heartbeat ---

    def _heartbeat(self) -> None:
        ttl = self.settings.ttl
        stuck = self.lease.held and self.world.now - self.progress > ttl
        if not stuck:
            sent = self.world.now
            self._lower(Instant(sent + ttl))
            self.actions.send(
                lambda: self.store.renew(Seconds(ttl), budget=Seconds(1)), lambda got: self._renewed(sent, got)
            )
        self.later(ttl / 4, self._heartbeat)

    def _lower(self, limit: Instant) -> None:
        """Before a renewal with a shorter ttl is sent: from then on the store may let go sooner than was promised."""
        if self.lease.held and limit < self.lease.deadline:
            self._set_deadline(limit)

    def _set_deadline(self, deadline: Instant) -> None:
        self.lease = replace(self.lease, deadline=deadline)
        if self.fence.armed:
            self.fence.move(deadline, self.settings.margin)

    def _renewed(self, sent: float, answer: Answer) -> None:
        if answer.outcome is Outcome.APPLIED and self.lease.held:
            self._set_deadline(Instant(sent + self.settings.ttl))
        elif answer.outcome is Outcome.REJECTED and self.lease.held:
            self.lease = Lease()
            self.wake()


Gen = Generator[Request[Any], Any, Any]
