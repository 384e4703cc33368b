"""View → Decision: the situation picks the table, the first row that holds gives the effects. Pure and total.

Also prints the tables for people (`pgctl-agent rules`); `docs/rules` shows them with where each rule leads.
"""

from collections.abc import Callable
from dataclasses import replace

from pgctl.agent.core import record, table
from pgctl.agent.core.effects import Answer, Request, StartJob, WriteConf
from pgctl.agent.core.rules.tables import TABLES
from pgctl.agent.core.situation import MEANING, situation
from pgctl.agent.core.table import Rule
from pgctl.agent.core.view import Decision, View
from pgctl.units import Instant

LOOK_AFTER_CONF = 0.3
"""Seconds after which the server has read its new configuration, and says what waits for a restart."""

SHOW_DEED = 0.1
"""Seconds after which my member key says what deed is under way: with the next loop it could be ten."""


def decide(view: View) -> Decision:
    """The decision for a view whose memory is up to date (`remember.update`)."""
    found = table.match(TABLES[situation(view)], view)
    row = found.rule
    plan = row.then(view)
    wait = view.settings.loop_wait if plan.wake_in is None else min(plan.wake_in, view.settings.loop_wait)
    if any(isinstance(effect, WriteConf) for effect in plan.effects):
        wait = min(wait, LOOK_AFTER_CONF)
    if any(isinstance(effect, StartJob) for effect in plan.effects):
        wait = min(wait, SHOW_DEED)
    memory = replace(plan.memory or view.memory, last_rule=row.id)
    memory = record.begin(view, memory, row.id, plan.effects, plan.reason or row.sentence)
    return Decision(
        rule=row.id,
        sentence=row.sentence,
        reason=plan.reason,
        effects=tuple(_signed(effect, row.id) for effect in plan.effects),
        memory=memory,
        wake_at=Instant(view.now + wait),
        facts=tuple(fact.__name__ for fact in row.when),
        passed_over=found.passed_over,
        wake_on_members=plan.wake_on_members,
        alarm=plan.alarm,
    )


def _signed(effect: Request[Answer], rule: str) -> Request[Answer]:
    """A job carries the rule that ordered it into the log."""
    return replace(effect, job=replace(effect.job, rule=rule)) if isinstance(effect, StartJob) else effect


def show(write: Callable[[str], object]) -> None:
    """Prints every table: id, sentence, the facts that must hold, the deed."""
    for name, rows in TABLES.items():
        write(f"{name}: {MEANING[name]}")
        for row in rows:
            write(f"  {row.id:<10} {row.sentence}")
            write(f"             when {conditions(row)} -> {words(row.then.__name__)}")


def conditions(row: Rule, between: str = ", ") -> str:
    """The facts of a row in words."""
    return between.join(words(fact.__name__) for fact in row.when) or "always"


def words(name: str) -> str:
    """The name of a fact or a deed, as it is read."""
    return name.replace("_", " ")
