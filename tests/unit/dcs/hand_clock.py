"""A clock that is set by hand, for tests of leases to the second."""

from pgctl.units import Instant, Seconds, Wall


class HandClock:
    """Time as the test says, and as its own sleeping moves it."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> Instant:
        return Instant(self.time)

    def wall(self) -> Wall:
        return Wall(self.time)

    def sleep(self, duration: Seconds) -> None:
        assert duration > 0
        self.time += duration
