"""The only reader of time and the only sleeper.

`Instant`s come from CLOCK_BOOTTIME where the system has it: a lease must also run out while a machine is suspended
(clock_gettime(2)). Calendar time is for people and documents. The core never calls this room: it is given its instant.
"""

import time
from typing import Protocol

from pgctl.units import Instant, Seconds, Wall

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What anything that measures or waits is given."""

    def now(self) -> Instant: ...

    def wall(self) -> Wall: ...

    def sleep(self, duration: Seconds) -> None: ...


class SystemClock:
    """This host's clock."""

    def now(self) -> Instant:
        return Instant(time.clock_gettime(_BOOTTIME))

    def wall(self) -> Wall:
        return Wall(time.time())

    def sleep(self, duration: Seconds) -> None:
        """Waits `duration`; only for retries and polls that have no event to wait for."""
        if duration > 0:
            time.sleep(duration)
