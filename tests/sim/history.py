"""One seed → one history: a cluster is made, suffers, heals; the checkers say what they think of it."""

from dataclasses import dataclass, field

from pgctl.agent.core.remote import NAME as REMOTE
from pgctl.agent.watcher import matters
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import InprocStore
from pgctl.model.cluster import Revision
from pgctl.model.member import Tags
from pgctl.units import Seconds
from tests.sim import checkers, generators, spread, stored
from tests.sim.checkers import Finding
from tests.sim.checks import liveness
from tests.sim.faults import Injector
from tests.sim.generators import NAMES, SPAN, Plan
from tests.sim.modes import TABLE, Mode
from tests.sim.node import SOUND, Mutation, Node
from tests.sim.record import End, IntentSet, KeySet, Opened, Record, Standing, SyncSet
from tests.sim.record_agents import Claimed, Configured
from tests.sim.remote_model import Remote
from tests.sim.world import World

BIRTH = 20.0
"""Seconds for the cluster to be made, at most."""
HARD_BIRTH = 100.0
"""With faults in it."""


@dataclass
class Outcome:
    """What a history came to; `violations` are the findings that do not pass."""

    seed: int
    plan: Plan
    record: Record
    violations: list[Finding]
    findings: list[Finding]
    """Of every law of the mode."""
    story: list[str] = field(repr=False, default_factory=list)
    mutation: Mutation = SOUND
    """What was broken on purpose."""

    @property
    def leaders(self) -> int:
        return len({event.member for event in self.record.events if isinstance(event, Opened)})


def run(seed: int, plan: Plan | None = None, mutation: Mutation = SOUND, mode: Mode = Mode.ASYNCHRONOUS) -> Outcome:
    """Plays the history of `seed` in a mode; with a plan given, that one instead of the drawn one (for shrinking)."""
    world, drawn = World(seed), plan or generators.draw(seed, mode)
    admin = ClusterStore(InprocStore(world.universe, "operator", world.clock), "sim")
    remote = Remote(world, NAMES) if drawn.mode is Mode.STANDBY else None
    nodes = _nodes(world, drawn, mutation)
    Watchers(world, nodes)
    world.replication.begin(world.now)
    injector = Injector(world, nodes, admin, remote)
    injector.plan(drawn.birth)
    _settle(world, admin, HARD_BIRTH if drawn.birth else BIRTH, steady=2.0)
    injector.plan(drawn.acts)
    over = min(SPAN + 10.0, max((act.at + act.lasts for act in drawn.acts), default=0.0))
    world.run(world.now + over + drawn.after)
    injector.heal()
    ttl = admin.read(budget=Seconds(1)).settings.ttl
    settled = _settle(world, admin, 2 * ttl + 45, steady=ttl + 15)
    world.record.end = _end(world, admin, settled)
    findings = checkers.check(world.record)
    found = [finding for finding in findings if not finding.verdict.passes]
    for finding in found:
        world.tell(f"VIOLATION {finding}")
    return Outcome(seed, drawn, world.record, found, findings, world.story, mutation)


def _settle(world: World, admin: ClusterStore, within: float, *, steady: float) -> float:
    """Runs until all has been in order for `steady` seconds, and at most `within`; after how many seconds it was."""
    begun = since = world.now
    while world.now < min(begun + within, since + steady):
        world.run(min(begun + within, world.now + 1.0))
        if not liveness.settled(Record(end=_end(world, admin), mode=world.record.mode)):
            since = world.now
    return since - begun


def _nodes(world: World, plan: Plan, mutation: Mutation) -> dict[str, Node]:
    document = plan.document
    world.record.mode, world.record.count, world.record.patience = plan.mode, max(1, plan.count), plan.patience
    world.record.barred = frozenset({plan.barred} - {""})
    nodes = {}
    for name in NAMES:
        tags = Tags(nofailover=name == plan.barred, published={})
        nodes[name] = Node(world, name, bootstrap=document, tags=tags, mutation=mutation)
        nodes[name].watchdog_mode, nodes[name].server.version = TABLE[plan.mode].watchdog, TABLE[plan.mode].version
        nodes[name].server.boasts = 1000 if mutation.boastful else 0
    for node in nodes.values():
        node.peers = {name: other for name, other in nodes.items() if other is not node}
        node.start_agent()
    return nodes


class Watchers:
    """What members hear of a changed key, if they can hear; and who held the leader key when it went."""

    def __init__(self, world: World, nodes: dict[str, Node]) -> None:
        self._world, self._nodes = world, nodes
        self._holder: tuple[str, Revision] | None = None
        world.universe.listeners.append(self._changed)

    def _changed(self, keys: frozenset[str]) -> None:
        for node in self._nodes.values():
            if node.agent is not None and not node.cut_from_store and matters(keys, node.agent.interest):
                node.ring(self._world.random.uniform(0.001, 0.05))
        notes = {"leader": self._leader_changed, "sync": self._sync_changed, "failover": self._intent_changed,
                 "initialize": self._claimed, "config": self._configured}  # fmt: skip
        for key in sorted(keys & notes.keys()):
            self._world.at(0.0, notes[key])

    def _leader_changed(self) -> None:
        row = self._world.universe.rows.get("leader")
        holder = (row.value, row.revision) if row is not None else None
        if self._holder is not None and (holder is None or holder[0] != self._holder[0]):
            self._nodes[self._holder[0]].key_gone(self._holder[1])
        if holder is None or self._holder is None or holder[0] != self._holder[0]:
            self._world.tell(f"leader key: {holder[0] if holder else 'nobody'}")
            self._world.note(self._key_set(holder[0] if holder else None))
        self._holder = holder

    def _key_set(self, holder: str | None) -> KeySet:
        world, universe = self._world, self._world.universe
        server, intent = world.servers.get(holder or ""), stored.intent(universe)
        named = intent.candidate if intent is not None and not intent.switchover else None
        return KeySet(world.now, holder, str(server.phase) if server else "", server.timeline if server else 1,
                      stored.latest_timeline(universe), stored.sync(universe), named, stored.paused(universe))  # fmt: skip

    def _sync_changed(self) -> None:
        sync = stored.sync(self._world.universe)
        self._world.tell(f"/sync: {sync.leader or 'nobody'} with {', '.join(sync.standbys) or 'nobody'}, {sync.quorum}")
        self._world.note(SyncSet(self._world.now, sync, *spread.of(self._world)))

    def _claimed(self) -> None:
        row = self._world.universe.rows.get("initialize")
        self._world.note(Claimed(self._world.now, row.value if row is not None else None))

    def _configured(self) -> None:
        self._world.note(Configured(self._world.now, stored.paused(self._world.universe)))

    def _intent_changed(self) -> None:
        universe = self._world.universe
        revision = stored.revision(universe, "failover") if stored.intent(universe) is not None else 0
        self._world.note(IntentSet(self._world.now, revision))


def _end(world: World, admin: ClusterStore, settled: float = 0.0) -> End:
    cluster = admin.read(budget=Seconds(1))
    servers = tuple(
        Standing(name, str(server.phase), server.streams, server.writable, tuple(server.wal),
                 tuple(server.slots.items()), server.timeline, server.identifier, len(server.waiting), server.upstream)
        for name, server in world.servers.items()
        if name in NAMES
    )  # fmt: skip
    return End(world.now, cluster.leader_name, servers, cluster.known_identifier, cluster.sync, cluster.intent is not None,
               settled, cluster.settings.ttl, cluster.journal,
               REMOTE if cluster.settings.standby_cluster else None)  # fmt: skip
