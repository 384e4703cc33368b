"""The dictionary store under a clock that is set by hand: faults, delays, and the end of leases, to the second."""

import pytest

from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Seconds
from tests.unit.dcs.hand_clock import HandClock

BUDGET = Seconds(2)
TTL = Seconds(30)


def world(fault: Fault = Fault(), verb: str = "") -> tuple[HandClock, Universe, InprocStore, InprocStore]:
    """Clock, universe, and members a and b; `fault` befalls a's calls of `verb`."""
    clock = HandClock()
    universe = Universe(clock, lambda member, name: fault if (member, name) == ("a", verb) else Fault())
    return clock, universe, InprocStore(universe, "a", clock), InprocStore(universe, "b", clock)


def test_a_lease_ends_at_its_instant() -> None:
    clock, universe, a, b = world()
    held = a.hold("leader", "a", ttl=TTL, budget=BUDGET)
    assert isinstance(held, Applied) and held.deadline == 130 and universe.next_deadline() == 130
    clock.time = 129.999
    assert isinstance(b.hold("leader", "b", ttl=TTL, budget=BUDGET), Rejected)
    clock.time = 130
    assert isinstance(a.renew(ttl=TTL, budget=BUDGET), Rejected)
    assert isinstance(b.hold("leader", "b", ttl=TTL, budget=BUDGET), Applied)


def test_a_refused_call_changes_nothing_and_takes_no_time() -> None:
    clock, universe, a, _ = world(Fault(Fate.REFUSED), "hold")
    with pytest.raises(StoreUnreachable):
        a.hold("leader", "a", ttl=TTL, budget=BUDGET)
    assert universe.values() == {} and clock.time == 100


@pytest.mark.parametrize(("fault", "there"), [
    (Fault(Fate.REQUEST_LOST), False),
    (Fault(Fate.REPLY_LOST), True),
    (Fault(Fate.SERVED, Seconds(3)), True),  # served too late
])
def test_a_lost_message_costs_the_budget_and_the_outcome_is_unknown(fault: Fault, there: bool) -> None:
    clock, universe, a, _ = world(fault, "put")
    with pytest.raises(OutcomeUnknown):
        a.put("config", "1", budget=BUDGET)
    assert (universe.values() == {"config": "1"}) is there and clock.time == 102


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.REQUEST_LOST, Fate.REPLY_LOST])
def test_a_lost_reading_is_never_unknown(fate: Fate) -> None:
    _, _, a, _ = world(Fault(fate), "snapshot")
    with pytest.raises(StoreUnreachable):
        a.snapshot(budget=BUDGET)


def test_a_delay_shortens_the_belief_and_not_the_promise() -> None:
    clock, universe, a, _ = world(Fault(delay=Seconds(1.5)), "hold")
    held = a.hold("leader", "a", ttl=TTL, budget=BUDGET)
    assert isinstance(held, Applied) and held.deadline == 130
    assert clock.time == 101.5 and universe.next_deadline() == 131.5


def test_a_plan_may_change_and_an_unknown_hold_is_settled_by_repeating_it() -> None:
    _, universe, a, _ = world(Fault(Fate.REPLY_LOST), "hold")
    with pytest.raises(OutcomeUnknown):
        a.hold("leader", "a", ttl=TTL, budget=BUDGET)
    universe.plan = lambda member, verb: Fault()
    assert isinstance(a.hold("leader", "a", ttl=TTL, budget=BUDGET), Applied)
    assert a.snapshot(budget=BUDGET).items["leader"].mine


def test_listeners_hear_of_every_change() -> None:
    clock, universe, a, b = world()
    heard: list[frozenset[str]] = []
    universe.listeners.append(heard.append)
    a.hold("leader", "a", ttl=Seconds(5), budget=BUDGET)
    a.put("members/a", "{}", leased=True, ttl=TTL, budget=BUDGET)
    b.put("config", "1", budget=BUDGET)
    b.put("config", "2", expect=universe.revision, budget=BUDGET)
    clock.time += 5
    assert universe.values() == {"config": "2"}
    assert heard == [{"leader"}, {"members/a"}, {"config"}, {"config"}, {"leader", "members/a"}]


def test_the_same_plan_gives_the_same_history() -> None:
    def history() -> list[object]:
        _, universe, a, b = world(Fault(Fate.REQUEST_LOST), "renew")
        told: list[object] = [a.hold("leader", "a", ttl=TTL, budget=BUDGET)]
        with pytest.raises(OutcomeUnknown):
            a.renew(ttl=TTL, budget=BUDGET)
        return [*told, b.snapshot(budget=BUDGET), universe.values()]

    assert history() == history()
