"""The embedded store: one SQLite file, for members that share one host (a demo, a laptop, end-to-end tests).

It does not survive its host, and pretends nothing else. Leases are rows with a deadline on the host's boot-time clock;
whoever notices that one has ended removes its keys in that same transaction, before it reads or writes anything. A
deleted key stays as a row without value, so that a watch can tell what went. Guards are checked in the transaction of
the `hold` itself.
"""

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import keys, sqlite_wake
from pgctl.dcs.sqlite_file import Identity, StoreFile
from pgctl.dcs.sqlite_wake import Ear
from pgctl.dcs.store import Applied, Item, Rejected, Snapshot
from pgctl.errors import ConfigError
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_LOOK_AT_LEAST = 5.0  # seconds: if the sockets' directory is removed under a watcher, it still sees changes so late
_LEAST_BUDGET = 0.2  # seconds: for the last look of a watch whose time is nearly over


def open_store(section: StoreSection, clock: Clock) -> "SqliteStore":
    """Raises ConfigError without a path."""
    path = section.options.get("path")
    if not isinstance(path, str) or not path:
        raise ConfigError("sqlite.path is missing", hint="Name the store's file: sqlite: {path: /var/lib/pgctl/store}.")
    return SqliteStore(path, keys.base_path(section.namespace, section.scope), clock)


class _Lease(NamedTuple):
    number: int
    file: Identity | None
    deadline: Instant


@dataclass(slots=True)
class _Step:
    """One transaction. `now` is its instant; `wake`: watchers must be woken after it; `lease`: mine, once committed."""

    connection: sqlite3.Connection
    now: Instant
    lease: _Lease | None = None
    wake: bool = False

    def row(self, key: str) -> tuple[str, int, int | None] | None:
        """Value, revision and lease of a key that exists."""
        found: tuple[str, int, int | None] | None = self.connection.execute(
            "SELECT value, revision, lease FROM keys WHERE key = ? AND value IS NOT NULL", (key,)).fetchone()
        return found

    def write(self, key: str, value: str | None, lease: int | None = None) -> Revision:
        """Writes or, with None, removes; returns the new revision."""
        revision = _next_revision(self.connection)
        self.connection.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", (key, value, revision, lease))
        self.wake = True
        return revision

    def differs(self, key: str, expect: Revision | None) -> str:
        """Why the key is not at that revision; empty when it is, or nothing is expected."""
        row = self.row(key)
        name = key.rsplit("/", 1)[-1]
        if expect is None or expect == (row[1] if row else 0):
            return ""
        return f"{name} has changed" if row and expect else f"{name} exists" if row else f"{name} does not exist"


class SqliteStore:
    """One cluster in one file; the verbs are those of `store.Store`."""

    def __init__(self, path: str, base: str, clock: Clock) -> None:
        self._file = StoreFile(path, clock)
        self._ears = Path(f"{self._file.path}.watch")
        self._base = base + "/"
        self._clock = clock
        self._lease: _Lease | None = None
        self._closed = threading.Event()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._stop)  # and not in close: watchers may still look at it

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        rows, revision, _ = self._look("SELECT key, value, revision, lease FROM keys WHERE key >= ? AND key < ? "
                                       "AND value IS NOT NULL", budget)
        mine = self._number()
        items = {
            key[len(self._base):]: Item(value, Revision(revised), lease is not None and lease == mine)
            for key, value, revised, lease in rows
        }
        return Snapshot(items, revision)

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        sent = self._clock.now()
        with self._step(budget, durable=not leased) as step:
            if reason := step.differs(self._base + key, expect):
                return Rejected(reason)
            if not leased:
                return Applied(step.write(self._base + key, value))
            lease = step.lease or self._grant(step, ttl, sent)
            return Applied(step.write(self._base + key, value, lease.number), lease.deadline)

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        with self._step(budget) as step:
            if reason := step.differs(self._base + key, expect):
                return Rejected(reason)
            if step.row(self._base + key) is None:
                return Applied(_revision(step.connection)) if expect is None else Rejected(f"{key} does not exist")
            return Applied(step.write(self._base + key, None))

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        sent = self._clock.now()
        with self._step(budget, durable=False) as step:
            lease, row = step.lease, step.row(self._base + key)
            if row is not None and not (lease and row[0] == value and row[2] == lease.number):
                return Rejected(f"{key} is held by {row[0]}")
            for name, revision in {} if row else (guard or {}).items():
                if reason := step.differs(self._base + name, revision):
                    return Rejected(reason)
            lease = _extend(step, lease, ttl, sent) if lease else self._grant(step, ttl, sent)
            revised = Revision(row[1]) if row else step.write(self._base + key, value, lease.number)
            return Applied(revised, lease.deadline)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        sent = self._clock.now()
        with self._step(budget, durable=False) as step:
            if step.lease is None:
                return Rejected("the lease has ended")
            return Applied(_revision(step.connection), _extend(step, step.lease, ttl, sent).deadline)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        end = self._clock.now() + budget
        file: Identity | None = self._file.identity
        ear = Ear(self._ears, self._stop)
        try:
            while True:
                left = Seconds(max(_LEAST_BUDGET, end - self._clock.now()))
                rows, revision, next_end = self._look(
                    "SELECT key FROM keys WHERE key >= ? AND key < ? AND revision > ?", left, since)
                lost = revision < since or file not in (None, self._file.identity)
                since, file = revision, self._file.identity
                if (rows or lost) and not self._closed.is_set():
                    changed(frozenset() if lost else frozenset(key[len(self._base):] for (key,) in rows))
                now = self._clock.now()
                if now >= end or not ear.wait(Seconds(min(end, next_end, now + _LOOK_AT_LEAST) - now)):
                    return
        finally:
            ear.close()

    def close(self) -> None:
        self._closed.set()
        os.eventfd_write(self._stop, 1)  # stays readable: every watcher sees it
        self._file.close()

    @contextmanager
    def _step(self, budget: Seconds, *, durable: bool = True) -> Iterator[_Step]:
        """One writing transaction, ended leases removed first; watchers are woken when it is committed.

        Only then is its lease believed in: the number of one that was rolled back will be another process's.
        """
        step: _Step | None = None

        def committed() -> None:
            if step is not None:
                self._lease = step.lease

        with self._file.writing(budget, durable=durable, committed=committed) as connection:
            now = self._clock.now()
            wake = _expire(connection, now)
            step = _Step(connection, now, self._alive(connection), wake)
            yield step
        if step.wake:
            sqlite_wake.wake(self._ears)

    def _look(self, query: str, budget: Seconds, *arguments: object) -> tuple[list[tuple[Any, ...]], Revision, float]:
        """Rows under the path, the store's revision, and when the next lease ends. Ends leases that are due."""
        prefix = (self._base, self._base[:-1] + "0")  # "0" follows "/"
        end = self._clock.now() + budget
        while True:
            with self._file.reading(Seconds(end - self._clock.now())) as connection:
                if connection is None:
                    return [], Revision(0), float("inf")
                next_end = connection.execute("SELECT min(deadline) FROM leases").fetchone()[0]
                if next_end is None or next_end > self._clock.now():
                    rows = connection.execute(query, (*prefix, *arguments)).fetchall()
                    return rows, _revision(connection), float("inf") if next_end is None else next_end
            with self._step(Seconds(end - self._clock.now()), durable=False):
                pass

    def _number(self) -> int | None:
        """The own lease, if it was granted in the file now in use."""
        lease = self._lease
        return lease.number if lease and lease.file == self._file.identity else None

    def _alive(self, connection: sqlite3.Connection) -> _Lease | None:
        found = connection.execute("SELECT 1 FROM leases WHERE id = ?", (self._number(),)).fetchone()
        return self._lease if found else None

    def _grant(self, step: _Step, ttl: Seconds | None, sent: Instant) -> _Lease:
        if ttl is None:
            raise ValueError("a leased key needs a ttl when there is no lease yet")
        cursor = step.connection.execute("INSERT INTO leases (ttl, deadline) VALUES (?, ?)", (ttl, step.now + ttl))
        assert cursor.lastrowid is not None
        step.lease = _Lease(cursor.lastrowid, self._file.identity, Instant(sent + ttl))
        return step.lease


def _extend(step: _Step, lease: _Lease, ttl: Seconds, sent: Instant) -> _Lease:
    """For others the lease counts from this transaction, for its holder from `sent`, which is earlier."""
    deadline = step.now + ttl
    longer = step.connection.execute("SELECT 1 FROM leases WHERE id = ? AND deadline > ?", (lease.number, deadline))
    step.wake = step.wake or longer.fetchone() is not None  # watchers would sleep until the old deadline
    step.connection.execute("UPDATE leases SET ttl = ?, deadline = ? WHERE id = ?", (ttl, deadline, lease.number))
    step.lease = _Lease(lease.number, lease.file, Instant(sent + ttl))
    return step.lease


def _revision(connection: sqlite3.Connection) -> Revision:
    return Revision(connection.execute("SELECT revision FROM state").fetchone()[0])


def _next_revision(connection: sqlite3.Connection) -> Revision:
    return Revision(connection.execute("UPDATE state SET revision = revision + 1 RETURNING revision").fetchone()[0])


def _expire(connection: sqlite3.Connection, now: Instant) -> bool:
    """Ends leases whose deadline has passed and removes their keys; whether a key went."""
    ended = connection.execute("DELETE FROM leases WHERE deadline <= ? RETURNING id", (now,)).fetchall()
    gone = [key for lease in ended for key in
            connection.execute("SELECT key FROM keys WHERE lease = ? AND value IS NOT NULL", lease)]
    if gone:
        revision = _next_revision(connection)
        connection.executemany("UPDATE keys SET value = NULL, lease = NULL, revision = ? WHERE key = ?",
                               [(revision, key) for (key,) in gone])
    return bool(gone)
