"""The one long deed: its slot, its outcome, and its last question before the point of no return."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from pgctl.agent.bell import Bell
from pgctl.agent.core.job import Bootstrap, Clone, Job, Promote, Rebuild, Restart, Rewind, StartPrimary, StartStandby, Stop
from pgctl.agent.core.view import JobState
from pgctl.agent.jobs import Jobs
from pgctl.config.sections import BootstrapSection
from pgctl.errors import ServerError, SourceAway
from pgctl.model.conf import Conf, StopMode, Upstream
from pgctl.model.server import Phase
from pgctl.units import Seconds
from tests.unit.agent.stand_ins import NotedServer, SetClock, eventually

SOURCE = Upstream("a", "192.0.2.1", 5432)
PRIMARY = Conf(standby=False)
SHARED = ServerError("could not start the server", detail="pre-existing shared memory block (key 1, ID 2) is still in use")


@dataclass
class Stand:
    server: NotedServer = field(default_factory=NotedServer)
    clock: SetClock = field(default_factory=SetClock)
    bell: Bell = field(default_factory=Bell)
    may_write: Callable[[], bool] = lambda: True

    def jobs(self) -> Jobs:
        return Jobs(self.server, BootstrapSection(), self.clock, self.bell, lambda: self.may_write())

    def outcome(self, job: Job) -> JobState:
        jobs = self.jobs()
        assert jobs.start(job) == ""
        assert jobs.wait(Seconds(5))
        found = jobs.look()
        assert found is not None and found.ended
        return found


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    for event in stand.server.holds.values():
        event.set()


@pytest.mark.parametrize(("job", "calls"), [
    (Bootstrap(), ["bootstrap"]),
    (Clone(source=SOURCE), ["clone", "start"]),
    (Rebuild(source=SOURCE, why="it cannot follow"), ["stop immediate", "remove_data", "clone", "start"]),
    (Rewind(source=SOURCE), ["rewind", "start"]),
    (StartStandby(), ["start"]),
    (StartStandby(archive_first=True), ["archive and start"]),
    (StartPrimary(conf=PRIMARY), ["start"]),
    (Restart(), ["rehearse", "stop fast", "start"]),
    (Restart(conf=PRIMARY), ["rehearse", "stop fast", "start"]),
    (Stop(mode=StopMode.SMART), ["stop smart"]),
    (Promote(), ["pre_promote", "promote"]),
], ids=lambda value: type(value).__name__ if isinstance(value, Job) else "")  # fmt: skip
def test_each_deed_is_made_of_the_servers_verbs(stand: Stand, job: Job, calls: list[str]) -> None:
    assert stand.outcome(job).ok
    assert stand.server.calls == calls


def test_removing_data_names_the_rule_that_allows_it(stand: Stand) -> None:
    stand.outcome(Rebuild(rule="down.60", source=SOURCE, why="it cannot follow"))
    assert stand.server.reason == "down.60: it cannot follow"


def test_there_is_one_slot_and_the_bell_rings_at_the_end(stand: Stand) -> None:
    stand.server.holds["clone"] = threading.Event()
    jobs = stand.jobs()
    assert jobs.start(Clone(source=SOURCE)) == ""
    assert jobs.start(Stop()) == "clone already in progress"
    running = jobs.running
    assert running is not None and running.job == Clone(source=SOURCE)
    assert eventually(lambda: (jobs.look() or running).message == "copied 1 of 2 MB")
    stand.server.holds["clone"].set()
    assert jobs.wait(Seconds(5))
    assert eventually(lambda: bool(rings(stand.bell)))


def rings(bell: Bell) -> int:
    try:
        return len(os.read(bell.fileno(), 8))
    except BlockingIOError:
        return 0


def test_an_outcome_stays_until_it_is_taken_note_of(stand: Stand) -> None:
    jobs = stand.jobs()
    jobs.start(StartStandby())
    assert jobs.wait(Seconds(5))
    first = jobs.look()
    assert first is not None and first is jobs.look()
    jobs.start(Stop())
    jobs.forget(first)
    assert jobs.wait(Seconds(5))
    second = jobs.look()
    assert second is not None and isinstance(second.job, Stop)
    jobs.forget(second)
    assert jobs.look() is None


def test_a_failure_carries_the_servers_words(stand: Stand) -> None:
    stand.server.fails["rewind"] = [ServerError("pg_rewind failed", detail="no common ancestor")]
    found = stand.outcome(Rewind(source=SOURCE))
    assert not found.ok and found.message == "pg_rewind failed: no common ancestor"


def test_nothing_is_removed_for_a_source_that_does_not_answer(stand: Stand) -> None:
    """And it is told apart from a deed that was begun and failed."""
    stand.server.fails["reach"] = [SourceAway("cannot be copied now")]
    found = stand.outcome(Rebuild(source=SOURCE))
    assert found.unreached and not found.ok and stand.server.calls == []
    stand.server.fails["rewind"] = [ServerError("pg_rewind failed")]
    assert not stand.outcome(Rewind(source=SOURCE)).unreached


def test_a_bug_in_a_deed_ends_the_deed_alone(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise RuntimeError("oops")

    stand.may_write = broken
    found = stand.outcome(StartPrimary(conf=PRIMARY))
    assert found.ended and not found.ok and "see the log" in found.message
    assert "oops" in caplog.text


@pytest.mark.parametrize("job", [StartPrimary(conf=PRIMARY), Restart(conf=PRIMARY), Promote()])
def test_without_the_lease_nothing_becomes_writable(stand: Stand, job: Job) -> None:
    stand.may_write = lambda: False
    assert not stand.outcome(job).ok
    assert "start" not in stand.server.calls and "promote" not in stand.server.calls


def test_a_server_that_could_not_start_again_is_not_stopped(stand: Stand) -> None:
    stand.server.fails["rehearse"] = [ServerError("the server could not start again")]
    assert not stand.outcome(Restart()).ok
    assert "stop fast" not in stand.server.calls


def test_a_standby_restarts_without_a_lease(stand: Stand) -> None:
    stand.may_write = lambda: False
    assert stand.outcome(Restart()).ok


def test_past_its_point_of_no_return_a_promotion_is_irrevocable(stand: Stand) -> None:
    stand.server.holds["promote"] = threading.Event()
    jobs = stand.jobs()
    jobs.start(Promote())
    assert eventually(lambda: jobs.running is not None and jobs.running.irrevocable)
    jobs.cancel("too late")
    stand.server.holds["promote"].set()
    assert jobs.wait(Seconds(5))
    found = jobs.look()
    assert found is not None and found.ok


def test_a_promotion_called_off_before_is_not_done(stand: Stand) -> None:
    stand.server.holds["pre_promote"] = threading.Event()
    jobs = stand.jobs()
    jobs.start(Promote())
    jobs.cancel("the lease is lost")
    stand.server.holds["pre_promote"].set()
    assert jobs.wait(Seconds(5))
    found = jobs.look()
    assert found is not None and not found.ok and not found.irrevocable
    assert stand.server.calls == ["pre_promote"]


def test_a_cancelled_rebuild_leaves_the_data(stand: Stand) -> None:
    stand.server.holds["stop immediate"] = threading.Event()
    jobs = stand.jobs()
    jobs.start(Rebuild(source=SOURCE))
    jobs.cancel("the agent ends")
    stand.server.holds["stop immediate"].set()
    assert jobs.wait(Seconds(5))
    assert stand.server.calls == ["stop immediate"]


def test_a_start_waits_for_what_a_killed_postmaster_left(stand: Stand) -> None:
    stand.server.fails["start"] = [SHARED, SHARED, SHARED]
    assert stand.outcome(StartPrimary(conf=PRIMARY)).ok
    assert stand.server.calls == ["start"] * 4


def test_but_not_for_ever(stand: Stand) -> None:
    stand.server.fails["start"] = [SHARED] * 1000
    assert not stand.outcome(StartPrimary(conf=PRIMARY)).ok
    assert 1010 < stand.clock.time < 1012


def test_a_standby_that_goes_on_starting_has_not_failed(stand: Stand) -> None:
    stand.server.fails["start"] = [ServerError("the server did not accept connections in time")]
    stand.server.phase = Phase.STARTING
    found = stand.outcome(StartStandby())
    assert found.ok and found.message == "it is still starting"


def test_a_standby_that_died_has_failed(stand: Stand) -> None:
    stand.server.fails["start"] = [ServerError("could not start the server")]
    assert not stand.outcome(StartStandby()).ok


def test_a_restart_s_stop_may_have_less_time_than_the_restart(stand: Stand) -> None:
    assert stand.outcome(Restart(conf=PRIMARY, timeout=300, stop_timeout=5)).ok
    assert stand.server.stop_deadline == stand.clock.now() + 5
