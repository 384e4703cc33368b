"""One small table a benchmark: minimum, median, maximum against a limit. Prints; measures nothing."""

import math
import statistics
from collections.abc import Sequence


def row(what: str, values: Sequence[float], limit: float | None = None, unit: str = "s") -> None:
    """One line: how often, min, median, max, and whether the median keeps the limit."""
    if not values:
        print(f"{what:<44} nothing was measured", flush=True)
        return
    median = statistics.median(values)
    judged = "" if limit is None else f"  limit {limit:.3g} {unit}: {'kept' if median <= limit else 'OVER'}"
    numbers = "  ".join(f"{value:8.3f}" for value in (min(values), median, max(values)))
    print(f"{what:<44} {len(values):>3} x  {numbers} {unit}{judged}", flush=True)


def head(title: str) -> None:
    print(f"\n{title}\n{'':<50}  {'min':>8}  {'median':>8}  {'max':>8}", flush=True)


def count(what: str, found: int, wanted: int = 0) -> None:
    """One line for what must not happen."""
    print(f"{what:<44} {found}  {'as it must be' if found == wanted else f'MUST BE {wanted}'}", flush=True)


def shares(title: str) -> None:
    print(f"\n{title}\n{'':<50}  {'median':>8}  {'99th':>8}  {'max':>8}", flush=True)


def share(what: str, values: Sequence[float]) -> None:
    """One line of seconds, in milliseconds: how often, median, the value that 99 of 100 keep, maximum."""
    ordered = sorted(1000 * value for value in values)
    ninety_ninth = ordered[math.ceil(0.99 * len(ordered)) - 1]
    numbers = "  ".join(f"{value:8.1f}" for value in (statistics.median(ordered), ninety_ninth, ordered[-1]))
    print(f"{what:<44} {len(values):>3} x  {numbers} ms", flush=True)


def fact(what: str, found: str) -> None:
    print(f"{what:<50}  {found}", flush=True)
