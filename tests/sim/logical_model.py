"""Logical slots of one simulated host: the work that an agent's slot keeper does on them, a moment after it was asked.

Follows `pgctl.agent.slot_keeper` and `postgresql.logical_slots`, as PostgreSQL 16 would have it: a standby makes slots of
its own, once its leader says which transactions run, and the server moves none past what it has replayed. Slots that are
copied (15) or kept in step by the server (17) are not modelled.
"""

from typing import Any

from pgctl.model.conf import LogicalFound, LogicalPlan
from pgctl.model.lsn import Lsn
from pgctl.model.server import Phase, Slot
from tests.sim.record_agents import SlotMoved

FEED = "feed"
BEHIND = 20
"""Records that a slot's consumer is behind its server."""


def shown(server: Any, position: Any) -> tuple[Slot, ...]:
    """Rows of pg_replication_slots."""
    return tuple(
        Slot(name, "logical", False, position(at), position(at), "postgres", "pgoutput")
        for name, at in sorted(server.logical.items())
    )


def consume(server: Any) -> None:
    """The consumer of a primary's slots goes on."""
    for name, at in server.logical.items():
        server.logical[name] = max(at, server.flushed - BEHIND)


class KeeperModel:
    """Of one life of an agent. The last plan given counts."""

    def __init__(self, agent: Any) -> None:
        self._agent, self._node, self._world = agent, agent.node, agent.node.world
        self._number = 0

    def found(self) -> LogicalFound:
        return LogicalFound()

    def want(self, plan: LogicalPlan, records: Any) -> None:
        """`records` turns a position into a count of records."""
        server = self._node.server
        for slot, at in plan.advance:
            if server.phase is Phase.STANDBY:
                self._world.note(SlotMoved(self._world.now, self._node.name, slot.name, records(at), server.flushed))
        self._number += 1
        number = self._number
        if plan.create or plan.advance:
            delay = self._world.random.uniform(0.02, 2.0)
            self._agent.heart_later(delay, lambda: self._do(plan, records) if self._number == number else None)

    def _do(self, plan: LogicalPlan, records: Any) -> None:
        server = self._node.server
        if server.hung or server.phase not in (Phase.PRIMARY, Phase.STANDBY):
            return
        for slot in plan.create:
            if server.writable or self._hears(plan):
                server.logical.setdefault(slot.name, server.flushed)
        for slot, at in plan.advance:
            if slot.name in server.logical:
                server.logical[slot.name] = max(server.logical[slot.name], min(records(Lsn(at)), server.flushed))

    def _hears(self, plan: LogicalPlan) -> bool:
        leader = self._world.servers.get(plan.leader.name) if plan.leader else None
        return leader is not None and leader.serves and self._world.linked(self._node.name, leader.name)
