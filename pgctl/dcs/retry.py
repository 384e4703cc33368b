"""One retry policy: tries again after 0.1 s, then twice as long each time up to 1 s, until a budget is spent.

A little chance is added to every pause, so that members that failed together do not come back together. Whether a
thing may be repeated is for the caller to know: a write that is not harmless twice is never given to this room.
"""

import random
from collections.abc import Callable, Iterator

from pgctl.clock import Clock
from pgctl.units import Seconds

_FIRST = 0.1
_LONGEST = 1.0
_JITTER = 0.8


def attempts(budget: Seconds, clock: Clock, chance: Callable[[], float] = random.random) -> Iterator[Seconds]:
    """Yields the seconds left, first at once and then after each pause; ends when no time would be left.

    At least one attempt is made. `chance` returns a number from 0 to 1.
    """
    deadline = clock.now() + budget
    pause = _FIRST
    yield budget
    while True:
        clock.sleep(Seconds(min(pause * (1 + _JITTER * chance()), deadline - clock.now())))
        left = deadline - clock.now()
        if left <= 0:
            return
        yield Seconds(left)
        pause = min(pause * 2, _LONGEST)
