"""A bounded number of seeds for every run; any other range by hand: `make simulate SEEDS=... START=... MODE=...`."""

import os

import pytest

from tests.sim.history import run
from tests.sim.modes import LIVE, Mode
from tests.sim.shrink import shorter

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
    """Over some seeds leaders change, records are lost and kept, and every law has something to look at."""
    outcomes = [run(seed) for seed in range(300, 324)]
    assert sum(outcome.leaders > 1 for outcome in outcomes) >= 6
    assert min(len(outcome.record.acknowledged) for outcome in outcomes) > 400
