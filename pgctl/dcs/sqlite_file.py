"""The SQLite file: opening, creating, transactions, and what its errors mean. Knows no key.

Law: an error before COMMIT means that nothing was applied. One at COMMIT means the same, except where the disk failed
in it: then another look may find the transaction there, and the outcome is unknown.

`synchronous`: a transaction that must outlive the host is synced to disk (FULL). Leases, and keys on them, end with the
host's boot anyway, so they are not (NORMAL): a disk busy with a checkpoint must not cost a lease. WAL keeps commits in
order, hence a synced one takes the earlier ones with it. Source: sqlite.org/pragma.html#pragma_synchronous.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pgctl.clock import Clock
from pgctl.dcs import retry
from pgctl.errors import OutcomeUnknown, PgctlError, StoreUnreachable
from pgctl.units import Seconds

_APPLICATION_ID = 0x70676374  # "pgct": tells our file from any other SQLite file
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE keys (key TEXT PRIMARY KEY, value TEXT, revision INTEGER NOT NULL, lease INTEGER)",  # NULL: deleted
    "CREATE INDEX keys_revision ON keys (revision)",
    "CREATE TABLE leases (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl REAL NOT NULL, deadline REAL NOT NULL)",
    "CREATE TABLE state (revision INTEGER NOT NULL, boot TEXT NOT NULL)",
    "INSERT INTO state VALUES (0, '')",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_VERSION}",
)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Identity = tuple[int, int]


class StoreFile:
    """One connection to the file, for any number of threads, which take turns.

    The file may be removed or replaced while it is open: the next transaction sees the new one, and `identity` tells.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self.path = Path(path).absolute()
        self._clock = clock
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.identity: Identity | None = None
        """Device and inode of the file last used."""

    @contextlib.contextmanager
    def reading(self, budget: Seconds) -> Iterator[sqlite3.Connection | None]:
        """One consistent look; None when there is no file yet. Raises StoreUnreachable."""
        with self._turn_within(budget) as deadline, self._errors():
            if not self.path.exists() and self.path.parent.is_dir():
                self._forget()
                yield None
                return
            connection = self._open(deadline)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextlib.contextmanager
    def writing(self, budget: Seconds, *, durable: bool, committed: Callable[[], None]) -> Iterator[sqlite3.Connection]:
        """One transaction, committed at the end; makes the file where there is none.

        `committed` is called after it, before any other thread's turn. Raises StoreUnreachable, OutcomeUnknown.
        """
        with self._turn_within(budget) as deadline, self._errors():
            connection = self._open(deadline)
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                _roll_back(connection)
                raise
            self._commit(connection)
            committed()

    def close(self) -> None:
        """Harmless twice; waits for a transaction under way."""
        with self._turn:
            self._forget()

    @contextlib.contextmanager
    def _turn_within(self, budget: Seconds) -> Iterator[float]:
        """Takes the turn; yields the instant at which the budget ends."""
        deadline = self._clock.now() + budget
        if not self._turn.acquire(timeout=max(0.0, budget)):
            raise StoreUnreachable(f"store file {self.path} is busy", detail=f"waited {budget:.1f} s for other threads")
        try:
            yield deadline
        finally:
            self._turn.release()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if not _busy(error):
                self._forget()
            raise failure(error, self.path) from error
        except OSError as error:
            self._forget()
            raise StoreUnreachable(f"could not use store file {self.path}", detail=error.strerror or "") from error

    def _open(self, deadline: float) -> sqlite3.Connection:
        """The connection, opened anew when the path leads to another file than before."""
        left = max(0.0, deadline - self._clock.now())
        found = _identity(self.path)
        if self._connection is None or found != self.identity:
            self._forget()
            self._connection = self._connect(Seconds(left))
            self.identity = _identity(self.path)
            if found not in (None, self.identity):
                self._forget()
                raise StoreUnreachable(f"store file {self.path} was replaced while it was opened")
        self._connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
        return self._connection

    def _connect(self, budget: Seconds) -> sqlite3.Connection:
        if not self.path.parent.is_dir():
            raise StoreUnreachable(f"the directory of store file {self.path} does not exist",
                                   hint="Create it, owned by the user who runs the agents.")
        fresh = not self.path.exists()
        connection = sqlite3.connect(self.path, timeout=budget, isolation_level=None, check_same_thread=False)
        try:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            if fresh:
                adopt(self.path, 0o600)
            self._prepare(connection, budget)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, budget: Seconds) -> None:
        """Checks that the file is ours, makes the tables in an empty one, ends leases of an earlier boot."""
        failure: sqlite3.Error | None = None
        for _ in retry.attempts(budget, self._clock):  # the change to WAL does not wait for others by itself
            try:
                connection.execute("BEGIN IMMEDIATE")
                _check(connection, self.path)
                connection.execute("COMMIT")
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                _roll_back(connection)
                if not _busy(error):
                    raise
                failure = error
        if failure is not None:
            raise failure

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
                self._forget()
                raise OutcomeUnknown(f"the disk failed while writing store file {self.path}",
                                     detail=str(error)) from error
            raise

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def adopt(path: Path, mode: int) -> None:
    """Gives what this process has just made its mode and, when root made it, to the owner of the directory.

    Else a command line run by root would leave a file behind that the agents cannot open. SQLite itself does so for
    the files it makes beside the database.
    """
    os.chmod(path, mode)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _roll_back(connection: sqlite3.Connection) -> None:
    """Some errors have ended the transaction already."""
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def failure(error: sqlite3.Error, path: Path) -> PgctlError:
    """What an SQLite error means to a person."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if _busy(error):
        return StoreUnreachable(f"store file {path} is locked by another process", detail="no turn came in time")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnreachable(f"no space left for store file {path}", hint="Free space on its file system.")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreUnreachable(f"store file {path} is damaged, or no store", detail=str(error),
                                hint="If it was a store: stop the agents, move the file away, start them again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return StoreUnreachable(f"could not open store file {path}", detail=str(error),
                                hint="Run this as the user who owns the file and its directory.")
    return StoreUnreachable(f"could not use store file {path}", detail=str(error))


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if found == 0 and tables == 0:
        for statement in _SCHEMA:
            connection.execute(statement)
    elif found != _APPLICATION_ID:
        raise StoreUnreachable(f"{path} is a database of another program", hint="Choose another path for the store.")
    elif (version := connection.execute("PRAGMA user_version").fetchone()[0]) != _VERSION:
        raise StoreUnreachable(f"store file {path} has format {version}, this version of pgctl knows {_VERSION}")
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    if connection.execute("SELECT boot FROM state").fetchone()[0] != boot:
        # Deadlines count from boot: those of an earlier one mean nothing, and whoever held them died with it.
        connection.execute("UPDATE leases SET deadline = 0")
        connection.execute("UPDATE state SET boot = ?", (boot,))


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
