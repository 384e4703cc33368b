"""Texts that no other write has: times that only grow, and tokens made of them. For marking, never for comparing clocks."""

import itertools
import os
import threading
from datetime import UTC, datetime, timedelta

from pgctl.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_stores = itertools.count()


class Stamps:
    """Of one store object of one process; `name` tells processes on different hosts apart."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._clock = clock
        self._name = f"{name or 'ctl'}.{os.getpid()}.{next(_stores)}"
        self._lock = threading.Lock()
        self._last = 0

    def token(self) -> str:
        return f"{self._name}.{self._next()}"

    def time(self) -> str:
        """ISO 8601 in UTC; later than each one before, also when the clock was set back or stands still."""
        return (_EPOCH + timedelta(microseconds=self._next())).isoformat(timespec="microseconds")

    def _next(self) -> int:
        with self._lock:
            self._last = max(int(self._clock.wall() * 1e6), self._last + 1)
            return self._last
