"""The long deed of one simulated agent, as `pgctl.agent.jobs`: generators that yield how many seconds they work or wait.

A deed ends with its agent; what a postmaster was told to do, it does without it. So a promotion past its point of no
return, and a server that was told to start, come up whoever lives.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pgctl.agent.core import job as j
from pgctl.agent.core.view import JobState
from pgctl.agent.jobs import PROMOTE_WITHIN, STANDBY_WITHIN
from pgctl.model.conf import Conf, StopMode
from pgctl.model.server import Phase
from pgctl.units import Instant
from tests.sim import stored
from tests.sim.record import JobStarted, Passed, Removed
from tests.sim.record_agents import JobEnded, Rewound

LOOK = 0.05
WORK = {"bootstrap": 1.0, "clone": 1.5, "reinitialize": 1.5, "rewind": 1.0}

Deed = Iterator[float]


class Failed(Exception):
    """A deed that did not work, for a reason that the real one would foresee."""


class Away(Failed):
    """It was not begun: the source does not answer."""


class JobsModel:
    """One slot, as the real one's."""

    def __init__(self, agent: Any) -> None:
        self._agent, self._node, self._world = agent, agent.node, agent.node.world
        self._server = agent.node.server
        self._state: JobState | None = None
        self._cancelled = False

    def look(self) -> JobState | None:
        return self._state

    @property
    def running(self) -> JobState | None:
        return None if self._state is None or self._state.ended else self._state

    def forget(self, seen: JobState | None) -> None:
        if seen is not None and seen.ended and self._state is seen:
            self._state = None

    def cancel(self) -> None:
        self._cancelled = True

    def start(self, job: j.Job) -> str:
        if self._state is not None and not self._state.ended:
            return f"{self._state.job.name} already in progress"
        self._cancelled = False
        self._state = JobState(job, Instant(self._agent.now))
        self._world.tell(f"{self._node.name}: job {job.name} by {job.rule}")
        paused = self._agent.settings.pause
        self._world.note(JobStarted(self._world.now, self._node.name, type(job).__name__, job.rule, paused))
        self._step(self._deed(job))
        return ""

    def _step(self, deed: Deed) -> None:
        try:
            seconds = next(deed)
        except StopIteration:
            self._end(True, "")
        except Failed as failure:
            self._end(False, str(failure), unreached=isinstance(failure, Away))
        else:
            self._agent.heart_later(seconds, lambda: self._step(deed))

    def _end(self, ok: bool, message: str, *, unreached: bool = False) -> None:
        assert self._state is not None
        server = self._server
        self._world.tell(f"{self._node.name}: {self._state.job.name} {message or 'done'}, {server.phase} {server.timeline}")
        self._state = replace(self._state, ended=True, ok=ok, message=message, unreached=unreached)
        self._world.note(JobEnded(self._world.now, self._node.name, type(self._state.job).__name__, ok))
        self._agent.ring()

    # --- the deeds --------------------------------------------------------------------------------------------------

    def _deed(self, job: j.Job) -> Deed:
        if not isinstance(job, j.Stop | j.Rebuild):
            yield from self._fail()
        match job:
            case j.Bootstrap():
                self._require(Phase.EMPTY)
                yield self._work(job)
                yield from self._fail()  # the operator's script
                if self._cancelled:
                    raise Failed("called off")
                self._server.configure(job.conf)
                self._server.initdb(str(7_000_000_000_000_000_000 + self._world.random.randrange(10**9)))
            case j.Clone() | j.Rebuild() | j.Rewind():
                yield from self._copy(job)
                yield from self._start_standby(job.conf)
            case j.StartStandby():
                yield from self._start_standby(job.conf)
            case j.StartPrimary():
                yield from self._start_primary(job.conf, job.timeout)
            case j.Restart():
                yield from self._stop(StopMode.FAST, job.timeout)
                again = self._start_primary(job.conf, job.timeout) if job.primary else self._start_standby(job.conf)
                yield from again
            case j.CopySlots():
                yield from self._stop(StopMode.FAST, job.timeout)
                yield from self._start_standby(job.conf)
            case j.Stop():
                yield from self._stop(job.mode, job.timeout)
            case j.Promote(timeline=timeline):
                yield from self._promote(timeline)
            case _:
                raise AssertionError(f"no deed for {job}")

    def _fail(self) -> Deed:
        if self._node.fail_jobs:
            yield self._between(0.05, 0.5)
            raise Failed("No space left on device")

    def _copy(self, job: j.Clone | j.Rebuild | j.Rewind) -> Deed:
        """The data of the source, as it is at the end; a rewind wants a primary."""
        node, server, rewind = self._node, self._server, isinstance(job, j.Rewind)
        if not isinstance(job, j.Clone):
            self._reach(job)
        if rewind:
            yield from self._stop(StopMode.FAST, 10.0)
        elif isinstance(job, j.Rebuild):
            node.crash_server("stopped")
            leads = stored.holder(self._world.universe) == node.name
            self._world.note(Removed(self._world.now, node.name, job.rule, leads))
            server.empty()
            yield from self._fail()
        yield self._work(job)
        origin = self._source(job)
        if rewind:
            origin.checkpoint()  # as `postgresql.rewind` has it do
            self._world.note(Rewound(self._world.now, node.name, origin.name, not server.running, origin.writable,
                                     origin.checkpointed))
        if server.phase is (Phase.DOWN if rewind else Phase.EMPTY) and not self._cancelled:
            server.copy_from(origin)
        else:
            raise Failed("called off")

    def _source(self, job: j.Clone | j.Rebuild | j.Rewind) -> Any:
        name = job.source.name if job.source else ""
        origin = self._world.servers.get(name)
        usable = origin is not None and origin.serves and (origin.writable or not isinstance(job, j.Rewind))
        if not usable or not self._world.linked(self._node.name, name):
            raise Failed("the source does not answer")
        return origin

    def _reach(self, job: j.Rebuild | j.Rewind) -> None:
        try:
            self._source(job)
        except Failed as failure:
            raise Away(str(failure)) from failure

    def _start_standby(self, conf: Conf) -> Deed:
        self._server.configure(conf)
        self._world.replication.reserve(self._server, conf.upstream)
        yield from self._start(standby=True, within=STANDBY_WITHIN)

    def _start_primary(self, conf: Conf, within: float) -> Deed:
        if not self._agent.may_write():
            raise Failed("the server was not started as a primary")
        self._server.configure(conf)
        self._passed(promotes=False)
        yield self._between(0.0, 0.005)
        yield from self._start(standby=False, within=within)

    def _start(self, *, standby: bool, within: float) -> Deed:
        """A postmaster that was started is left starting when the deed is called off or late."""
        server, until = self._server, self._world.now + within
        self._require(Phase.DOWN)
        server.start(standby=standby)
        number = server.starts
        self._world.at(self._seldom(0.1, 0.8, 15.0), lambda: server.come_up() if server.starts == number else None)
        while server.phase is Phase.STARTING and server.starts == number:
            late = self._world.now > until
            if late and standby:
                return
            if late or self._cancelled:
                raise Failed("called off while the server starts")
            yield LOOK
        if server.phase not in (Phase.STANDBY, Phase.PRIMARY):
            raise Failed("the server did not come up")

    def _stop(self, mode: StopMode, within: float) -> Deed:
        server, node = self._server, self._node
        until = self._world.now + within if within else float("inf")
        if mode is StopMode.IMMEDIATE:
            node.crash_server("stopped")
            return
        yield self._between(0.01, 0.2)
        if node.mutation.hasty:
            self._agent.watchdog.close()
        node.stop_server()
        while server.running:
            if self._world.now > until:
                node.crash_server("stopped")
                raise Failed("the server did not stop in time and was killed")
            if self._cancelled:
                raise Failed("called off")
            yield LOOK

    def _promote(self, timeline: int) -> Deed:
        server = self._server
        self._require(Phase.STANDBY)
        yield self._between(0.0, 0.2)
        if self._cancelled or not self._agent.may_write():
            raise Failed("the lease is nearly out")
        assert self._state is not None
        self._state = replace(self._state, irrevocable=True)
        self._passed(promotes=True)
        yield self._between(0.0, 0.005)
        number, until = server.starts, self._world.now + PROMOTE_WITHIN
        self._world.at(self._seldom(0.05, 0.3, 8.0), lambda: self._promoted(number, timeline))
        while server.phase is Phase.STANDBY and server.starts == number and self._world.now < until:
            yield LOOK
        if server.phase is not Phase.PRIMARY:
            raise Failed("the server was not promoted")

    def _passed(self, *, promotes: bool) -> None:
        left = self._agent.cell.read().left(Instant(self._agent.now))
        self._world.note(Passed(self._world.now, self._node.name, left, stored.holder(self._world.universe), promotes))

    def _promoted(self, number: int, timeline: int) -> None:
        server = self._server
        if server.starts == number and server.phase is Phase.STANDBY:
            server.promote(timeline)
            self._world.at(self._seldom(0.1, 1.0, 8.0), lambda: self._checkpoint(number))

    def _checkpoint(self, number: int) -> None:
        """The first after a promotion, which makes pg_control carry the new timeline."""
        if self._server.starts == number and self._server.writable:
            self._server.checkpoint()

    def _require(self, phase: Phase) -> None:
        if self._server.phase is not phase:
            raise Failed(f"the server is {self._server.phase}, not {phase}")

    def _work(self, job: j.Job) -> float:
        return WORK[job.name] * self._between(0.5, 2.0)

    def _between(self, least: float, most: float) -> float:
        return float(self._world.random.uniform(least, most))

    def _seldom(self, least: float, most: float, longest: float) -> float:
        """Mostly quick, one in ten times up to `longest`."""
        return self._between(least, longest if self._world.random.random() < 0.1 else most)
