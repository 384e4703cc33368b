"""Puts the acts of a plan into the world, and takes them out again; at the end everything heals.

Agent and fence of one member never fail at once: of the two guards one has to work, which is what is claimed. Both at once
is a frozen machine, or two processes shot within seconds; against that there is only the kernel's watchdog, and it happens
only in the mode that requires one.
"""

from collections.abc import Callable

from pgctl.dcs.cluster_store import ClusterStore
from pgctl.model.server import Phase
from tests.sim import generators
from tests.sim.generators import Act
from tests.sim.host_clock import DRIFT
from tests.sim.node import Node
from tests.sim.orders import SOON, Deed, Operator
from tests.sim.record import Struck
from tests.sim.record_agents import Alien, Spared
from tests.sim.remote_model import Remote
from tests.sim.world import World

FENCE_MOST = 8.0
JUMPS = {5.0: -3600.0, 8.0: -7.0, 15.0: 7.0, 30.0: 3600.0}
"""Seconds by which a wall clock jumps, by an act's number."""


def _runs(node: Node) -> bool:
    return node.server.running


def _is_up(node: Node) -> bool:
    return node.server.phase in (Phase.PRIMARY, Phase.STANDBY)


def _is_alive(node: Node) -> bool:
    return node.alive


FIT: dict[str, Callable[[Node], bool]] = {
    **dict.fromkeys(("crash server", "stop server", "full disk", "hang server"), _runs),
    **dict.fromkeys(("kill backend", "stray slots"), _is_up),
    **dict.fromkeys(("restart", "reinitialize", "kill agent", "restart agent", "freeze agent", "stick loop"), _is_alive),
    **dict.fromkeys(("freeze guards", "kill guards"), _is_alive),
    "cancel commits": lambda node: bool(node.server.waiting),
    "replace data": lambda node: not node.server.writable and node.host_up,
}
"""Whom an act of a kind can strike."""


class Injector:
    """`admin` is the operator's way to the store, which always works."""

    def __init__(self, world: World, nodes: dict[str, Node], admin: ClusterStore, remote: Remote | None = None) -> None:
        self._world, self._nodes, self._admin, self._remote = world, nodes, admin, remote
        self._operator = Operator(world, nodes, admin)
        self._spans: dict[tuple[str, str], int] = {}

    def plan(self, acts: tuple[Act, ...]) -> None:
        for act in acts:
            self._world.at(act.at, self._striking(act))

    def _striking(self, act: Act) -> Callable[[], None]:
        def strike() -> None:
            node = self._member(act)
            until = self._world.now + act.lasts
            self._world.note(Struck(self._world.now, act.kind, node.name, until, act.order))
            self._world.tell(f"{'ORDER' if act.order else 'FAULT'} {str(act).strip()} {node.name}")
            if self._deeds(act, node)[act.kind]() is False:
                self._world.note(Spared(self._world.now, act.kind, node.name))

        return strike

    def _member(self, act: Act) -> Node:
        """Whom it names; or who is there to be struck, if that one is not."""
        named = self._nodes[act.member] if act.member != generators.LEADER else self._leading()
        fit = FIT.get(act.kind)
        return named if fit is None else next((node for node in (named, *self._nodes.values()) if fit(node)), named)

    def _leading(self) -> Node:
        found = (node for node in self._nodes.values() if node.server.writable)
        return next(found, self._nodes[self._operator.leader or "a"])

    def _deeds(self, act: Act, node: Node) -> dict[str, Deed]:
        lasts = act.lasts
        return {
            **(self._remote.deeds(lasts) if self._remote else {}),
            **self._operator.deeds(act, node),
            "kill agent": lambda: self._kill(node, lasts),
            "restart agent": lambda: self._kill(node, min(lasts, 2.0)),
            "freeze agent": lambda: self._freeze(node, lasts),
            "stick loop": lambda: self._fail(node, "stuck_until", lasts),
            "crash server": node.crash_server,
            "stop server": node.stop_server,
            "kill backend": node.kill_backend,
            "cancel commits": lambda: self._cancel(node),
            "hang server": lambda: self._hang(node, lasts),
            "slow stop": lambda: self._span(node, "slow_stop", lasts, act.number, 0.0),
            "fail jobs": lambda: self._span(node, "fail_jobs", lasts, True, False),
            "lose host": lambda: self._lose_host(node, lasts),
            "cut store": lambda: self._span(node, "cut_from_store", lasts, True, False),
            "cut store from all": self._each(lambda each: self._span(each, "cut_from_store", lasts, True, False)),
            "cut link": lambda: self._cut(frozenset((node.name, act.other)), lasts),
            "cut way": lambda: self._cut_way((node.name, act.other), lasts),
            "lose replies": lambda: self._span(node, "lose_replies", lasts, 0.5 if act.number > 10 else 1.0, 0.0),
            "late requests": lambda: self._span(node, "late_requests", lasts, 12.0, 0.0),
            "freeze guards": lambda: self._freeze_guards(node, lasts),
            "kill guards": lambda: self._kill_guards(node, lasts),
            "watchdog fails": lambda: self._span(node.device, "broken", lasts, True, False),
            "freeze fence": lambda: self._freeze_fence(node, min(lasts, FENCE_MOST)),
            "stall heartbeat": lambda: self._fail(node, "pulseless_until", lasts),
            "slow disk": lambda: self._span(node.server, "slow_disk", lasts, act.number / 10, 0.0),
            "full disk": lambda: self._full_disk(node, lasts),
            "stale reads": lambda: self._span(node, "stale_for", lasts, min(act.number, 8.0), 0.0),
            "elect store": lambda: self._elect_store(min(lasts, 3.0)),
            "jump clock": lambda: self._span(node.clock, "wall_off", lasts, JUMPS[act.number], 0.0),
            "drift clock": lambda: node.clock.run_at(1 + DRIFT if act.number > 10 else 1 - DRIFT),
            "cut short": lambda: setattr(self._world, "effects_left", int(act.number)),
            "late fence": lambda: self._span(node.fence, "late", lasts, 0.25, 0.0),
            "replace data": lambda: self._replace_data(node, min(lasts, 8.0)),
        }

    def _each(self, strike: Callable[[Node], None]) -> Callable[[], None]:
        def all_of_them() -> None:
            for node in self._nodes.values():
                strike(node)

        return all_of_them

    def _span(self, target: object, name: str, lasts: float, value: object, healed: object) -> None:
        """For a while; spans of one kind that overlap end with the last one."""
        key = (str(id(target)), name)
        self._spans[key] = number = self._spans.get(key, 0) + 1
        setattr(target, name, value)

        def end() -> None:
            if self._spans[key] == number:
                setattr(target, name, healed)
                for node in self._nodes.values():
                    node.ring(0.1)

        self._world.at(lasts, end)

    # --- agents, fences, hosts --------------------------------------------------------------------------------------

    def _agent_may_fail(self, node: Node) -> bool:
        return self._world.now >= node.fence.frozen_until

    def _kill(self, node: Node, lasts: float) -> bool:
        if not self._agent_may_fail(node):
            return False
        node.kill_agent()
        self._world.at(lasts, node.start_agent)
        return True

    def _fail(self, node: Node, how: str, lasts: float) -> bool:
        """An agent that lives and does nothing, in one of three ways, for a while."""
        if not self._agent_may_fail(node) or node.agent is None:
            return False
        setattr(node.agent, how, self._world.now + lasts)
        return True

    def _freeze(self, node: Node, lasts: float) -> bool:
        """Starts it anew afterwards: the fence may end an agent that is frozen."""
        frozen = self._fail(node, "frozen_until", lasts)
        if frozen:
            self._world.at(lasts + 1.0, node.start_agent)
        return frozen

    def _hang(self, node: Node, lasts: float) -> bool:
        if node.server.running:
            self._span(node.server, "hung", lasts, True, False)
        return node.server.running

    def _cancel(self, node: Node) -> bool:
        """All clients that wait for standbys give up, and others come."""
        waited = bool(node.server.waiting)
        node.server.waiting.clear()
        return waited

    def _full_disk(self, node: Node, lasts: float) -> bool:
        """A server that cannot write its log panics, and no deed of ours gets anywhere either."""
        self._span(node, "fail_jobs", lasts, True, False)
        return node.crash_server("a full disk")

    def _freeze_fence(self, node: Node, lasts: float) -> bool:
        """Not with a failing agent; and the agent that is to stand in must find out in time."""
        agent = node.agent
        failing = max(agent.frozen_until, agent.stuck_until, agent.pulseless_until) if agent is not None else 0.0
        if not node.alive or self._world.now < failing:
            return False
        node.fence.frozen_until = self._world.now + lasts
        return True

    def _freeze_guards(self, node: Node, lasts: float) -> bool:
        """The whole machine stands still, but for the server: only the kernel's watchdog is left."""
        frozen = self._freeze(node, lasts)
        if frozen:
            node.fence.frozen_until = self._world.now + lasts
        return frozen

    def _kill_guards(self, node: Node, lasts: float) -> bool:
        killed = self._kill(node, lasts)
        if killed:
            node.fence.die()
        return killed

    def _lose_host(self, node: Node, lasts: float) -> None:
        node.lose_host()
        self._world.at(lasts, node.boot)

    def _replace_data(self, node: Node, lasts: float) -> bool:
        """Another cluster's data lies where a standby's was, until somebody takes it away.

        Not where the only copy is that may be promoted, nor where `/sync`'s leader was, which may be that copy with nobody
        listed beside it: only a person's word could end what follows.
        """
        if node.server.writable or not node.host_up or self._admin.read(budget=SOON).sync.leads(node.name):
            return False
        if not self._others_may_lead(node):
            return False
        node.lose_host()
        server = node.server
        server.empty()
        server.identifier, server.phase, server.control = "7999999999999999999", Phase.DOWN, "shut down"
        self._world.note(Alien(self._world.now, node.name, True))
        node.boot()
        self._world.at(lasts, lambda: self._take_away(node))
        return True

    def _others_may_lead(self, node: Node) -> bool:
        """Somebody else who may lead has data of the latest timeline."""
        ours = self._admin.read(budget=SOON).known_identifier
        held = {name: one.server.timeline for name, one in self._nodes.items()
                if one.server.phase is not Phase.EMPTY and one.server.identifier == ours}
        latest, barred = max(held.values(), default=0), {node.name, *self._world.record.barred}
        return any(line == latest for name, line in held.items() if name not in barred)

    def _take_away(self, node: Node) -> None:
        ours = self._admin.read(budget=SOON).known_identifier
        if ours and node.server.identifier not in (None, ours):
            node.server.empty()
            self._world.note(Alien(self._world.now, node.name, False))
        node.boot()

    # --- the store ----------------------------------------------------------------------------------------------------

    def _elect_store(self, lasts: float) -> None:
        """The store has no leader for a moment; the new one gives every lease its whole time again, as etcd does."""
        self._each(lambda each: self._span(each, "cut_from_store", lasts, True, False))()

        def elected() -> None:
            universe = self._world.universe
            for number, lease in list(universe.leases.items()):
                universe.extend(number, lease.ttl)
            self._world.keep_leases()

        self._world.at(lasts, elected)

    def _cut(self, link: frozenset[str], lasts: float) -> None:
        self._world.cut_links.add(link)
        self._world.at(lasts, lambda: self._world.cut_links.discard(link))

    def _cut_way(self, way: tuple[str, str], lasts: float) -> None:
        self._world.cut_ways.add(way)
        self._world.at(lasts, lambda: self._world.cut_ways.discard(way))

    def heal(self) -> None:
        """Everything works again, and whoever is gone comes back."""
        self._world.tell("everything heals")
        self._world.cut_links.clear()
        self._world.cut_ways.clear()
        self._operator.configure(pause=False)
        if self._remote is not None:
            self._remote.restart()
        for node in self._nodes.values():
            self._take_away(node)
            node.cut_from_store, node.fail_jobs, node.host_up, node.server.hung = False, False, True, False
            node.device.broken = False
            node.stale_for = node.clock.wall_off = node.server.slow_disk = 0.0
            node.lose_replies = node.late_requests = node.slow_stop = node.fence.late = node.fence.frozen_until = 0.0
            if node.agent is not None:
                node.agent.frozen_until = node.agent.stuck_until = node.agent.pulseless_until = 0.0
            node.start_agent()
            node.ring(0.1)
