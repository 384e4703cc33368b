"""A rule table: rows of id, sentence, facts that must all hold, and effects to return. First match wins.

A table can be listed, counted, drawn and proved. Ids are numbered by tens and never reused; the last row matches all.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pgctl.agent.core.effects import Answer, Request
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import View

Fact = Callable[[View], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a row returns: effects in order, the next memory, seconds until the next look, and words for this view."""

    effects: tuple[Request[Answer], ...] = ()
    memory: Memory | None = None
    wake_in: float | None = None
    reason: str = ""
    wake_on_members: bool = False
    alarm: bool = False
    """The reason is worth a warning."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `name` of a fact is its function's name: it reads as an adjective."""

    id: str
    sentence: str
    when: tuple[Fact, ...]
    then: Callable[[View], Plan]


@dataclass(frozen=True, slots=True)
class Match:
    """The row that held, and for each row before it the fact that did not."""

    rule: Rule
    passed_over: tuple[tuple[str, str], ...]


def rule(id: str, sentence: str, when: list[Fact], then: Callable[[View], Plan]) -> Rule:
    return Rule(id, sentence, tuple(when), then)


def match(table: tuple[Rule, ...], view: View) -> Match:
    """The first row whose facts all hold. The last row has no facts, so there always is one."""
    passed_over: list[tuple[str, str]] = []
    for row in table:
        failed = next((fact for fact in row.when if not fact(view)), None)
        if failed is None:
            return Match(row, tuple(passed_over))
        passed_over.append((row.id, failed.__name__))
    raise AssertionError(f"{table[-1].id} must match everything")
