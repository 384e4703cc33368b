"""Faults do what they say: the clocks of a host, a store whose readings are old, a heartbeat that stalls, a full disk."""

import pytest

from pgctl.units import Seconds
from tests.sim.generators import LEADER, NAMES, Act, Plan
from tests.sim.history import run
from tests.sim.host_clock import DRIFT, HostClock
from tests.sim.modes import FAULTS, ORDERS


def told(*acts: Act, ttl: float = 5.0) -> list[str]:
    outcome = run(1, Plan(ttl, "", acts))
    assert not outcome.violations
    return outcome.story


@pytest.mark.sim
def test_a_clock_that_drifts_never_runs_back() -> None:
    time = [100.0]
    clock = HostClock(lambda: time[0], lambda: time[0])
    shown = [clock.now()]
    for rate in (1 - DRIFT, 1 + DRIFT, 1.0):
        clock.run_at(rate)
        time[0] += 30.0
        shown.append(clock.now())
    assert [round(later - earlier, 6) for earlier, later in zip(shown, shown[1:], strict=False)] == [29.97, 30.03, 30.0]
    assert clock.true(clock.now() + 3) == pytest.approx(time[0] + 3)
    clock.wall_off = -7.0
    assert clock.wall() == Seconds(time[0] - 7)


@pytest.mark.sim
def test_a_leader_whose_heartbeat_stalls_steps_down_in_time() -> None:
    assert any("lead.20" in line for line in told(Act(10.0, "stall heartbeat", LEADER, 20.0)))


@pytest.mark.sim
def test_a_full_disk_ends_the_server_and_keeps_it_from_coming_back() -> None:
    story = told(Act(10.0, "full disk", LEADER, 8.0))
    assert any("takes no more writes (a full disk)" in line for line in story)
    assert any("No space left on device" in line for line in story)


@pytest.mark.sim
@pytest.mark.parametrize("kind", ["switchover", "scheduled switchover"])
@pytest.mark.parametrize("member", [LEADER, *NAMES])
def test_a_switchover_moves_the_lead_whoever_is_struck(kind: str, member: str) -> None:
    """The member that leads is not its own candidate: the order then names nobody."""
    holders = [line.split()[-1] for line in told(Act(10.0, kind, member)) if "leader key: " in line]
    first, nobody, second = holders
    assert nobody == "nobody" and second != first and member in {LEADER, first, second}


@pytest.mark.sim
@pytest.mark.parametrize("kind", sorted({*FAULTS, *ORDERS} - {"cut short"}))
def test_each_act_alone_heals(kind: str) -> None:
    """And each is a word that the injector knows."""
    for number in (5.0, 30.0):
        assert any(kind in line for line in told(Act(10.0, kind, LEADER, 8.0, "b", number)))
