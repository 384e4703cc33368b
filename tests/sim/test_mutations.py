"""The checkers can fail: each guard broken on purpose breaks the law that it keeps, within few seeds.

The same histories with the guards whole break nothing; so it is the guard that is seen.
"""

from collections.abc import Callable

import pytest

from tests.sim import generators
from tests.sim.generators import LEADER, Act, Plan
from tests.sim.history import run
from tests.sim.modes import Mode
from tests.sim.node import SOUND, Mutation


def frozen_agents(seed: int) -> Plan:
    return generators.draw(seed, kinds=("freeze agent", "kill agent"))


def cut_leaders(seed: int) -> Plan:
    return generators.draw(seed, kinds=("cut store",))


def stuck_restart(seed: int) -> Plan:
    """A primary's restart takes longer than its lease lasts, and the fence looks away just then, as it may once."""
    acts = (
        Act(10.0, "slow stop", LEADER, 60.0, number=3.5 + seed / 10),
        Act(10.1, "restart", LEADER),
        Act(10.2, "cut store", LEADER, 25.0),
        Act(13.2, "freeze fence", LEADER, 4.9),
    )
    return Plan(5.0, "", acts)


def forgotten_promise(seed: int) -> Plan:
    """The store is gone for the leader; a member is started anew right after its promise, and then the leader freezes."""
    acts = (
        Act(10.0, "cut store", LEADER, 60.0),
        *(Act(24.0 + seed / 4, "restart agent", name, 0.2) for name in ("a", "b", "c")),
    )
    return Plan(15.0, "", acts, Mode.FAILSAFE)


def silent_members(seed: int) -> Plan:
    """The leader reaches neither the store nor one of the members, which reach the store."""
    acts = (
        Act(10.0, "cut store", LEADER, 40.0),
        Act(10.0, "cut link", LEADER, 40.0, "b"),
        Act(10.0, "cut link", LEADER, 40.0, "c"),
        Act(10.0, "cut link", LEADER, 40.0, "a"),
    )
    return Plan(15.0, "", acts, Mode.FAILSAFE)


def frozen_machines(seed: int) -> Plan:
    """Agent and fence of the leader stand still, and its server goes on."""
    return Plan(15.0, "", (Act(10.0 + seed / 4, "freeze guards", LEADER, 45.0),), Mode.WATCHED)


def broken_devices(seed: int) -> Plan:
    fail = (Act(10.0, "watchdog fails", name, 60.0) for name in generators.NAMES)
    return Plan(15.0, "", (*fail, *(Act(13.0 + seed, "failover", name) for name in "bc")), Mode.WATCHED)


def planned(seed: int) -> Plan:
    return Plan(15.0, "", (Act(10.0 + seed, "switchover", LEADER),), Mode.WATCHED)


def standbys_that_lag(seed: int) -> Plan:
    """The consumer of a logical slot goes on, and the standbys hear of it by the store alone."""
    return Plan(15.0, "", tuple(Act(10.0 + seed, "cut link", LEADER, 30.0, name) for name in generators.NAMES), Mode.LOGICAL)


MUTATIONS = [
    pytest.param(Mutation(unfenced=True), frozen_agents, "INV4 one writable", id="without a fence"),
    pytest.param(Mutation(reckless=True), stuck_restart, "INV4 one writable", id="without asking for the lease"),
    pytest.param(Mutation(boast=10.0), cut_leaders, "INV5 lease", id="believing a longer lease"),
    pytest.param(Mutation(forgetful=True), forgotten_promise, "INV7 promises kept", id="forgetting a promise"),
    pytest.param(Mutation(presumptuous=True), silent_members, "INV6 members agreed", id="taking silence for consent"),
    pytest.param(Mutation(presumptuous=True), silent_members, "INV4 one writable", id="taking silence for consent, again"),
    pytest.param(Mutation(deaf=True), frozen_machines, "INV4 one writable", id="without a reset"),
    pytest.param(Mutation(unwatched=True), broken_devices, "INV21 required guards", id="without asking for the watchdog"),
    pytest.param(Mutation(boastful=True), standbys_that_lag, "INV30 moved no further", id="moving a slot too far"),
    pytest.param(Mutation(hasty=True), planned, "INV20 closed harmless", id="closing the watchdog first"),
]
SEEDS = 12


@pytest.mark.sim
@pytest.mark.parametrize(("mutation", "plan", "law"), MUTATIONS)
def test_a_broken_guard_is_found(mutation: Mutation, plan: Callable[[int], Plan], law: str) -> None:
    found = {finding.law for seed in range(SEEDS) for finding in run(seed, plan(seed), mutation).violations}
    assert law in found


@pytest.mark.sim
@pytest.mark.parametrize("plan", [
    frozen_agents, stuck_restart, cut_leaders, forgotten_promise, silent_members, frozen_machines, broken_devices, planned,
    standbys_that_lag,
])
def test_the_same_histories_break_nothing_with_sound_guards(plan: Callable[[int], Plan]) -> None:
    for seed in range(SEEDS):
        assert not run(seed, plan(seed), SOUND).violations


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(3))
def test_a_lowered_ttl_whose_answer_is_lost_counts_as_lowered(seed: int) -> None:
    """The store keeps the key for the new ttl; the leader hears nothing of it, and is then cut off."""
    acts = (
        Act(10.0, "ttl", LEADER, number=5.0),
        Act(10.4, "lose replies", LEADER, 8.6, number=5.0),
        Act(19.0, "cut store", LEADER, 40.0),
    )
    assert not run(seed, Plan(30.0, "", acts)).violations
