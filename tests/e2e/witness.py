"""A witness of split brain: watches every server directly, knows nothing of leases, and proves overlaps.

A primary goes back to recovery only by a restart. So all looks that found one life of a server (one postmaster start
time) out of recovery span a time in which it was writable throughout. Two members whose spans share an instant were
writable at once. The span reaches from the end of the first look to the beginning of the last: never too long.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.e2e.cluster import Cluster

LOOK = "SELECT pg_is_in_recovery(), pg_postmaster_start_time()::text"


@dataclass(frozen=True, slots=True)
class Span:
    """One life of one member's server in which it was writable; instants of time.monotonic()."""

    member: str
    life: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Overlap:
    first: Span
    second: Span

    @property
    def seconds(self) -> float:
        return max(0.0, min(self.first.end, self.second.end) - max(self.first.begin, self.second.begin))


def overlaps(spans: Sequence[Span]) -> tuple[Overlap, ...]:
    """Every pair of spans of different members that shares an instant."""
    pairs = [(a, b) for index, a in enumerate(spans) for b in spans[index + 1:] if a.member != b.member]
    return tuple(Overlap(a, b) for a, b in pairs if a.begin < b.end and b.begin < a.end)


class Witness:
    """Looks at each server every few milliseconds, from `with` to its end."""

    def __init__(self, cluster: Cluster, period: float = 0.005) -> None:
        self._cluster = cluster
        self._period = period
        self._stop = threading.Event()
        self._spans: dict[tuple[str, str], Span] = {}
        self._threads = [threading.Thread(target=self._watch, args=(name,), daemon=True) for name in cluster.names]

    def __enter__(self) -> "Witness":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(self._spans.values())

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        return overlaps(self.spans)

    def _watch(self, name: str) -> None:
        session: Connection | None = None
        while not self._stop.wait(self._period):
            try:
                session = session or self._cluster.connect(name)
                begin = time.monotonic()
                with session.cursor() as cursor:
                    cursor.execute(LOOK)
                    recovering, life = cursor.fetchone() or (True, "")
                if not recovering:
                    self._seen(name, str(life), begin, time.monotonic())
            except psycopg2.Error:
                if session is not None:
                    session.close()
                session = None
        if session is not None:
            session.close()

    def _seen(self, name: str, life: str, begin: float, end: float) -> None:
        known = self._spans.get((name, life))
        self._spans[name, life] = Span(name, life, known.begin if known else end, begin)
