"""How long a leader waits for its own server: what looks add to the memory, and when patience is over."""

from dataclasses import replace

import pytest

from pgctl.agent.core import handover, recovery, remember
from pgctl.agent.core.effects import StartJob
from pgctl.agent.core.job import Job, StartPrimary, Stop
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Host, JobState, Lease, View
from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.member import MemberName
from pgctl.model.server import Phase, ServerState
from pgctl.model.settings import Settings, SyncMode
from pgctl.units import Instant, Wall

ME = MemberName("a")


class Life:
    """Looks at one server, one after the other; the memory goes on."""

    def __init__(self, settings: Settings | None = None, leader: str = "a") -> None:
        self.cluster = Cluster("c", leader=Leader(MemberName(leader), Revision(1), True), settings=settings or Settings())
        self.leads = leader == "a"
        self.memory = Memory()
        self.now = 1000.0

    def look(self, phase: Phase, after: float = 1.0, job: Job | None = None, ended: bool = False) -> View:
        self.now += after
        state = JobState(job, Instant(self.now - 1), ended, ended) if job is not None else None
        lease = Lease(self.leads, Instant(self.now + 20))
        view = View(Instant(self.now), Wall(self.now), Host(ME, "", "", ""), ServerState(phase), self.cluster, job=state,
                    lease=lease, memory=self.memory)
        self.memory = remember.update(view)
        return replace(view, memory=self.memory)


def test_a_third_crash_within_minutes_is_one_too_many() -> None:
    life = Life()
    for count in range(1, 4):
        life.look(Phase.PRIMARY, 30)
        life.look(Phase.DOWN)
        view = life.look(Phase.DOWN)
        assert len(view.memory.crashes) == count
        assert recovery.why_over(view).startswith("it crashed 3 times") is (count == 3)
        life.look(Phase.STARTING, job=StartPrimary())


def test_old_crashes_do_not_count_and_a_stop_is_none() -> None:
    life = Life()
    for _ in range(3):
        life.look(Phase.PRIMARY, 200)
        life.look(Phase.DOWN)
    assert len(life.memory.crashes) == 2
    life.look(Phase.PRIMARY)
    life.look(Phase.STOPPING, job=Stop())
    life.look(Phase.DOWN, job=Stop(), ended=True)
    assert len(life.memory.crashes) == 2
    life.look(Phase.PRIMARY)
    life.look(Phase.HUNG)
    assert len(life.look(Phase.DOWN).memory.crashes) == 3


def test_who_does_not_lead_counts_nothing() -> None:
    life = Life(leader="b")
    life.look(Phase.PRIMARY)
    memory = life.look(Phase.DOWN).memory
    assert (memory.crashes, memory.away_since, memory.primary_up) == ((), None, False)


@pytest.mark.parametrize(("settings", "seconds"), [
    (Settings(), 300.0), (Settings(primary_start_timeout=20), 20.0), (Settings(primary_start_timeout=0), 0.0),
    (Settings(synchronous_mode=SyncMode.ON), 10.0), (Settings(synchronous_mode=SyncMode.ON, primary_start_timeout=5), 5.0),
])
def test_the_time_to_come_up(settings: Settings, seconds: float) -> None:
    """Counted from the first look that found it away, through starts and failures, and ended by a primary."""
    life = Life(settings)
    life.look(Phase.PRIMARY)
    assert recovery.late(life.look(Phase.DOWN)) is (seconds == 0)
    assert recovery.late(life.look(Phase.STARTING, seconds, StartPrimary()))
    assert not recovery.late(life.look(Phase.PRIMARY))


@pytest.mark.parametrize(("settings", "seconds"), [
    (Settings(), 30.0), (Settings(primary_stop_timeout=5), 30.0),
    (Settings(primary_stop_timeout=5, synchronous_mode=SyncMode.ON), 5.0),
    (Settings(primary_stop_timeout=90, synchronous_mode=SyncMode.ON), 90.0),
])
def test_the_time_for_a_stop_in_order(settings: Settings, seconds: float) -> None:
    """With synchronous replication nothing is lost by being short with it."""
    view = Life(settings).look(Phase.PRIMARY)
    for effect in handover.step_aside(view).effects:
        if isinstance(effect, StartJob):
            assert getattr(effect.job, "timeout", None) == seconds
            return
    raise AssertionError("no stop was ordered")
