"""What an operator does to a cluster, and what comes and goes there: wishes, settings, orders, slots made by hand.

`faults` strikes with it as with everything else. The operator's own way to the store always works.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from pgctl.agent.core.view import ReinitOrder, RestartOrder
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.model.intent import Intent
from pgctl.model.member import Member, MemberName, State
from pgctl.model.server import Phase
from pgctl.units import Seconds
from tests.sim import modes
from tests.sim.generators import Act
from tests.sim.node import Node
from tests.sim.record_agents import SlotChanged
from tests.sim.remote_model import SECTION
from tests.sim.world import World

SOON = Seconds(1)
Deed = Callable[[], bool | None]
"""False: there was nothing to strike, or the other guard was failing already."""
RETAINED = 10
"""member_slots_ttl once a member has come to go: seconds."""
DROPPED_AFTER = 30.0
"""Seconds after which an order that was not taken up is dropped."""


class Operator:
    """`admin` is its way to the store."""

    def __init__(self, world: World, nodes: dict[str, Node], admin: ClusterStore) -> None:
        self._world, self._nodes, self._admin = world, nodes, admin
        self._orders = 0

    def deeds(self, act: Act, node: Node) -> dict[str, Deed]:
        """What an act on a member comes to, by its kind."""
        return {
            "promote cluster": lambda: self.configure(standby_cluster=None),
            "demote cluster": lambda: self.configure(standby_cluster=SECTION),
            "switchover": lambda: self._switch(node),
            "scheduled switchover": lambda: self._switch(node, self._wall(act.number)),
            "failover": lambda: self._intend(Intent(None, node.name)),
            "pause": lambda: self._pause(act.lasts),
            "restart": lambda: self._order(node, RestartOrder(self._next())),
            "reinitialize": lambda: self._order(node, ReinitOrder(self._next(), force=act.number > 10)),
            "stray slots": lambda: self._slots(node, (modes.KEPT, modes.STRAY)),
            "gone member": self._come_and_go,
            "ttl": lambda: self.configure(**modes.timing(act.number)),
        }

    @property
    def leader(self) -> str | None:
        return self._admin.read(budget=SOON).leader_name

    def configure(self, **changes: object) -> None:
        config = self._admin.read(budget=SOON).config or {}
        self._admin.write_config({**config, **changes}, budget=SOON)
        self._world.keep_leases()

    def _next(self) -> int:
        self._orders += 1
        return self._orders

    def _intend(self, intent: Intent) -> None:
        self._admin.write_intent(intent, budget=SOON)
        self._world.keep_leases()

    def _switch(self, node: Node, at: datetime | None = None) -> None:
        """To the member that is struck; where that one leads, to whoever is fit."""
        leader = self.leader
        self._intend(Intent(leader, node.name if node.name != leader else None, at))

    def _wall(self, after: float) -> datetime:
        return datetime.fromtimestamp(self._world.clock.wall() + after, UTC)

    def _pause(self, lasts: float) -> None:
        self.configure(pause=True)
        self._world.at(lasts, lambda: self.configure(pause=False))

    def _order(self, node: Node, order: RestartOrder | ReinitOrder) -> bool:
        """An order that was not taken up in time is dropped."""
        agent = node.agent
        if agent is None or not agent.alive or agent.order is not None:
            return False
        agent.order = order
        agent.ring()

        def drop() -> None:
            if agent.order is order:
                agent.order = None

        self._world.at(DROPPED_AFTER, drop)
        return True

    def _slots(self, node: Node, names: tuple[str, ...]) -> bool:
        """Somebody makes slots by hand."""
        up = node.server.phase in (Phase.PRIMARY, Phase.STANDBY)
        for name in names if up else ():
            node.server.slots.setdefault(name, node.server.flushed)
            self._world.note(SlotChanged(self._world.now, node.name, name, True))
        return up

    def _come_and_go(self) -> None:
        """Another member registers, and is never heard of again; its slots are retained for a while."""
        self.configure(member_slots_ttl=RETAINED)
        found = Member(MemberName(modes.GONE), "postgres://d:5432/postgres", "http://d:8008/patroni", state=State.STOPPED)
        self._admin.write_member(found, ttl=Seconds(5), budget=SOON)
        self._world.keep_leases()
        for node in self._nodes.values():
            if node.server.writable:
                self._slots(node, (modes.GONE,))
