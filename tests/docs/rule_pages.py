"""`docs/rules/`: a page for each situation and an index, from the tables, and from what they give for every scenario.

A table says when a row holds, and what it is for. What it asks for, and where that leads, only running it can tell; every
row has a scenario, so running them all tells it for every row.
"""

import importlib
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pgctl.agent.core import decide
from pgctl.agent.core import effects as e
from pgctl.agent.core.rules.tables import TABLES
from pgctl.agent.core.situation import MEANING, Situation, situation
from pgctl.agent.core.table import Rule
from tests.docs import aftermath
from tests.docs.drawing import Arrow, chart
from tests.docs.words import INTRODUCTION, PICTURE, REQUESTS, UPKEEP
from tests.scenarios import play

GENERATED = "<!-- made by `make docs`; do not edit -->"
END = "the agent ends"


@dataclass
class Seen:
    """What running all scenarios has shown."""

    asked: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Rule → effects."""
    led: dict[str, set[Situation | None]] = field(default_factory=lambda: defaultdict(set))
    """Rule → situations."""
    came: dict[tuple[Situation, Situation], set[str]] = field(default_factory=lambda: defaultdict(set))
    """(from, to) → what happened without a rule."""
    deeds: dict[Situation, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Situation → long deeds that end in it, when they work."""


def look() -> Seen:
    """Runs every scenario once."""
    seen = Seen()
    for view, decision in play.every():
        here, there = situation(view), aftermath.after(view, decision)
        seen.led[decision.rule].add(there)
        for effect in decision.effects:
            if type(effect).__name__ not in UPKEEP:
                seen.asked[decision.rule].add(_word(effect))
            if isinstance(effect, e.StartJob) and there is not None:
                seen.deeds[there].add(effect.job.name)
        for name, happens in aftermath.EVENTS.items():
            changed = situation(happens(view))
            if changed is not here:
                seen.came[here, changed].add(name)
    return seen


def _word(effect: e.Request[e.Answer]) -> str:
    """The effect's name; of a long deed also which."""
    match effect:
        case e.StartJob(job):
            return f"StartJob {job.name}"
        case e.MoveFence(armed):
            return "MoveFence armed" if armed else "MoveFence open"
    return type(effect).__name__


def pages() -> dict[str, str]:
    """Name of the file → its text."""
    seen = look()
    return {"index.md": _index(seen), **{f"{name}.md": _page(name, rows, seen) for name, rows in TABLES.items()}}


def _page(name: Situation, rows: tuple[Rule, ...], seen: Seen) -> str:
    """One situation: what it is, what leads out of it, its table."""
    door = importlib.import_module(f"pgctl.agent.core.rules.{name}").__doc__ or ""
    lines = [GENERATED, "", f"# {name}", "", door.strip(), "", *_before(name), ""]
    if name is Situation.JOB:
        lines += ["Where each deed leads when it has worked:", ""]
        arrows = [Arrow(name, to, tuple(sorted(deeds))) for to, deeds in seen.deeds.items()]
    else:
        arrows = [arrow for arrow in _ruled(seen) if arrow.start == name]
        arrows += [arrow for arrow in _events(seen) if arrow.start == name]
    lines += [*chart(arrows, "LR", name), ""] if arrows else []
    lines += ["| rule | what it says | when all of this holds | it asks for | and leads to |", "|---|---|---|---|---|"]
    lines += [_row(name, row, seen) for row in rows]
    lines += ["", *_glossary(rows), "[All situations](index.md)", ""]
    return "\n".join(lines)


def _before(name: Situation) -> list[str]:
    earlier = ", ".join(f"[{other}]({other}.md)" for other in list(TABLES)[: list(TABLES).index(name)])
    words = f"Tried when none of these holds: {earlier}." if earlier else "Tried first."
    return textwrap.wrap(words, 120, break_long_words=False, break_on_hyphens=False)


def _glossary(rows: tuple[Rule, ...]) -> list[str]:
    """What the facts of these rows mean, where their names do not say it all."""
    facts = {fact.__name__: inspect.getdoc(fact) for row in rows for fact in row.when}
    told = [f"- **{decide.words(name)}**: {_first_paragraph(said)}" for name, said in sorted(facts.items()) if said]
    return [*told, ""] if told else []


def _first_paragraph(said: str) -> str:
    return " ".join(said.split("\n\n")[0].split())


def _row(name: Situation, row: Rule, seen: Seen) -> str:
    facts = decide.conditions(row, "<br>")
    asked = "<br>".join(f"`{word}`" for word in sorted(seen.asked[row.id]))
    led = [_link(to) for to in _sorted(seen.led[row.id]) if to is not name]
    return f"| {row.id} | {row.sentence} | {facts} | {asked} | {', '.join(led)} |"


def _link(to: Situation | None) -> str:
    return f"[{to}]({to}.md)" if to else END


def _sorted(found: Iterable[Situation | None]) -> list[Situation | None]:
    order = list(Situation)
    return sorted(found, key=lambda one: order.index(one) if one else len(order))


def _ruled(seen: Seen) -> list[Arrow]:
    """An arrow for each pair of situations, with the rules that lead from the one to the other."""
    rules: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, rows in TABLES.items():
        for row in rows:
            for to in _sorted(seen.led[row.id]):
                if to is not name:
                    rules[name, to or END].append(row.id)
    return [Arrow(start, end, tuple(ids)) for (start, end), ids in rules.items()]


def _short(arrow: Arrow) -> Arrow:
    """Its ids on one line, without the situation that it leaves: what little room there is goes to the arrows."""
    return replace(arrow, labels=(" ".join(label.split(".")[1] for label in arrow.labels),))


def _events(seen: Seen) -> list[Arrow]:
    return [Arrow(start, end, tuple(sorted(names)), by_rule=False) for (start, end), names in seen.came.items()]


def _index(seen: Seen) -> str:
    """What a reader needs before any page, and all situations in one picture."""
    drawn = [_short(arrow) for arrow in _ruled(seen) if arrow.start != Situation.JOB]
    drawn += [arrow for arrow in _events(seen) if {arrow.start, arrow.end} == {Situation.FOLLOW, Situation.RACE}]
    lines = [GENERATED, "", "# The rules", "", *INTRODUCTION.strip().split("\n"), ""]
    lines += ["| situation | what holds there |", "|---|---|"]
    lines += [f"| [{name}]({name}.md) | {MEANING[name]} |" for name in TABLES]
    lines += ["", "## From one situation to the next", "", *PICTURE.strip().split("\n"), "", *chart(drawn, "LR"), ""]
    lines += ["## What rules ask for", "", "| request | what it is |", "|---|---|"]
    used = {word.split()[0] for words in seen.asked.values() for word in words}
    lines += [f"| `{name}` | {REQUESTS[name]} |" for name in sorted(used)]
    lines += ["", "Where something is not as it should be, many rows also ask for what keeps it in order:", ""]
    lines += ["| request | what it keeps |", "|---|---|", *(f"| `{name}` | {what} |" for name, what in UPKEEP.items()), ""]
    return "\n".join(lines)
