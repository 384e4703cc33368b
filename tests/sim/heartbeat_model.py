"""The heartbeat of one simulated agent: `core.heartbeat` and the real `LeaseCell`, driven under virtual time.

Follows `pgctl.agent.heartbeat` step by step; where they differ, that one is right.
"""

from typing import Any

from pgctl.agent.core import heartbeat
from pgctl.agent.core.effects import APPLIED, Answer, Outcome, RenewLease
from pgctl.agent.core.heartbeat import Pulse, Rest
from pgctl.dcs.store import Applied, Rejected
from pgctl.model import settings
from pgctl.units import Instant, Seconds


class HeartbeatModel:
    """`agent` is one life of an agent; `boast` seconds are added to what the store granted (a fault of ours, for tests)."""

    def __init__(self, agent: Any, *, boast: float = 0.0) -> None:
        self._agent = agent
        self._boast = boast
        self._beats = heartbeat.heartbeat()
        self._sent = self._arrived = 0

    def start(self) -> None:
        self._perform(next(self._beats))

    def _perform(self, request: Any) -> None:
        match request:
            case Rest(seconds):
                self._tick()
                self._agent.heart_later(seconds, self._rested)
            case RenewLease(ttl):
                self._renew(ttl)
            case _:
                raise AssertionError(f"the heartbeat asked for {request}")

    def _rested(self) -> None:
        agent, world = self._agent, self._agent.node.world
        if world.now < agent.pulseless_until:
            agent.heart_later(agent.pulseless_until - world.now, self._rested)
            return
        self._tick()
        self._perform(self._beats.send(self._pulse()))

    def _pulse(self) -> Pulse:
        agent, lease = self._agent, self._agent.cell.read()
        within = agent.watchdog.within(agent.pace_ttl) if lease.held else agent.pace_ttl
        return Pulse(Instant(agent.now), agent.pace_ttl, lease.held, lease.deadline, Instant(agent.progress), within)

    def _tick(self) -> None:
        if self._agent.now - self._agent.turned <= self._agent.pace_ttl:
            self._agent.fence.tick()

    def _renew(self, ttl: float) -> None:
        agent = self._agent
        lasting = agent.watchdog.within(ttl) if agent.cell.read().held else ttl
        margin = settings.margin(lasting)
        budget = heartbeat.budget(self._pulse(), margin)
        token = agent.cell.token()

        def answered(found: Applied | Rejected | None) -> None:
            self._perform(self._beats.send(self._renewed(token, found, ttl, margin)))

        limited = agent.cell.limit(Instant(agent.now + lasting), margin)
        if limited is not None and not agent.node.mutation.boast:
            agent.fence.move(limited.deadline, margin)
        self._sent += 1
        number = self._sent
        agent.post.send(lambda: self._arrive(number, Seconds(ttl), budget), answered, budget, heart=True)

    def _arrive(self, number: int, ttl: Seconds, budget: Seconds) -> Applied | Rejected | None:
        """At the store. A ttl belongs to a lease there, as in etcd: a late renewal does nothing to a lease that is newer."""
        if number < self._arrived:
            return None
        self._arrived = number
        answer: Applied | Rejected = self._agent.store.renew(ttl, budget=budget)
        return answer

    def _renewed(self, token: int, found: Applied | Rejected | None, ttl: float, margin: float) -> Answer:
        agent = self._agent
        if found is None:
            return Answer(Outcome.UNKNOWN, "no answer")
        if isinstance(found, Rejected):
            before = agent.cell.session
            if agent.cell.lose(token) and before:
                agent.ring()
            return Answer(Outcome.REJECTED, found.reason)
        if found.deadline is not None:
            deadline = self._watched(Instant(found.deadline + self._boast), ttl)
            lease = agent.cell.extend(token, deadline, Instant(agent.now), margin)
            if lease.held:
                agent.fence.move(lease.deadline, margin)
        return APPLIED

    def _watched(self, deadline: Instant, ttl: float) -> Instant:
        """Pings the watchdog of a lead that rests on the store."""
        agent, lease = self._agent, self._agent.cell.read()
        if not lease.held or lease.failsafe or not agent.watchdog.open:
            return deadline
        believed: Instant = agent.watchdog.keep(deadline, ttl)
        if not agent.watchdog.open:
            agent.ring()
        return believed
