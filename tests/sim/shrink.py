"""A failing history with as few acts as still fail, printed as a story."""

from dataclasses import replace

from tests.sim.history import Outcome, run

LINES = 120


def shorter(outcome: Outcome) -> str:
    """Leaves out acts one at a time while the same law is broken; returns what a person should read."""
    best = outcome
    laws = {finding.law for finding in outcome.violations}
    for act in outcome.plan.acts:
        fewer = replace(best.plan, acts=tuple(other for other in best.plan.acts if other is not act))
        tried = run(outcome.seed, fewer)
        if any(finding.law in laws for finding in tried.violations):
            best = tried
    lines = [
        f"seed {outcome.seed}, {best.plan.mode}, ttl {best.plan.ttl:g}, nofailover {best.plan.barred or 'nobody'}:",
        *(f"  {finding}" for finding in best.violations),
        "acts:",
        *(f"  {act}" for act in best.plan.acts),
        "story:",
    ]
    return "\n".join(lines + [f"  {line}" for line in best.story[-LINES:]])
