"""One life of a simulated agent: the real cycle and its loop, under virtual time, with lease cell, heartbeat and jobs.

Follows `pgctl.agent.loop`; where they differ, that one is right. What a life leaves behind is its server, its fence, and
what it has sent.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pgctl.agent import lead, outcomes
from pgctl.agent.core.cycle import Cycle, CycleResult, CycleStart, cycle
from pgctl.agent.core.effects import Answer
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Decision, Host, Lease, Order, View
from pgctl.agent.lease import LeaseCell
from pgctl.agent.loop import Backoff
from pgctl.agent.promise import PromiseCell
from pgctl.agent.watcher import Interest, interest
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.model import settings as settings_table
from pgctl.units import Instant
from tests.sim.driver_model import DriverModel
from tests.sim.heartbeat_model import HeartbeatModel
from tests.sim.jobs_model import JobsModel
from tests.sim.logical_model import KeeperModel
from tests.sim.post import Post, SentClock
from tests.sim.stale_store import StaleStore
from tests.sim.watchdog_model import HostWatchdog

SHORTEST = 0.05
LOOKS_EVERY = 1.0


class Agent:
    """`stuck_until` holds the loop alone, `pulseless_until` the heartbeat; `frozen_until` the whole process."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.fence = node.fence
        self.alive = True
        self.frozen_until = self.stuck_until = self.pulseless_until = 0.0
        self.settings, _ = settings_table.read(node.bootstrap)
        self.cell = LeaseCell()
        self.watchdog = HostWatchdog(node)
        self.hands = SimpleNamespace(watchdog=self.watchdog, lease=self.cell, fence=node.fence, clock=node.clock)
        self.promise = PromiseCell(self.cell, node.disk, lambda: node.fence.armed)
        self.memory = Memory(settings=self.settings)
        self.shown: View | None = None
        self.decision: Decision | None = None
        self.order: Order | None = None
        self.interest = Interest(members=True, own=node.name)
        self.turned = self.progress = self.now
        self.pace_ttl = self.settings.ttl
        clock = SentClock()
        self.store = ClusterStore(StaleStore(node, clock), "sim", self.settings)
        self.post, self.driver, self.jobs = Post(self, clock), DriverModel(self), JobsModel(self)
        self.keeper = KeeperModel(self)
        self._heartbeat = HeartbeatModel(self, boast=node.mutation.boast)
        self._busy = self._rung = False
        self._number = 0
        self._backoff = Backoff()
        self._not_before = 0.0

    def start(self) -> None:
        self.fence.start()
        self.promise.begin(Instant(self.now))
        self.fence.tick()
        self._heartbeat.start()
        self.ring()

    @property
    def now(self) -> float:
        return float(self.node.clock.now())

    @property
    def failsafe_active(self) -> bool:
        """As its status says it."""
        promise, lease = self.promise.read(), self.cell.read()
        promised = promise is not None and promise.ping is not None and self.now < promise.until
        return promised or (lease.failsafe and lease.left(Instant(self.now)) > 0)

    def margin(self, lease: Lease) -> float:
        return self.settings.margin if lease.margin is None else lease.margin

    def may_write(self) -> bool:
        """As the real driver's: a live fence, and more than the margin left."""
        lease = self.cell.read()
        guarded = self.fence.alive() and (self.node.mutation.unwatched or not self.watchdog.missing)
        good = lease.left(Instant(self.now)) >= self.margin(lease) and guarded
        return good or bool(self.node.mutation.reckless)

    def end(self) -> None:
        self.alive = False

    # --- time, as its threads feel it -------------------------------------------------------------------------------

    def later(self, delay: float, call: Callable[[], None]) -> None:
        """`call` in the loop's thread."""
        self._later(delay, call, loop=True)

    def heart_later(self, delay: float, call: Callable[[], None]) -> None:
        """`call` in another thread of this process."""
        self._later(delay, call, loop=False)

    def _later(self, delay: float, call: Callable[[], None], *, loop: bool) -> None:
        world = self.node.world

        def run() -> None:
            until = max(self.frozen_until, self.stuck_until) if loop else self.frozen_until
            if not self.alive:
                return
            if world.clock.time < until:
                world.at(min(until - world.clock.time, LOOKS_EVERY), run)  # the healing may end it sooner
            else:
                call()

        world.at(delay, run)

    # --- the loop ---------------------------------------------------------------------------------------------------

    def ring(self, delay: float = 0.0) -> None:
        """The bell; rings during a cycle count once, after it."""
        if delay:
            self.later(delay, self.ring)
        elif self._busy:
            self._rung = True
        elif self.alive:
            self._turn_at(max(self.now, self._not_before))

    def _turn_at(self, at: float) -> None:
        self._number += 1
        number = self._number
        self.later(at - self.now, lambda: self._turn() if self._number == number and not self._busy else None)

    def _turn(self) -> None:
        self._busy, self._rung = True, False
        self.turned = self.now
        self.pace_ttl = self.settings.ttl
        self.fence.start()
        self.driver.begin()
        name, fault = self.node.name, self._see_to_watchdog()
        host = Host(name, f"postgres://{name}:5432/postgres", f"http://{name}:8008/patroni", "4.1.0", self.node.tags,
                    bootstrap=self.node.bootstrap, watchdog_fault=fault)  # fmt: skip
        start = CycleStart(Instant(self.now), self.node.clock.wall(), host, self.memory, self.cell.read(),
                           self.jobs.look(), self.order, self.promise.read(), self.keeper.found())  # fmt: skip
        self._step(start, cycle(start), None)

    def _see_to_watchdog(self) -> str:
        fault = lead.see_to_watchdog(self.hands, self.settings)  # type: ignore[arg-type]
        return "" if self.node.mutation.unwatched else fault

    def _step(self, start: CycleStart, running: Cycle, answer: object) -> None:
        try:
            request = running.send(answer)
        except StopIteration as ended:
            self.jobs.forget(start.job)
            self._after(ended.value)
            return
        self.driver.perform(request, lambda found: self._answered(start, running, found))

    def _answered(self, start: CycleStart, running: Cycle, found: object) -> None:
        guarded = self.node.world.now >= self.fence.frozen_until
        if isinstance(found, Answer) and guarded and self.node.world.last_effect():
            self.node.world.tell(f"{self.node.name}: dies in the midst of its cycle")
            self.node.kill_agent()
            self.node.world.at(1.0, self.node.start_agent)
        else:
            self._step(start, running, found)

    def _after(self, result: CycleResult) -> None:
        view, decision = result.view, result.decision
        self.driver.observer.decided(view, decision)
        if self.decision is None or self.decision.rule != decision.rule:
            self.node.world.tell(f"{self.node.name}: {decision.rule} {decision.sentence} {decision.reason}")
        self._busy = False
        self.memory, self.decision, self.shown = decision.memory, decision, view
        self.progress, self.pace_ttl = self.now, view.settings.ttl
        running = self.jobs.running
        self.interest = interest(view, decision, self.store.revision, running.job if running else None)
        if self.order is not None and outcomes.taken_up(self.order, self.jobs.look()):
            self.order = None
        if self.driver.quitting:
            self.node.world.tell(f"{self.node.name}: quits: {self.driver.quitting}")
            self.end()
            return
        self._rest(result)

    def _rest(self, result: CycleResult) -> None:
        wake_at, self._not_before = max(self.now, result.decision.wake_at), self.now + SHORTEST
        if result.cut_short is not None:
            wake_at = self._not_before = self.now + self._backoff.failed()
        else:
            self._backoff.worked()
        lead_ended = result.view.lease.held and not self.cell.read().held
        if self._rung or lead_ended:
            wake_at = self.now
        self._turn_at(max(wake_at, self._not_before))
