"""One simulated host: a server, a fence, and the agent that lives on it at present; what faults do to them.

Agent and fence can each be killed or frozen; the server can crash and hang; the host can be cut off and lost.
"""

from dataclasses import dataclass

from pgctl.agent.core import report
from pgctl.agent.core.effects import Peer
from pgctl.agent.core.view import Lease
from pgctl.model.cluster import Revision
from pgctl.model.lsn import Lsn
from pgctl.model.member import MemberName, Tags
from pgctl.model.server import Phase
from pgctl.units import Instant
from tests.sim import stored
from tests.sim.agent_model import Agent
from tests.sim.failsafe_model import Disk
from tests.sim.fence_model import FenceModel
from tests.sim.host_clock import TOLERATED, HostClock
from tests.sim.postgres_model import Server
from tests.sim.record import Closed, LeadLost, NamesSet, Opened, SetFree
from tests.sim.record_agents import AgentBegan
from tests.sim.watchdog_model import DeviceModel, MarkModel
from tests.sim.world import World


@dataclass(frozen=True)
class Mutation:
    """What is broken on purpose, to see that the checkers find it."""

    unfenced: bool = False
    reckless: bool = False
    """Deeds that can make the server writable do not ask for the lease."""
    boast: float = 0.0
    """Seconds that the heartbeat adds to each renewal."""
    forgetful: bool = False
    """What an agent promised a leader without the store is not known to its next life."""
    presumptuous: bool = False
    """A leader without the store takes silence for consent."""
    unwatched: bool = False
    """A watchdog that is required is not asked for before a deed."""
    hasty: bool = False
    """Whoever steps down closes the watchdog first."""
    boastful: bool = False
    """A standby says that it has replayed more than it has."""
    deaf: bool = False
    """The watchdog resets no machine."""


SOUND = Mutation()


class Node:
    """`peers` are the other hosts, by name."""

    def __init__(self, world: World, name: str, *, bootstrap: dict[str, object], tags: Tags, mutation: Mutation) -> None:
        self.world, self.name, self.tags = world, MemberName(name), tags
        self.bootstrap, self.mutation = bootstrap, mutation
        self.server = world.servers.setdefault(name, Server(name, self._opened, self._closed, self._renamed))
        self.fence = FenceModel(self, broken=mutation.unfenced)
        self.device, self.mark, self.watchdog_mode = DeviceModel(self), MarkModel(), "off"
        self.disk = Disk(forgetful=mutation.forgetful)
        self.agent: Agent | None = None
        self.peers: dict[str, Node] = {}
        self.host_up = True
        self.clock = HostClock(lambda: world.now, world.clock.wall)
        self.cut_from_store = self.fail_jobs = False
        self.lose_replies = self.late_requests = self.slow_stop = self.stale_for = 0.0
        self._released: set[Revision] = set()

    # --- the agent --------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        return self.agent is not None and self.agent.alive

    @property
    def frozen(self) -> bool:
        return self.agent is not None and self.world.now < self.agent.frozen_until

    def start_agent(self) -> None:
        if self.host_up and not self.alive:
            self.world.tell(f"{self.name}: agent starts")
            self.world.note(AgentBegan(self.world.now, self.name))
            self.agent = Agent(self)
            self.agent.start()

    def kill_agent(self) -> None:
        if self.agent is not None:
            self.agent.end()

    def end_frozen_agent(self) -> None:
        if self.alive:
            self.world.tell(f"{self.name}: the fence ends the agent")
            self.kill_agent()

    def ring(self, delay: float = 0.0) -> None:
        if self.agent is not None:
            self.agent.ring(delay)

    # --- the server -------------------------------------------------------------------------------------------------

    def stop_server(self, how: str = "stopped") -> None:
        """A fast stop: it takes a moment, and is clean unless somebody loses patience. A server that hangs hears of it
        when it goes on.
        """
        server, number = self.server, self.server.starts

        def begin() -> None:
            if server.starts != number or not server.running:
                return
            if server.hung:
                self.world.at(0.5, begin)
                return
            server.begin_stop(how)
            self.world.at(self.world.random.uniform(0.02, 0.3) + self.slow_stop, end)

        def end() -> None:
            if server.starts != number or server.phase is not Phase.STOPPING:
                return
            if not server.hung:
                self.world.replication.drain(server)
                server.finish()
            if server.hung or self.world.replication.owed(server):
                self.world.at(0.5, end)
                return
            server.end_stop()
            self.ring()

        begin()

    def crash_server(self, how: str = "crashed") -> bool:
        """Whether there was a server to crash."""
        if not self.server.running:
            return False
        self.server.crash(how)
        self.ring()
        return True

    def kill_backend(self) -> bool:
        """Whether there was one: its postmaster starts the server over."""
        server = self.server
        if server.hung or server.phase not in (Phase.PRIMARY, Phase.STANDBY):
            return False
        server.start_over("started over")
        number = server.starts
        self.world.at(self.world.random.uniform(0.05, 1.0), lambda: server.come_up() if server.starts == number else None)
        self.ring()
        return True

    def lose_host(self) -> None:
        self.kill_agent()
        self.server.lose_tail()
        self.server.vanish()
        self.fence.lose()
        self.disk.lose()
        self.device.lose()
        self.mark.remove()
        self.host_up = False

    def boot(self) -> None:
        self.host_up = True
        self.server.appear()
        self.start_agent()

    def _opened(self, server: Server, how: str) -> None:
        self.world.tell(f"{server.name}: takes writes ({how}) on timeline {server.timeline}")
        sync = stored.sync(self.world.universe)
        self.world.note(Opened(self.world.now, server.name, how, tuple(server.wal), server.timeline, sync))
        if how == "started" and self.agent is not None and self.agent.settings.pause and not self.fence.armed:
            self.world.note(SetFree(self.world.now, server.name, True))  # as it was before an ordered restart

    def _closed(self, server: Server, how: str) -> None:
        self.world.tell(f"{server.name}: takes no more writes ({how})")
        self.world.note(Closed(self.world.now, server.name, how))
        self.world.note(SetFree(self.world.now, server.name, False))

    def _renamed(self, server: Server) -> None:
        self.world.tell(f"{server.name}: synchronous_standby_names {server.names_text!r}")
        self.world.note(NamesSet(self.world.now, server.name, server.names_text))

    # --- as others see it -------------------------------------------------------------------------------------------

    def silent(self, name: str) -> bool:
        """Whether a question to that member gets no answer at all; a refused connection is one."""
        other = self.peers.get(name)
        return other is None or not other.host_up or other.frozen or not self.world.linked(self.name, name)

    def ask(self, name: str) -> Peer:
        other = self.peers.get(name)
        agent = None if other is None or self.silent(name) or not other.alive else other.agent
        if other is None or agent is None or agent.shown is None:
            return Peer(name, False, problem="no answer")
        server, cluster = agent.shown.server, agent.shown.cluster
        return Peer(name, server.lsn is not None, server.phase is Phase.PRIMARY, server.lsn or Lsn(0), server.timeline,
                    other.tags, looked=cluster is None or cluster.leader is None,
                    watchdog_failed=bool(agent.shown.host.watchdog_fault), failsafe=agent.failsafe_active,
                    state=report.state(agent.shown))  # fmt: skip

    # --- the leader key ---------------------------------------------------------------------------------------------

    def released(self, revision: Revision) -> None:
        self._released.add(revision)

    def _believed(self) -> Lease:
        """The lead that my agent believes in, if it does."""
        lease = self.agent.cell.read() if self.agent is not None and self.alive else Lease()
        return lease if lease.left(Instant(self.clock.now())) > TOLERATED else Lease()

    def key_gone(self, revision: Revision) -> None:
        """The store let my leader key go: by then I must not have believed in it, unless I gave it up or was promised it."""
        lease = self._believed()
        if lease.held and not lease.failsafe and revision not in self._released:
            self.world.note(LeadLost(self.world.now, self.name, lease.deadline))

    def took_lead(self) -> None:
        """The store has told me that the key is mine: nobody else may lead by what members promised."""
        for other in self.peers.values():
            lease = other._believed()
            if lease.failsafe:
                self.world.note(LeadLost(self.world.now, other.name, lease.deadline))
