"""A history that breaks a law is cut down to what matters, and what is printed of it plays it again."""

from dataclasses import replace

import pytest

from tests.sim.generators import Act, Plan, draw
from tests.sim.history import Outcome, run
from tests.sim.modes import LIVE, Mode
from tests.sim.node import Mutation
from tests.sim.shrink import shorter, shrunk, words

UNFENCED = Mutation(unfenced=True)
NOISE = ("restart agent", "stray slots", "jump clock", "late requests")


def broken() -> Outcome:
    """A frozen leader without a fence, in the midst of harmless acts."""
    drawn = draw(5, kinds=NOISE)
    acts = sorted((*drawn.acts, Act(30.0, "freeze agent", "leader", 45.0)), key=lambda act: act.at)
    birth = (Act(0.5, "jump clock", "a", 1.0, number=8.0),)
    found = run(5, replace(drawn, ttl=5.0, acts=tuple(acts), birth=birth), UNFENCED)
    assert "INV4 one writable" in laws(found) and len(found.plan.acts) > 3
    return found


def laws(outcome: Outcome) -> set[str]:
    return {finding.law for finding in outcome.violations}


def said(text: str) -> Plan:
    found = eval(text, {"Plan": Plan, "Act": Act, "Mode": Mode})
    assert isinstance(found, Plan)
    return found


@pytest.mark.sim
def test_only_the_acts_are_left_that_break_the_law() -> None:
    assert [act.kind for act in shrunk(broken()).plan.acts] == ["freeze agent"]
    assert shrunk(broken()).plan.birth == ()


@pytest.mark.sim
def test_what_is_printed_plays_the_history_again() -> None:
    found = broken()
    printed = shorter(found)
    (again,) = [line for line in printed.split("\n") if line.startswith("again: ")]
    text = again.removeprefix("again: run(5, ").removesuffix(")")
    replayed = run(5, said(text), UNFENCED)
    assert replayed.story == shrunk(found).story and "INV4 one writable" in laws(replayed)
    assert not run(5, said(text)).violations, "with its fence it breaks nothing"


@pytest.mark.parametrize("mode", LIVE)
def test_every_plan_can_be_said(mode: Mode) -> None:
    for seed in range(40):
        assert said(words(draw(seed, mode))) == draw(seed, mode)
