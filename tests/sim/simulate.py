"""Plays a range of seeds: `python -m tests.sim.simulate START COUNT`; prints failing ones, shrunk, and the rate."""

import sys

from pgctl.clock import SystemClock
from tests.sim.history import run
from tests.sim.shrink import shorter


def main() -> int:
    start, count = int(sys.argv[1]), int(sys.argv[2])
    began, failed = SystemClock().now(), 0
    for seed in range(start, start + count):
        outcome = run(seed)
        if outcome.violations:
            failed += 1
            sys.stdout.write(shorter(outcome) + "\n")
            sys.stdout.flush()
    took = SystemClock().now() - began
    sys.stdout.write(f"{count} histories, {failed} with violations, {count / took * 3600:.0f} an hour\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
