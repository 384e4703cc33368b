"""No rule, and no fact of a rule, that could go without a scenario noticing."""

from pgctl.agent.core import decide
from pgctl.agent.core.rules.tables import TABLES
from tests.mutants import rules
from tests.scenarios import play


def test_every_guard_is_proved_by_a_scenario() -> None:
    given = rules.views()
    assert [mutant.name for mutant in rules.every() if not rules.noticing(mutant, given)] == []


def test_each_row_but_the_last_is_dropped_and_each_of_its_facts_left_out_and_inverted() -> None:
    rows = [row for table in TABLES.values() for row in table[:-1]]
    names = [mutant.name for mutant in rules.every()]
    assert len(names) == len(set(names)) == len(rows) + 2 * sum(len(row.when) for row in rows)


def test_a_planted_table_is_decided_by_and_taken_out_again() -> None:
    mutant = next(each for each in rules.every() if each.name == "follow.10 gone")
    view = next(view for view, decision in play.every() if decision.rule == "follow.10")
    with rules.planted(mutant):
        assert decide.decide(view).rule != "follow.10"
    assert decide.decide(view).rule == "follow.10"
