"""The agent's side of the fence: keeps the process standing and tells it until when the lease holds.

LAW. Nothing may make the server writable unless a live fence is armed for the lease that allows it (`alive`, `arm`).

Theory. The fence's own file says what it does (`fence_process`). This room only writes the record that it reads, in
one pwrite under one lock, since both the cycle and the heartbeat move it: `arm` and `disarm` are decisions of the
cycle, `move` and `tick` are the heartbeat's. `move` never arms: a renewal whose answer comes after the fence was told
to let go must not arm it again.

A restarted agent finds the fence of its former life standing, armed for the old lease, and adopts it: the record
keeps its deadline and gets the new agent's pid. It neither extends nor lifts the fence before it has read the store,
so that a restart costs the server nothing, and an agent that never gets that far changes nothing.

The fence is never believed alive for having been started: it shows a mark each second, beside the record. A fence
that stopped showing it is killed, and another is put in its place.
"""

import fcntl
import os
import select
import sys
import threading
from dataclasses import dataclass

from pgctl.agent import fence_aim, fence_process, fence_record
from pgctl.agent.fence_record import LOCK, RECORD, SECOND, SIZE, Record
from pgctl.errors import ServerError
from pgctl.units import Instant, Seconds

_READY_WITHIN = 10.0
_STALE = 5 * SECOND
"""A fence looks once a second; one without a sign for this long is stuck."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a former life of this agent left: whether the fence was armed, and until when."""

    armed: bool = False
    deadline: Instant = Instant(0)


class Fence:
    """One a run directory. `start` first; all else may be called from any thread."""

    def __init__(self, run_dir: str, data_dir: str) -> None:
        self._run_dir = run_dir
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._boot = fence_record.boot_id()
        self._child = 0
        self._file = -1
        self._record = Record()

    def adopt(self) -> Adopted:
        """Opens the record, keeps what it says, and puts this agent's pid into it. Raises ServerError."""
        path = f"{self._run_dir}/{RECORD}"
        with self._lock:
            try:
                if self._file < 0:
                    self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                    os.posix_fallocate(self._file, 0, SIZE)
                self._record = fence_record.read_record(self._file, self._boot) or Record()
                self._record.agent_pid = os.getpid()
                self._record.agent_started = fence_aim.started(os.getpid())
                self._tick()
            except OSError as error:
                raise ServerError(f"could not prepare the fence's record {path}", detail=error.strerror or "",
                                  hint="The run directory must be writable and have room for one block.") from error
        return Adopted(self._record.armed, Instant(self._record.deadline / SECOND))

    def start(self) -> Adopted:
        """Adopts the fence that stands, or puts one up. Raises ServerError when none can be had."""
        found = self.adopt()
        if self._stands() and not self.alive():
            self._end_stuck()
        if not self._stands():
            self._spawn()
        return found

    def alive(self) -> bool:
        """Whether a fence for this data directory has shown itself within the last seconds."""
        self._reap()
        if self._file < 0:
            return False
        instant, pid, directory = fence_record.read_mark(self._file)
        fresh = fence_record.now_ns() - instant < _STALE
        return fresh and directory == fence_record.checksum(self._data_dir) and fence_aim.started(pid) != 0

    @property
    def armed(self) -> bool:
        return self._record.armed

    def arm(self, deadline: Instant, margin: Seconds) -> None:
        """From now on the server is stopped unless the deadline is moved in time."""
        with self._lock:
            self._record.armed = True
            self._record.deadline, self._record.margin = _ns(deadline), _ns(margin)
            self._tick()

    def move(self, deadline: Instant, margin: Seconds) -> None:
        """The lease was extended. Without effect on a fence that is not armed."""
        with self._lock:
            if self._record.armed:
                self._record.deadline, self._record.margin = _ns(deadline), _ns(margin)
            self._tick()

    def disarm(self) -> None:
        """The fence leaves the server alone."""
        with self._lock:
            self._record.armed = False
            self._tick()

    def tick(self) -> None:
        """The agent is alive, and knows what it believes."""
        with self._lock:
            self._tick()

    def _tick(self) -> None:
        self._record.alive = fence_record.now_ns()
        self._write()

    def _write(self) -> None:
        self._record.sequence += 1
        os.pwrite(self._file, self._record.pack(self._boot), 0)

    def _stands(self) -> bool:
        """Whether some fence holds the lock of this run directory."""
        try:
            file = os.open(f"{self._run_dir}/{LOCK}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except OSError:
            return True
        finally:
            os.close(file)

    def _end_stuck(self) -> None:
        """Kills a fence that holds the lock and guards nothing, or another directory."""
        _, pid, _ = fence_record.read_mark(self._file)
        begun = fence_aim.started(pid)
        if begun and _is_fence(pid, self._run_dir):
            fence_aim.send(pid, fence_aim.SIGKILL, begun)
            fence_aim.wait_gone(pid, 2 * SECOND)
        self._reap()

    def _spawn(self) -> None:
        command = [sys.executable, "-I", "-S", fence_process.__file__, self._run_dir, self._data_dir]
        log = f"{self._run_dir}/fence.log"
        ready, told = os.pipe()
        files = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, told, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        ]
        try:
            self._child = os.posix_spawn(sys.executable, command, {}, file_actions=files, setsid=True)
        except OSError as error:
            raise ServerError("could not start the fence process", detail=str(error)) from error
        finally:
            os.close(told)
            up = self._child > 0 and _ready(ready)
            os.close(ready)
        if not up:
            raise ServerError("the fence process did not come up", detail=f"see {log}",
                              hint="Without it this member must not lead. Look into the log it left.")

    def _reap(self) -> None:
        """Takes note of the end of a fence that this process started."""
        with self._lock:
            if self._child and os.waitpid(self._child, os.WNOHANG)[0]:
                self._child = 0


def _ready(file: int) -> bool:
    waiter = select.poll()
    waiter.register(file, select.POLLIN)
    return bool(waiter.poll(_READY_WITHIN * 1000)) and os.read(file, 1) == b"."


def _is_fence(pid: int, run_dir: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return fence_process.__file__.encode() in words and run_dir.encode() in words


def _ns(seconds: float) -> int:
    return int(seconds * SECOND)
