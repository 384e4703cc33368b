"""Faults and operator orders of one history, drawn from its seed; at the end everything heals.

Agent and fence of one member never fail at once: that is the kernel watchdog's case, not ours.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pgctl.dcs.cluster_store import ClusterStore
from pgctl.model.intent import Intent
from pgctl.units import Seconds
from tests.sim.node import Node
from tests.sim.world import World

SPAN = 90.0


@dataclass(frozen=True)
class Fault:
    """What happens at `at` (seconds from the start), said in words that a person can replay."""

    at: float
    kind: str
    member: str
    lasts: float = 0.0
    other: str = ""

    def __str__(self) -> str:
        extra = f" {self.other}" if self.other else ""
        return f"{self.at:7.2f}  {self.kind} {self.member}{extra}  {self.lasts:.1f}s"


KINDS = (
    "kill agent",
    "freeze agent",
    "crash server",
    "lose host",
    "cut store",
    "cut link",
    "freeze fence",
    "lose replies",
    "hang server",
    "stop server",
    "switchover",
    "switchover",
    "failover",
)


def draw(world: World, names: list[str]) -> list[Fault]:
    """Between two and nine faults, in the order of their time."""
    rng = world.random
    drawn = []
    for _ in range(rng.randint(2, 9)):
        kind, member = rng.choice(KINDS), rng.choice(names)
        other = rng.choice([name for name in names if name != member] or [member])
        drawn.append(
            Fault(
                rng.uniform(5, SPAN),
                kind,
                member,
                rng.choice((0.5, 3.0, 8.0, 20.0, 45.0)) * rng.uniform(0.5, 1.0),
                other,
            )
        )
    return sorted(drawn, key=lambda fault: fault.at)


class Injector:
    """Puts faults into the world, and takes them out again."""

    def __init__(self, world: World, nodes: dict[str, Node], admin: ClusterStore) -> None:
        self.world, self.nodes, self.admin = world, nodes, admin

    def plan(self, faults: list[Fault]) -> None:
        for fault in faults:
            self.world.at(fault.at, self._strike(fault))

    def _strike(self, fault: Fault) -> Callable[[], None]:
        node = self.nodes[fault.member]
        deeds: dict[str, Callable[[], None]] = {
            "kill agent": lambda: self._kill(node, fault.lasts),
            "freeze agent": lambda: self._freeze(node, fault.lasts),
            "crash server": lambda: node.stop_server(clean=False),
            "stop server": lambda: node.stop_server(clean=True),
            "hang server": lambda: setattr(node.server, "hung", True),
            "lose host": lambda: self._lose_host(node, fault.lasts),
            "cut store": lambda: self._for(fault.lasts, node, "cut_from_store", True, False),
            "lose replies": lambda: self._for(fault.lasts, node, "lose_replies", 0.5, 0.0),
            "cut link": lambda: self._cut(frozenset((fault.member, fault.other)), fault.lasts),
            "freeze fence": lambda: self._freeze_fence(node, fault.lasts),
            "switchover": lambda: self._order(Intent(self._leader(), fault.member)),
            "failover": lambda: self._order(Intent(None, fault.member)),
        }

        def strike() -> None:
            self.world.tell(
                f"FAULT {fault.kind} {fault.member} {fault.other if fault.kind == 'cut link' else ''} {fault.lasts:.1f}s"
            )
            deeds[fault.kind]()

        return strike

    def _for(self, lasts: float, node: Node, name: str, value: object, healed: object) -> None:
        setattr(node, name, value)
        self.world.at(lasts, lambda: setattr(node, name, healed))

    def _kill(self, node: Node, lasts: float) -> None:
        if node.world.now < node.fence.frozen_until:
            return
        node.kill_agent()
        self.world.at(lasts, lambda: self._revive(node))

    def _revive(self, node: Node) -> None:
        if not node.alive and node.host_up:
            node.start_agent()

    def _freeze(self, node: Node, lasts: float) -> None:
        if node.world.now >= node.fence.frozen_until:
            node.freeze(lasts)
            self.world.at(lasts + 1.0, lambda: self._revive(node))

    def _freeze_fence(self, node: Node, lasts: float) -> None:
        if node.alive and node.world.now >= node.frozen_until and not node.cut_from_store:
            lasts = min(lasts, 8.0)
            node.fence.frozen_until = node.world.now + lasts

    def _lose_host(self, node: Node, lasts: float) -> None:
        node.kill_agent()
        node.server.crash()
        node.host_up = False
        node.fence.disarm()

        def back() -> None:
            node.host_up = True
            self._revive(node)

        self.world.at(lasts, back)

    def _cut(self, link: frozenset[str], lasts: float) -> None:
        self.world.cut_links.add(link)
        self.world.at(lasts, lambda: self.world.cut_links.discard(link))

    def _leader(self) -> str | None:
        found = self.admin.read(budget=Seconds(1)).leader_name
        return str(found) if found else None

    def _order(self, intent: Intent) -> None:
        if intent.leader != intent.candidate and (intent.leader or intent.candidate):
            self.admin.write_intent(intent, budget=Seconds(1))
            for node in self.nodes.values():
                node.wake(0.01)

    def heal(self) -> None:
        """Everything works again, and whoever is gone comes back."""
        self.world.tell("everything heals")
        self.world.cut_links.clear()
        for node in self.nodes.values():
            node.cut_from_store, node.lose_replies, node.host_up = False, 0.0, True
            node.frozen_until, node.fence.frozen_until, node.server.hung = self.world.now, 0.0, False
            self._revive(node)
