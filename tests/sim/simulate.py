"""Plays a range of seeds: `python -m tests.sim.simulate START COUNT [MODE...] [--jobs N]`. Prints each failing one, shrunk
to a story, and the rate. Without a mode it takes all that are live, in turn.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from pgctl.clock import SystemClock
from tests.sim.history import run
from tests.sim.modes import LIVE, Mode
from tests.sim.shrink import shorter

Task = tuple[int, Mode]


def play(task: Task) -> str:
    """The story of one seed in one mode, if it breaks a law; else nothing."""
    seed, mode = task
    outcome = run(seed, mode=mode)
    return shorter(outcome) if outcome.violations else ""


def stories(tasks: Iterable[Task], jobs: int) -> Iterator[str]:
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
    for story in stories(tasks, asked.jobs):
        if story:
            failed += 1
            sys.stdout.write(story + "\n")
            sys.stdout.flush()
    took = SystemClock().now() - began
    played = f"{len(tasks)} histories, seeds {asked.start} to {asked.start + asked.count - 1}, {', '.join(asked.modes)}"
    sys.stdout.write(f"{played}: {failed} with violations, {len(tasks) / took * 3600:.0f} an hour\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
