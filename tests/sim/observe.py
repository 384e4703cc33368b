"""What the record tells of the cycles of simulated agents: looks on, and changes nothing."""

from typing import Any

from pgctl.agent.core import decide
from pgctl.agent.core import effects as e
from pgctl.agent.core.job import Rebuild, Restart, Rewind, Stop
from pgctl.agent.core.view import Decision, View
from pgctl.model.server import Phase
from tests.sim.postgres_model import records
from tests.sim.record_agents import Astray, PauseSeen, Redecided, Said, SyncAsked, SyncRefused, Told

STOPPING = (Stop, Restart, Rebuild, Rewind)
AGAIN_EVERY = 16
"""Of so many cycles one is decided on twice."""


class Observer:
    """Of one life of an agent."""

    def __init__(self, agent: Any) -> None:
        self._agent, self._node, self._world = agent, agent.node, agent.node.world
        self._said: tuple[str, bool] | None = None
        self._paused: bool | None = None
        self._cycles = 0
        self._refused: list[str] | None = None
        """Effects of this cycle since a write of `/sync` was not applied."""

    def decided(self, view: View, decision: Decision) -> None:
        """After each cycle."""
        now, name = self._world.now, self._node.name
        self._cycles += 1
        if self._refused is not None:
            self._world.note(SyncRefused(now, name, tuple(self._refused)))
            self._refused = None
        if self._cycles % AGAIN_EVERY == 1:
            again = decide.decide(view)
            same = (again.rule, again.effects, again.reason) == (decision.rule, decision.effects, decision.reason)
            self._world.note(Redecided(now, name, decision.rule, same))
        if self._paused is not view.settings.pause:
            self._paused = view.settings.pause
            self._world.note(PauseSeen(now, name, self._paused))
        other = view.cluster is not None and view.cluster.leader_name not in (None, name)
        if other and view.server.phase is Phase.PRIMARY and not view.settings.pause:
            under_way = view.job is not None and not view.job.ended and isinstance(view.job.job, STOPPING)
            ordered = any(_stops(each) for each in decision.effects)
            self._world.note(Astray(now, name, decision.rule, under_way or ordered))

    def asked(self, request: e.Request[Any]) -> None:
        """Before each request of a cycle."""
        if self._refused is not None:
            self._refused.append(type(request).__name__)
        match request:
            case e.WriteSync(revision=expected):
                view = self._agent.shown
                planned = view.cluster.revision("sync") if view is not None and view.cluster is not None else 0
                self._world.note(SyncAsked(self._world.now, self._node.name, planned, expected))
            case e.WriteStatus(status):
                log = len(self._node.server.wal)
                self._world.note(Told(self._world.now, self._node.name, records(status.optime), log))
            case e.Publish(member):
                self._publishes(str(member.role), member.checkpoint_pending)

    def answered(self, request: e.Request[Any], answer: object) -> None:
        """After it."""
        if isinstance(request, e.WriteSync) and isinstance(answer, e.Answer) and answer.outcome is not e.Outcome.APPLIED:
            self._refused = []

    def _publishes(self, role: str, pending: bool) -> None:
        server = self._node.server
        if self._said != (role, pending):
            self._said = (role, pending)
            self._world.note(Said(self._world.now, self._node.name, role, str(server.phase), pending, server.checkpointed))


def _stops(effect: e.Request[Any]) -> bool:
    """A deed that stops the server, or the end of one that started it."""
    return isinstance(effect, e.CancelJob) or (isinstance(effect, e.StartJob) and isinstance(effect.job, STOPPING))
