"""The clocks of one simulated host: a monotonic one that may run a little fast or slow, a wall clock that may jump."""

from collections.abc import Callable

from pgctl.units import Wall

DRIFT = 0.001
"""The most by which a clock's rate is wrong: ten times what NTP lets pass, and a tenth of what a lease's margin bears."""
TOLERATED = 0.1
"""Seconds that two clocks of that kind may differ over the longest lease; what is within is no error of ours."""


class HostClock:
    """`world` is true time in seconds. It never runs back."""

    def __init__(self, world: Callable[[], float], wall: Callable[[], float]) -> None:
        self._world, self._wall = world, wall
        self._since, self._shown, self._rate = world(), world(), 1.0
        self.wall_off = 0.0
        """Seconds by which the wall clock is wrong."""

    def now(self) -> float:
        return self._shown + (self._world() - self._since) * self._rate

    def wall(self) -> Wall:
        return Wall(self._wall() + self.wall_off)

    def run_at(self, rate: float) -> None:
        """From now on a second is shown as `rate` seconds."""
        self._shown, self._since = self.now(), self._world()
        self._rate = rate

    def true(self, instant: float) -> float:
        """The true time at which this clock, as it runs, shows `instant`."""
        return self._world() + (instant - self.now()) / self._rate
