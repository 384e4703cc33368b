"""One seed → one history: a cluster is made, suffers, heals; the checkers say what they think of it."""

from dataclasses import dataclass, field

from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import InprocStore
from pgctl.model.member import Tags
from pgctl.model.server import Phase
from pgctl.units import Seconds
from tests.sim.faults import SPAN, Fault, Injector, draw
from tests.sim.node import Node
from tests.sim.world import World

NAMES = ["a", "b", "c"]
BIRTH = 20.0


@dataclass
class Verdict:
    """What a history came to. `violations` empty: nothing was found; `unknown` never passes for that."""

    seed: int
    violations: list[str]
    faults: list[Fault]
    story: list[str] = field(repr=False, default_factory=list)
    leaders: int = 0


def run(seed: int, faults: list[Fault] | None = None, ttl: float | None = None) -> Verdict:
    """Plays the history of `seed`; with `faults` given, those instead of the drawn ones (for shrinking)."""
    world = World(seed)
    lease = ttl if ttl is not None else world.random.choice((5.0, 15.0, 30.0))
    document: dict[str, object] = {
        "ttl": lease,
        "loop_wait": min(10.0, lease / 3),
        "retry_timeout": max(1.0, lease / 10),
    }
    admin = ClusterStore(InprocStore(world.universe, "operator", world.clock), "sim")
    barred = world.random.choice(NAMES) if world.random.random() < 0.2 else ""
    nodes = {
        name: Node(world, name, bootstrap=document, tags=Tags(nofailover=name == barred, published={})) for name in NAMES
    }
    for node in nodes.values():
        node.peers = {name: other for name, other in nodes.items() if other is not node}
    for node in nodes.values():
        node.start_agent()
    watch(world, nodes)
    world.begin()
    drawn = draw(world, NAMES) if faults is None else faults
    world.run(world.now + BIRTH)
    injector = Injector(world, nodes, admin)
    injector.plan(drawn)
    world.run(world.now + SPAN + 20)
    injector.heal()
    world.run(world.now + 2 * lease + 45)
    check_end(world, admin)
    return Verdict(seed, world.violations, drawn, world.story, len({name for _, name in world.acknowledged}))


def watch(world: World, nodes: dict[str, Node]) -> None:
    """A change of the leader key, the intent or the settings wakes every member that can hear of it."""
    seen: dict[str, object] = {}

    def look() -> None:
        items = {
            key: item
            for key, item in world.universe.values().items()
            if key in ("leader", "failover", "config", "initialize")
        }
        if items != seen:
            seen.clear()
            seen.update(items)
            for node in nodes.values():
                if not node.cut_from_store:
                    node.wake(world.random.uniform(0.001, 0.05))
        world.at(0.02, look)

    world.at(0.02, look)


def check_end(world: World, admin: ClusterStore) -> None:
    """Liveness, once healed: one primary that holds the key, everybody else streaming from it; no surprise in the log."""
    primaries = [name for name, server in world.servers.items() if server.writable]
    if len(primaries) != 1:
        phases = ", ".join(f"{name} {server.phase}" for name, server in world.servers.items())
        world.violation(f"LIV9 not one primary after healing: {phases}")
        return
    leader = primaries[0]
    holder = admin.read(budget=Seconds(1)).leader_name
    if holder != leader:
        world.violation(f"LIV9 the primary is {leader}, the leader key says {holder}")
    for name, server in world.servers.items():
        if name != leader and not (server.phase is Phase.STANDBY and server.streams):
            world.violation(f"LIV5 {name} does not stream after healing: {server.phase} upstream {server.upstream}")
