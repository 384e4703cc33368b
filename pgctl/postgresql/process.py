"""The postmaster: found, signalled, stopped. Chooses no mode.

The postmaster is found through postmaster.pid and confirmed by the kernel: a recycled pid is not taken for it. Its end is
waited for with a pidfd, which cannot be fooled either. Signals go to it directly. Source: PostgreSQL 15, 19.5 Shutting
Down the Server; pidfd_open(2); proc(5).
"""

import logging
import os
import select
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pgctl.errors import ServerError
from pgctl.model.conf import StopMode
from pgctl.model.server import ControlData, Postmaster
from pgctl.postgresql.controldata import ControlReader
from pgctl.postgresql.site import Site
from pgctl.units import Instant, show_seconds

log = logging.getLogger(__name__)

SIGNALS = {StopMode.SMART: signal.SIGTERM, StopMode.FAST: signal.SIGINT, StopMode.IMMEDIATE: signal.SIGQUIT}
_AFTER_IMMEDIATE = 5.0
"""Seconds that an immediate stop is given before SIGKILL. Source: postmaster's own SIGKILL_CHILDREN_AFTER_SECS."""
_AFTER_KILL = 5.0
_SLICE_MS = 20
"""How often, while the postmaster is on its way out, pg_control's time and `cancelled` are looked at."""
_START_SLACK = 3.0


@dataclass(frozen=True, slots=True)
class PidFile:
    """postmaster.pid, or a socket's lock: process id, start time (calendar), the postmaster's own word on its status."""

    pid: int
    data_dir: str
    start_time: int
    status: str
    """`starting`, `stopping`, `ready`, `standby` (up, but no hot standby), or empty when not yet written."""


def read_pid_file(path: Path) -> PidFile | None:
    """None when absent, half written, or of a single-user server (negative pid). Source: PostgreSQL, pidfile.h."""
    try:
        rows = path.read_text("utf-8", "replace").split("\n")
        pid, started = int(rows[0]), int(rows[2])
    except (OSError, ValueError, IndexError):
        return None
    status = rows[7].strip() if len(rows) > 7 else ""
    return PidFile(pid, rows[1], started, status) if pid > 0 else None


def single_user(path: Path) -> bool:
    """Whether a single-user server holds the data directory."""
    with suppress(OSError):
        return path.read_text("utf-8", "replace").startswith("-")
    return False


def find(site: Site) -> Postmaster | None:
    """The running postmaster of the data directory, or None."""
    noted = read_pid_file(site.pid_file)
    return confirm(site, noted) if noted is not None else None


def confirm(site: Site, noted: PidFile) -> Postmaster | None:
    """The process behind the file, if it is a postmaster of this data directory.

    It must be alive, neither us nor our parent, work in the data directory where that may be read, and either be called
    like the server or have started when the file says (the calendar may have been set since). Source: postgresql.md 3.
    """
    if noted.pid in (os.getpid(), os.getppid()):
        return None
    found = _stat(noted.pid)
    if found is None:
        return None
    name, started, _ = found
    with suppress(OSError):
        if os.readlink(f"/proc/{noted.pid}/cwd") != os.path.realpath(site.data_dir):
            return None
    names = {"postgres", "postmaster", os.path.basename(site.program("postgres"))[:15]}
    if name not in names and abs(_boot_time() + started - noted.start_time) > _START_SLACK:
        return None
    return Postmaster(noted.pid, started)


def past_stale_locks(site: Site, socket_directories: Iterable[Path]) -> dict[str, str]:
    """The environment that makes a new server pass over lock files that a dead one of this data directory left.

    Their pid may be some other program's by now, or still the dead postmaster's where nobody reaps it (a container
    without an init). The server does not believe a file that names its own grandparent. Source: PostgreSQL, miscinit.c;
    postgresql.md 3 row 6.
    """
    home = os.path.realpath(site.data_dir)
    locks = [site.pid_file, *(path / f".s.PGSQL.{site.section.port}.lock" for path in socket_directories)]
    for path in locks:
        noted = read_pid_file(path)
        if noted is None or os.path.realpath(noted.data_dir) != home or not Path(f"/proc/{noted.pid}").exists():
            continue
        if confirm(site, noted) is None:
            return {"PG_GRANDPARENT_PID": str(noted.pid)}
    return {}


def _stat(pid: int) -> tuple[str, float, int] | None:
    """(name, start in seconds since boot, parent) of a living process; None when gone or a zombie. Source: proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return name, int(fields[19]) / os.sysconf("SC_CLK_TCK"), int(fields[1])


def _boot_time() -> float:
    """Calendar time of boot, as the kernel has it now."""
    with suppress(OSError):
        for line in Path("/proc/stat").read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    return 0.0


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            status = _stat(int(entry))
            if status is not None and status[2] == pid:
                found.append(int(entry))
    return found


def same(postmaster: Postmaster) -> bool:
    """Whether this very process still lives."""
    found = _stat(postmaster.pid)
    return found is not None and found[1] == postmaster.started


def open_fd(postmaster: Postmaster) -> int | None:
    """A pidfd of this very process, readable when it exits; None when it is gone. The caller closes it."""
    try:
        fd = os.pidfd_open(postmaster.pid)
    except OSError:
        return None
    if same(postmaster):
        return fd
    os.close(fd)
    return None


def exited(fd: int, milliseconds: float) -> bool:
    """Waits for the process behind a pidfd; True when it is gone."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0.0, milliseconds)))


def _send(fd: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, number)


def reload(postmaster: Postmaster | None) -> None:
    """SIGHUP to the postmaster, if there is one."""
    fd = open_fd(postmaster) if postmaster is not None else None
    if fd is not None:
        _send(fd, signal.SIGHUP)
        os.close(fd)


def stop(
    site: Site,
    control: ControlReader,
    postmaster: Postmaster,
    mode: StopMode,
    deadline: Instant | None,
    on_safe: Callable[[ControlData], None] | None,
    cancelled: Callable[[], bool],
) -> None:
    """Signals, and waits until the process is gone; see `Server.stop`. Raises ServerError."""
    fd = open_fd(postmaster)
    if fd is None:
        return
    try:
        _send(fd, SIGNALS[mode])
        if _gone(site, control, fd, deadline, on_safe, cancelled):
            return
        log.warning("the server did not stop in time: stopping it immediately")
        _send(fd, signal.SIGQUIT)
        if exited(fd, _AFTER_IMMEDIATE * 1000):
            return
        log.error("the server did not stop in %s more: killing it", show_seconds(_AFTER_IMMEDIATE))
        kill_tree(site, postmaster)
    finally:
        os.close(fd)


def _gone(
    site: Site,
    control: ControlReader,
    fd: int,
    deadline: Instant | None,
    on_safe: Callable[[ControlData], None] | None,
    cancelled: Callable[[], bool],
) -> bool:
    """Waits for the exit; False when the deadline passed. Tells `on_safe` once. Raises ServerError when cancelled."""
    seen = control.stamp()
    while not exited(fd, _SLICE_MS):
        if cancelled():
            raise ServerError("the stop was cancelled", detail="the server is still stopping")
        if deadline is not None and site.clock.now() >= deadline:
            return False
        if on_safe is not None and control.stamp() != seen:
            seen = control.stamp()
            found = _read_quietly(control)
            if found is not None and found.cleanly_stopped:
                on_safe(found)
                on_safe = None
    return True


def _read_quietly(control: ControlReader) -> ControlData | None:
    """pg_control while it is being written: a failure is no answer."""
    try:
        return control.read()
    except ServerError:
        return None


def kill_tree(site: Site, postmaster: Postmaster) -> None:
    """SIGKILL to postmaster and children; held first, so that no child is born meanwhile. Raises ServerError."""
    fd = open_fd(postmaster)
    if fd is None:
        return
    _send(fd, signal.SIGSTOP)
    family = [found for pid in children(postmaster.pid) if (found := _pidfd(pid)) is not None]
    _kill_all(site, [fd, *family])


def orphans(site: Site) -> list[int]:
    """Server processes of this data directory that outlived their postmaster; only meaningful while there is none."""
    home = os.path.realpath(site.data_dir)
    names = {"postgres", os.path.basename(site.program("postgres"))[:15]}
    found = []
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == home:
                status = _stat(int(entry))
                if status is not None and status[0] in names:
                    found.append(int(entry))
    return found


def end_orphans(site: Site) -> None:
    """SIGKILL to processes that outlived their postmaster: they may still write, and keep a new one from starting.

    Raises ServerError when they do not end.
    """
    if find(site) is not None:
        return
    held = [fd for pid in orphans(site) if (fd := _pidfd(pid)) is not None]
    if held:
        log.warning("ending %d processes that outlived their postmaster", len(held))
    _kill_all(site, held)


def _kill_all(site: Site, fds: list[int]) -> None:
    """Kills the processes, waits for them, closes their pidfds."""
    try:
        for fd in fds:
            _send(fd, signal.SIGKILL)
        until = site.clock.now() + _AFTER_KILL
        if not all(exited(fd, (until - site.clock.now()) * 1000) for fd in fds):
            raise ServerError(
                "the server cannot be killed",
                detail="a process of it does not end even after SIGKILL",
                hint="It hangs in the kernel, mostly on a disk: look at the kernel log, and restart this host.",
            )
    finally:
        for fd in fds:
            os.close(fd)


def _pidfd(pid: int) -> int | None:
    with suppress(OSError):
        return os.pidfd_open(pid)
    return None
