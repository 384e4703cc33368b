"""Stopping after any effect is safe: an agent dies after the n-th effect of a deed, comes back, and all is well again."""

import pytest

from tests.sim.generators import LEADER, Act, Plan
from tests.sim.history import run
from tests.sim.shrink import shorter

DEEDS = ("switchover", "failover", "crash server", "lose host", "restart", "reinitialize", "ttl", "kill agent")


@pytest.mark.sim
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("ttl", [5.0, 30.0])
def test_a_deed_cut_short_at_any_place_is_picked_up(deed: str, ttl: float) -> None:
    member = LEADER if deed in ("crash server", "lose host", "restart", "kill agent") else "b"
    for effects in range(1, 16):
        acts = (Act(10.0, "cut short", member, number=effects), Act(10.0, deed, member, 3.0, number=ttl / 2 + 5))
        outcome = run(effects, Plan(ttl, "", acts))
        assert not outcome.violations, shorter(outcome)
        assert any("dies in the midst" in line for line in outcome.story)
