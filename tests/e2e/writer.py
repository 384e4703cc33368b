"""A client that writes all the time and remembers what was acknowledged: the judge of lost writes and of outages."""

import logging
import threading
import time
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.e2e.cluster import Cluster

PERIOD = 0.010
TABLE = "CREATE TABLE IF NOT EXISTS load (id bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One write that the server confirmed; instants of time.monotonic()."""

    id: int
    sent: float
    at: float
    member: str


class Writer:
    """Writes one row every 10 ms to whichever member is writable, in a thread of its own, from `with` to its end."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._next = 1
        self.acknowledged: list[Acknowledged] = []

    def __enter__(self) -> "Writer":
        self._cluster.wait("there is a table to write to", self._prepared)
        self._thread.start()
        self.wait_more(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=20)

    def wait_more(self, count: int, timeout: float = 40.0) -> None:
        """Waits for `count` further acknowledged writes."""
        there = len(self.acknowledged)
        self._cluster.wait(f"{count} more writes", lambda: len(self.acknowledged) >= there + count, timeout)

    def gap(self, since: float = 0.0) -> float:
        """The longest time without an acknowledged write, in seconds, among writes acknowledged after `since`."""
        times = [one.at for one in self.acknowledged if one.at >= since]
        return max((after - before for before, after in zip(times, times[1:], strict=False)), default=0.0)

    def lost(self) -> tuple[int, ...]:
        """Acknowledged writes that the present primary does not have."""
        rows = self._cluster.query(self._cluster.wait_leader(), "SELECT id FROM load")
        there = {row[0] for row in rows}
        return tuple(one.id for one in self.acknowledged if one.id not in there)

    def _prepared(self) -> bool:
        """Makes the table; on a busy machine the lead may be lost just then, and is taken again."""
        try:
            leader = self._cluster.wait_leader()
            self._cluster.query(leader, TABLE)
            rows = self._cluster.query(leader, "SELECT coalesce(max(id), 0) + 1 FROM load")
        except psycopg2.Error:
            return False
        self._next = int(str(rows[0][0]))
        return True

    def _work(self) -> None:
        member, session = "", None
        while not self._stop.is_set():
            if session is None:
                member, session = self._find()
                if session is None:
                    self._stop.wait(PERIOD)
                    continue
            if not self._write(member, session):
                session.close()
                session = None
                continue
            self._stop.wait(PERIOD)
        if session is not None:
            session.close()

    def _write(self, member: str, session: Connection) -> bool:
        """One row; its number is used once, whatever becomes of it."""
        number, self._next = self._next, self._next + 1
        sent = time.monotonic()
        try:
            with session.cursor() as cursor:
                cursor.execute("INSERT INTO load (id) VALUES (%s)", (number,))
        except psycopg2.Error:
            return False
        self.acknowledged.append(Acknowledged(number, sent, time.monotonic(), member))
        return True

    def _find(self) -> tuple[str, Connection | None]:
        """A session on a member that is out of recovery now."""
        for name in self._cluster.names:
            try:
                session = self._cluster.connect(name)
                with session.cursor() as cursor:
                    cursor.execute("SELECT pg_is_in_recovery()")
                    if cursor.fetchone() == (False,):
                        return name, session
                session.close()
            except psycopg2.Error:
                continue
        return "", None


def note(what: str, writer: Writer) -> None:
    """Logs how long nobody could write: for people who run with --log-cli-level=INFO; the benchmarks judge times."""
    logging.getLogger("e2e").info("%s: %.0f ms without a write", what, writer.gap() * 1000)
