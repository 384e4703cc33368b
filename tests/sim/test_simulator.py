"""A bounded number of seeds for every run; any other range by hand: `make simulate SEEDS=... START=... MODE=...`."""

import os

import pytest

from tests.sim.checkers import LAWS, Verdict
from tests.sim.generators import LEADER, NAMES, Act, Plan
from tests.sim.history import run
from tests.sim.modes import LIVE, Mode
from tests.sim.record import Closed
from tests.sim.shrink import shorter

ALIVE = 63
"""Histories that show that the simulated world is alive."""
CRASH = Act(10.1, "crash server", LEADER)
RARE = {
    "INV4 stops without the key": Plan(5.0, "", (
        Act(5.0, "pause", "a", 40.0), Act(7.0, "cut store", LEADER, 30.0),
        Act(20.0, "failover", "b"), Act(20.1, "failover", "c"),
    ), Mode.PAUSE),
    "INV7 promises kept": Plan(15.0, "", (
        Act(10.0, "cut store", LEADER, 60.0), Act(30.0, "lose host", LEADER, 40.0),
    ), Mode.FAILSAFE),
    "INV8 nofailover": Plan(5.0, "a", (Act(10.0, "lose host", LEADER, 40.0),)),
    "INV23 alien untouched": Plan(5.0, "", tuple(Act(10.0, "replace data", name, 5.0) for name in NAMES)),
    "INV32 failure drops the claim": Plan(5.0, "", (), birth=tuple(Act(0.1, "fail jobs", name, 3.0) for name in NAMES)),
    "LIV1 led again": Plan(5.0, "", (Act(10.0, "lose host", LEADER, 40.0),)),
    "LIV3 key set free": Plan(5.0, "", (Act(10.0, "fail jobs", LEADER, 40.0), CRASH), patience=4.0),
    "LIV11 resumes": Plan(5.0, "", (Act(10.0, "pause", "a", 10.0),)),
}  # fmt: skip
"""Laws that few histories put to the test, with one that does."""
SEEDS = int(os.environ.get("PGCTL_SIM_SEEDS", "240"))
GROUP = 20


@pytest.mark.sim
@pytest.mark.parametrize("start", range(0, SEEDS, GROUP))
def test_no_seed_breaks_an_invariant(start: int) -> None:
    """The live modes in turn."""
    for seed in range(start, start + GROUP):
        outcome = run(seed, mode=LIVE[seed % len(LIVE)])
        assert not outcome.violations, shorter(outcome)


@pytest.mark.sim
@pytest.mark.parametrize("mode", LIVE)
def test_a_seed_replays_exactly(mode: Mode) -> None:
    assert run(7, mode=mode).story == run(7, mode=mode).story


@pytest.mark.sim
def test_the_world_is_alive() -> None:
    """Over some seeds leaders change, records are lost and kept, and nearly every law is put to the test.

    Which law no history of so few tries is left to `test_a_rare_law_is_tried`.
    """
    outcomes = [run(seed, mode=LIVE[seed % len(LIVE)]) for seed in range(300, 300 + ALIVE)]
    assert sum(outcome.leaders > 1 for outcome in outcomes) >= ALIVE / 3
    assert sum(any(isinstance(event, Closed) for event in outcome.record.events) for outcome in outcomes) >= ALIVE / 2
    assert min(len(outcome.record.acknowledged) for outcome in outcomes) > 400
    held = {finding.law for outcome in outcomes for finding in outcome.findings if finding.verdict is Verdict.YES}
    assert {law.name for law in LAWS if not law.modes.isdisjoint(LIVE)} - held <= RARE.keys()


@pytest.mark.sim
@pytest.mark.parametrize("law", RARE)
def test_a_rare_law_is_tried(law: str) -> None:
    """By a history that is about it."""
    outcome = run(1, RARE[law])
    assert not outcome.violations, shorter(outcome)
    assert law in {finding.law for finding in outcome.findings if finding.verdict is Verdict.YES}
