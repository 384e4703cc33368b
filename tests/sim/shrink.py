"""A failing history with as few acts as still fail, printed as a story, and as words that play it again."""

from collections.abc import Iterator
from dataclasses import fields, replace

from tests.sim.generators import Act, Plan
from tests.sim.history import Outcome, run

LINES = 120


def shrunk(outcome: Outcome) -> Outcome:
    """Leaves out acts, one at a time, while one of the same laws is broken, until each that is left is needed."""
    best, before = outcome, None
    laws = {finding.law for finding in outcome.violations}
    while before is not best:
        before = best
        for fewer in _fewer(best.plan):
            tried = run(best.seed, fewer, best.mutation)
            if any(finding.law in laws for finding in tried.violations):
                best = tried
                break
    return best


def _fewer(plan: Plan) -> Iterator[Plan]:
    """The plan without each of its acts in turn; late ones first, for what they hide is mostly earlier."""
    for act in reversed(plan.acts):
        yield replace(plan, acts=tuple(other for other in plan.acts if other is not act))
    for act in reversed(plan.birth):
        yield replace(plan, birth=tuple(other for other in plan.birth if other is not act))


def shorter(outcome: Outcome) -> str:
    """What a person should read of it."""
    best = shrunk(outcome)
    lines = [
        f"seed {best.seed}, {best.plan.mode}, ttl {best.plan.ttl:g}, nofailover {best.plan.barred or 'nobody'}:",
        *(f"  {finding}" for finding in best.violations),
        "acts:",
        *(f"  {act}" for act in best.plan.birth + best.plan.acts),
        f"again: run({best.seed}, {words(best.plan)})",
        "story:",
    ]
    return "\n".join(lines + [f"  {line}" for line in best.story[-LINES:]])


def words(plan: Plan) -> str:
    """The plan as Python reads it, for a test: what is as by default is left out."""
    given = [f"{each.name}={_word(getattr(plan, each.name))}" for each in fields(Plan)
             if getattr(plan, each.name) != each.default]  # fmt: skip
    return f"Plan({', '.join(given)})"


def _word(value: object) -> str:
    match value:
        case tuple():
            return f"({''.join(f'{_word(each)}, ' for each in value)})"
        case Act():
            given = (f"{each.name}={getattr(value, each.name)!r}" for each in fields(Act)
                     if getattr(value, each.name) != each.default)  # fmt: skip
            return f"Act({', '.join(given)})"
        case _:
            return f"Mode({str(value)!r})" if type(value).__name__ == "Mode" else repr(value)
