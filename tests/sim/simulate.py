"""Plays a range of seeds: `python -m tests.sim.simulate START COUNT [MODE...] [--jobs N]`. Prints each failing one, shrunk
to a story, how often each law was put to the test, and the rate. Without a mode it takes all that are live, in turn.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from pgctl.clock import SystemClock
from tests.sim.checkers import Finding, Verdict
from tests.sim.history import run
from tests.sim.modes import LIVE, Mode
from tests.sim.shrink import shorter

Task = tuple[int, Mode]
Played = tuple[str, list[Finding]]


def play(task: Task) -> Played:
    """The story of one seed in one mode, if it breaks a law, else nothing; and what was found of each law."""
    seed, mode = task
    outcome = run(seed, mode=mode)
    return shorter(outcome) if outcome.violations else "", outcome.findings


def tally(counts: Counter[tuple[str, Verdict]]) -> Iterator[str]:
    """A line for each law: in how many histories it held, and in how many nothing put it to the test."""
    for law in sorted({name for name, _ in counts}):
        held, untried = counts[law, Verdict.YES], counts[law, Verdict.UNTRIED]
        yield f"{law:36} held {held:6}   untried {untried:6}{'   NEVER TRIED' if not held else ''}\n"


def played(tasks: Iterable[Task], jobs: int) -> Iterator[Played]:
    """As `play`, in order, on so many processors."""
    if jobs == 1:
        yield from map(play, tasks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play, tasks, chunksize=20)


def main() -> int:
    """Exit code 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("start", type=int)
    parser.add_argument("count", type=int, help="histories of each mode")
    parser.add_argument("modes", nargs="*", type=Mode, metavar="MODE", default=LIVE, help=", ".join(Mode))
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    tasks = list(product(range(asked.start, asked.start + asked.count), asked.modes))
    began, failed = SystemClock().now(), 0
    counts: Counter[tuple[str, Verdict]] = Counter()
    for story, findings in played(tasks, asked.jobs):
        counts.update((each.law, each.verdict) for each in findings)
        if story:
            failed += 1
            sys.stdout.write(story + "\n")
            sys.stdout.flush()
    took = SystemClock().now() - began
    sys.stdout.writelines(tally(counts))
    told = f"{len(tasks)} histories, seeds {asked.start} to {asked.start + asked.count - 1}, {', '.join(asked.modes)}"
    sys.stdout.write(f"{told}: {failed} with violations, {len(tasks) / took * 3600:.0f} an hour\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
