"""The server contract's model world: the simulator's servers and its deeds, under virtual time."""

from collections.abc import Callable
from dataclasses import dataclass

from pgctl.agent.core import effects as e
from pgctl.agent.core.job import Job
from pgctl.agent.core.view import JobState
from pgctl.model.conf import Conf, SlotPlan, Upstream
from pgctl.model.member import Tags
from pgctl.model.server import ServerState
from tests.contract.lab import Commit, Fate
from tests.sim import modes
from tests.sim.agent_model import Agent
from tests.sim.modes import Mode
from tests.sim.node import SOUND, Node
from tests.sim.world import World

STEP = 0.05


class Hand(Agent):
    """An agent whose loop never turns: its hands alone."""

    allowed = True

    def ring(self, delay: float = 0.0) -> None:
        pass

    def may_write(self) -> bool:
        return self.allowed


@dataclass(frozen=True)
class ModelCommit:
    lab: "ModelLab"
    member: str
    row: int

    @property
    def fate(self) -> Fate:
        server = self.lab.world.servers[self.member]
        if any(self.row == row for _, row, _ in self.lab.world.record.acknowledged):
            return Fate.ACKNOWLEDGED
        if any(self.row == row for _, row, _ in server.waiting):
            return Fate.SENT if server.hung else Fate.WAITING
        return Fate.UNHEARD


class ModelLab:
    """`begin`, `slots` and `configure` are what a simulated agent does for a decision."""

    def __init__(self) -> None:
        self.world = World(1)
        self._hands: dict[str, Hand] = {}
        for name in "abc":
            document = modes.document(Mode.ASYNCHRONOUS, 30.0)
            node = Node(self.world, name, bootstrap=document, tags=Tags(), mutation=SOUND)
            node.agent = self._hands[name] = Hand(node)
        self.world.replication.clients = False
        self.world.replication.begin(self.world.now)

    def conf(self, member: str, *, follows: str = "", names: str | None = None) -> Conf:
        upstream = Upstream(follows, follows, 5432, member) if follows else None
        return Conf(standby=bool(follows), upstream=upstream, sync_names=names)

    def begin(self, member: str, job: Job) -> JobState | None:
        jobs = self._hands[member].jobs
        refusal = jobs.start(job)
        assert not refusal, refusal
        return jobs.look()

    def deed(self, member: str) -> JobState | None:
        return self._hands[member].jobs.look()

    def call_off(self, member: str) -> None:
        self._hands[member].jobs.cancel()

    def lease(self, member: str, *, good: bool) -> None:
        self._hands[member].allowed = good

    def configure(self, member: str, conf: Conf) -> None:
        self._perform(member, e.WriteConf(conf))

    def slots(self, member: str, plan: SlotPlan) -> None:
        self._perform(member, e.SetSlots(plan))

    def _perform(self, member: str, request: e.Request[e.Answer]) -> None:
        answers: list[e.Answer] = []
        self._hands[member].driver.perform(request, answers.append)
        assert self.until(lambda: bool(answers)) and answers[0].outcome is e.Outcome.APPLIED

    def look(self, member: str) -> ServerState:
        server = self.world.servers[member]
        return server.look(self.world.replication.senders(server))

    def rows(self, member: str) -> frozenset[int]:
        server = self.world.servers[member]
        return frozenset(server.wal[: server.flushed]) - {row for _, row, _ in server.waiting}

    def commit(self, member: str) -> Commit:
        row = self.world.replication.commit(self.world.servers[member], self.world.now, 1)
        return ModelCommit(self, member, row)

    def cancel(self, commit: Commit) -> None:
        assert isinstance(commit, ModelCommit)
        self.world.servers[commit.member].cancel(commit.row)

    def crash(self, member: str) -> None:
        self._hands[member].node.crash_server()

    def kill_backend(self, member: str) -> None:
        self._hands[member].node.kill_backend()

    def hang(self, member: str) -> None:
        self.world.servers[member].hung = True

    def resume(self, member: str) -> None:
        self.world.servers[member].hung = False

    def fill_disk(self, member: str) -> None:
        self._hands[member].node.fail_jobs = True
        self._hands[member].node.crash_server("a full disk")

    def empty_disk(self, member: str) -> None:
        self._hands[member].node.fail_jobs = False

    def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> bool:
        until = self.world.now + seconds
        while not holds() and self.world.now < until:
            self.world.run(self.world.now + STEP)
        return holds()

    def close(self) -> None:
        pass
