"""What this member has promised a leader that cannot reach the store: one cell, and a file that outlives the agent.

LAW. While a promise stands, the agent does not create or take over the leader key.

Theory. `core.failsafe` says what rests on this. A promise is made in the REST server's thread, the key is taken in the
loop's; they exclude each other here, under one lock. An attempt at the key begins (`attempt`) before the request is sent
and ends (`attempted`) when the lease cell has the result; between the two, and while the lead is held, no promise is made;
nor while the fence is armed, for then a server may take writes by the lease of an earlier life of this agent.
While a promise stands no attempt begins. Nothing is promised before it is in the file, so that an agent that is killed
and comes back finds it there; nothing waits for the disk, since a file's pages outlive a process. They do not outlive the
machine, so a record of another boot, or none, says that a promise may have been made until a moment ago.

The record is one pwrite of fixed size into a block that exists: a full disk does not stop it.
"""

import binascii
import os
import struct
import threading
from collections.abc import Callable
from typing import Protocol

from pgctl.agent.fence_record import SECOND, boot_id
from pgctl.agent.lease import LeaseCell
from pgctl.errors import ServerError
from pgctl.model.failsafe import Ping, Promise
from pgctl.units import Instant

FILE, SIZE = "promise", 512
_MAGIC = b"pgpromi1"
_RECORD = struct.Struct("<8s16sq64sI")


class Record(Protocol):
    """Keeps one promise across the lives of an agent; both verbs raise OSError."""

    def load(self) -> Promise | None:
        """The promise of an earlier life of this boot, its end long past when there was none; None: not known."""

    def save(self, promise: Promise) -> None: ...


class FileRecord:
    """A file in the run directory."""

    def __init__(self, run_dir: str) -> None:
        self._path = f"{run_dir}/{FILE}"
        self._boot = boot_id()

    def load(self) -> Promise | None:
        with open(self._path, "a+b") as file:
            os.posix_fallocate(file.fileno(), 0, SIZE)
            data = os.pread(file.fileno(), _RECORD.size, 0)
        whole = data[:8] == _MAGIC and struct.unpack("<I", data[-4:])[0] == binascii.crc32(data[:-4])
        if not whole or data[8:24] != self._boot:
            return None
        _, _, until, name, _ = _RECORD.unpack(data)
        return Promise(Instant(until / SECOND), Ping(name.rstrip(b"\0").decode(errors="replace"), "", ""))

    def save(self, promise: Promise) -> None:
        name = (promise.ping.name if promise.ping else "").encode()[:64]
        body = _RECORD.pack(_MAGIC, self._boot, int(promise.until * SECOND), name, 0)[:-4]
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(file, body + struct.pack("<I", binascii.crc32(body)), 0)
        finally:
            os.close(file)


class PromiseCell:
    """Any thread may read; `accept` is the REST server's, the attempts are the loop's."""

    def __init__(self, lease: LeaseCell, record: Record, armed: Callable[[], bool]) -> None:
        """`armed`: whether the fence guards a server that may take writes, by an earlier life's lease, too."""
        self._lease = lease
        self._armed = armed
        self._record = record
        self._lock = threading.Lock()
        self._promise: Promise | None = None
        self._attempting = False

    def begin(self, now: Instant) -> None:
        """A life begins `now`: takes over what an earlier one promised. Raises ServerError."""
        try:
            found = self._record.load()
            self._promise = found or Promise(now)
            if found is None:
                self._record.save(Promise(Instant(0), Ping("", "", "")))
        except OSError as error:
            raise ServerError("could not prepare the file of promises in the run directory", detail=error.strerror or "",
                              hint="The run directory must be writable and have room for one block.") from error

    def read(self) -> Promise | None:
        return self._promise

    def accept(self, ping: Ping, until: Instant, now: Callable[[], Instant]) -> str:
        """Promises; empty, or why not. A longer promise that stands stays."""
        with self._lock:
            if self._attempting or self._lease.read().left(now()) > 0 or self._armed():
                return "this member leads, or is about to, or its server may still take writes"
            before = self._promise
            longest = max(until, before.until) if before is not None and before.ping is not None else until
            promise = Promise(longest, ping)
            try:
                self._record.save(promise)
            except OSError as error:
                return f"the promise could not be kept: {error.strerror}"
            self._promise = promise
            return ""

    def attempt(self, now: Instant) -> str:
        """The leader key is about to be asked for; empty, or why it must not be. `attempted` follows."""
        with self._lock:
            promise = self._promise
            if promise is not None and promise.ping is not None and now < promise.until:
                return f"promised to {promise.ping.name} for {promise.until - now:.1f}s more"
            self._attempting = True
            return ""

    def attempted(self) -> None:
        """The answer is in the lease cell, or there is none."""
        with self._lock:
            self._attempting = False
