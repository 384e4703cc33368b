"""Every rule broken in every small way. Pure, but for the scenarios' files, which `play` reads.

A mutant is one table with one row changed: the row is gone, or one of its facts is not asked, or is asked for the contrary.
Whether a scenario notices is seen without deciding anew: a view for which another row holds gives another decision, since
rows differ in id.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pgctl.agent.core import table
from pgctl.agent.core.rules.tables import TABLES
from pgctl.agent.core.situation import Situation, situation
from pgctl.agent.core.table import Fact, Rule
from pgctl.agent.core.view import View
from tests.scenarios import play


@dataclass(frozen=True)
class Mutant:
    """`rows` take the place of the table for `place`; `name` says what was done, as `lead.80 without restart_ordered`."""

    name: str
    place: Situation
    rows: tuple[Rule, ...]


def contrary(fact: Fact) -> Fact:
    def found(view: View) -> bool:
        return not fact(view)

    found.__name__ = f"not_{fact.__name__}"
    return found


def every() -> Iterator[Mutant]:
    """All mutants of all tables, in the order of the rows. The last row of a table matches all, and stays."""
    for place, rows in TABLES.items():
        for number, row in enumerate(rows[:-1]):
            before, after = rows[:number], rows[number + 1 :]
            yield Mutant(f"{row.id} gone", place, (*before, *after))
            for index, fact in enumerate(row.when):
                others = row.when[:index], row.when[index + 1 :]
                without = replace(row, when=(*others[0], *others[1]))
                unless = replace(row, when=(*others[0], contrary(fact), *others[1]))
                yield Mutant(f"{row.id} without {fact.__name__}", place, (*before, without, *after))
                yield Mutant(f"{row.id} unless {fact.__name__}", place, (*before, unless, *after))


Views = Mapping[Situation, Sequence[tuple[View, str]]]


def views() -> Views:
    """The scenarios by situation, each with the rule that it gives."""
    found: dict[Situation, list[tuple[View, str]]] = {place: [] for place in TABLES}
    for view, decision in play.every():
        found[situation(view)].append((view, decision.rule))
    return found


def noticing(mutant: Mutant, given: Views) -> int:
    """How many scenarios give another rule with this table."""
    return sum(table.match(mutant.rows, view).rule.id != rule for view, rule in given[mutant.place])


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """While it lasts, everything decides by the changed table."""
    whole = TABLES[mutant.place]
    TABLES[mutant.place] = mutant.rows
    try:
        yield
    finally:
        TABLES[mutant.place] = whole
