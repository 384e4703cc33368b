"""Plays a range of seeds: `python -m tests.sim.simulate START COUNT [MODE...] [--jobs N]`. Prints each failing one, shrunk
to a story, how often each act was made and each law put to the test, and the rate. Without a mode it takes all that are
live, in turn.
"""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from pgctl.clock import SystemClock
from tests.sim.history import run
from tests.sim.modes import LIVE, Mode
from tests.sim.shrink import shorter
from tests.sim.tally import Tally

Task = tuple[int, Mode]
Played = tuple[str, Tally]


def play(task: Task) -> Played:
    """The story of one seed in one mode, if it breaks a law, else nothing; and what happened in it."""
    seed, mode = task
    outcome = run(seed, mode=mode)
    told = Tally()
    told.add(outcome.record.events, outcome.findings)
    return shorter(outcome) if outcome.violations else "", told


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
    logging.disable()  # the story tells what happened
    tasks = list(product(range(asked.start, asked.start + asked.count), asked.modes))
    began, failed = SystemClock().now(), 0
    tally = Tally()
    for story, each in played(tasks, asked.jobs):
        tally.merge(each)
        if story:
            failed += 1
            sys.stdout.write(story + "\n")
            sys.stdout.flush()
    took = SystemClock().now() - began
    sys.stdout.writelines(tally.lines(asked.modes))
    told = f"{len(tasks)} histories, seeds {asked.start} to {asked.start + asked.count - 1}, {', '.join(asked.modes)}"
    sys.stdout.write(f"{told}: {failed} with violations, {len(tasks) / took * 3600:.0f} an hour\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
