"""Breaks each rule in turn, and says what notices: `python -m tests.mutants.mutate [--seeds N] [--start S] [RULE...]`.

With `--seeds` the simulator is put to the test as well: it plays up to so many seeds, in all its modes, against each mutant,
whatever the scenarios say. What it does not notice is listed; it is no judge of what only costs time or words.
"""

import argparse
import logging
import sys
from collections.abc import Iterable

from pgctl.clock import SystemClock
from tests.mutants import rules
from tests.mutants.rules import Mutant
from tests.sim.history import run
from tests.sim.modes import LIVE


def law(mutant: Mutant, seeds: Iterable[int]) -> str:
    """The law that the first of these histories breaks, and which it was; empty when none does."""
    with rules.planted(mutant):
        for seed in seeds:
            for mode in LIVE:
                try:
                    violations = run(seed, mode=mode).violations
                except Exception as error:  # noqa: BLE001 -- a rule out of place may ask for what is impossible
                    return f"{type(error).__name__} (seed {seed}, {mode})"
                if violations:
                    return f"{violations[0].law} (seed {seed}, {mode})"
    return ""


def main() -> int:
    """Exit code 1 when a mutant is noticed by nothing."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__)
    parser.add_argument("rules", nargs="*", metavar="RULE", help="such as lead.80, or lead; all, when none is named")
    parser.add_argument("--seeds", type=int, default=0, help="seeds that the simulator plays against each mutant, at most")
    parser.add_argument("--start", type=int, default=0)
    asked = parser.parse_args()
    logging.disable()
    began, given = SystemClock().now(), rules.views()
    mutants = [each for each in rules.every() if not asked.rules or each.name.startswith(tuple(asked.rules))]
    unseen, survivors = [], []
    for mutant in mutants:
        scenarios = rules.noticing(mutant, given)
        broken = law(mutant, range(asked.start, asked.start + asked.seeds))
        sys.stdout.write(f"{mutant.name:<60} {scenarios:>3} scenarios  {broken}\n")
        sys.stdout.flush()
        unseen += [mutant.name] if asked.seeds and not broken else []
        survivors += [mutant.name] if not scenarios and not broken else []
    sys.stdout.writelines(f"not noticed by the simulator: {name}\n" for name in unseen)
    sys.stdout.writelines(f"not noticed at all: {name}\n" for name in survivors)
    took = SystemClock().now() - began
    sys.stdout.write(f"{len(mutants)} mutants in {took:.1f} s: {len(survivors)} noticed by nothing\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
