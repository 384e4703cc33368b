"""A bounded number of seeds for every run; any other range by hand: `python -m tests.sim.simulate START COUNT`."""

import os

import pytest

from tests.sim.history import run
from tests.sim.shrink import shorter

SEEDS = int(os.environ.get("PGCTL_SIM_SEEDS", "240"))
GROUP = 20


@pytest.mark.sim
@pytest.mark.parametrize("start", range(0, SEEDS, GROUP))
def test_no_seed_breaks_an_invariant(start: int) -> None:
    for seed in range(start, start + GROUP):
        verdict = run(seed)
        assert not verdict.violations, shorter(verdict)


@pytest.mark.sim
def test_a_seed_replays_exactly() -> None:
    assert run(7).story == run(7).story


@pytest.mark.sim
def test_writes_happen_and_leaders_change() -> None:
    """The simulator itself is alive: over some seeds there are several leaders and many writes."""
    verdicts = [run(seed) for seed in range(300, 306)]
    assert max(verdict.leaders for verdict in verdicts) >= 2
