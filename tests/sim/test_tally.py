"""The tally of a range says what happened in it, and above all what did not."""

import random

import pytest

from tests.sim.checkers import LAWS, Finding, Verdict
from tests.sim.generators import LEADER, NAMES, Act, Plan, draw
from tests.sim.history import run
from tests.sim.modes import LIVE, Mode, acts, drawable
from tests.sim.record import Struck
from tests.sim.record_agents import Spared
from tests.sim.tally import Tally

HELD, OTHER = "INV3 key never overwritten", "INV8 nofailover"


def line(tally: Tally, name: str, mode: Mode = Mode.ASYNCHRONOUS) -> str:
    """The words that follow `name`."""
    found = [each for each in tally.lines([mode]) if each.startswith(f"{name} ")]
    assert len(found) == 1
    return " ".join(found[0].removeprefix(name).split())


def test_what_was_made_came_to_nothing_and_never_happened_is_told() -> None:
    tally, second = Tally(), Tally()
    tally.add([Struck(1, "lose host", "a", 2), Struck(3, "hang server", "a", 4), Spared(3, "hang server", "a")],
              [Finding(HELD, Verdict.YES), Finding(OTHER, Verdict.UNTRIED)])  # fmt: skip
    second.add([Struck(1, "lose host", "b", 2)], [Finding(HELD, Verdict.NO, ("seen",))])
    tally.merge(second)
    assert line(tally, "lose host") == "made 2 to no effect 0"
    assert line(tally, "hang server") == "made 0 to no effect 1 NEVER MADE"
    assert line(tally, "full disk") == "made 0 to no effect 0 NEVER MADE"
    assert line(tally, HELD) == "held 1 broken 1 untried 0"
    assert line(tally, OTHER) == "held 0 broken 0 untried 1 NEVER TRIED"


@pytest.mark.parametrize("mode", LIVE)
def test_every_act_and_every_law_of_the_mode_has_its_line(mode: Mode) -> None:
    told = "".join(Tally().lines([mode]))
    for name in drawable(mode) | {law.name for law in LAWS if mode in law.modes}:
        assert f"{name} " in told
    assert told.count("NEVER") == told.count("\n")


@pytest.mark.parametrize("mode", LIVE)
def test_no_act_is_drawn_that_has_no_line(mode: Mode) -> None:
    drawn = {kind for seed in range(40) for kind in acts(mode, random.Random(seed))}
    plans = [draw(seed, mode) for seed in range(40)]
    drawn |= {act.kind for plan in plans for act in plan.acts + plan.birth}
    assert drawn <= drawable(mode)


@pytest.mark.sim
def test_an_act_that_finds_nothing_to_strike_is_not_counted_as_made() -> None:
    """Another server hangs in place of one that is down, if one runs; and a fence does not freeze while its agent does."""
    outcome = run(1, Plan(5.0, "", (
        Act(10.0, "freeze agent", "a", 8.0), Act(10.5, "freeze fence", "a", 2.0),
        Act(30.0, "lose host", LEADER, 20.0), Act(35.0, "hang server", LEADER, 1.0),
        *(Act(60.0, "lose host", name, 20.0) for name in NAMES), Act(60.5, "hang server", "a", 1.0),
    )))  # fmt: skip
    tally = Tally()
    tally.add(outcome.record.events, outcome.findings)
    assert line(tally, "freeze agent") == "made 1 to no effect 0"
    assert line(tally, "freeze fence") == "made 0 to no effect 1 NEVER MADE"
    assert line(tally, "hang server") == "made 1 to no effect 1"
