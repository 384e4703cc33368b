"""A failing history with as few faults as still fail, printed as a story."""

from tests.sim.history import Verdict, run


def shorter(verdict: Verdict) -> str:
    """Leaves out faults one at a time while the history still fails; returns what a person should read."""
    best = verdict
    faults = list(verdict.faults)
    for fault in list(faults):
        fewer = [other for other in faults if other is not fault]
        tried = run(verdict.seed, fewer)
        if tried.violations:
            best, faults = tried, fewer
    lines = [
        f"seed {verdict.seed}: {'; '.join(best.violations)}",
        "faults:",
        *(f"  {fault}" for fault in faults),
        "story:",
    ]
    return "\n".join(lines + [f"  {line}" for line in best.story[-80:]])
