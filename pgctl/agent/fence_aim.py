"""Processes known by what they are and not by their pid, and signals that reach no other; what was done is said.

Law. A signal reaches the process that was meant or none: it goes through a pidfd, and where a start time is known, it is
compared after the pidfd was opened, for pids are recycled.

The fence's process is built on this room, so it imports nothing of ours and little of anyone's. Theory: `fence_process`.
"""

import _signal  # type: ignore[import-not-found]  # the signal module costs a megabyte for its enums
import os
import select
import time

SIGINT, SIGQUIT, SIGKILL, SIGSTOP = 2, 3, 9, 19


def started(pid: int) -> int:
    """When a process started, in kernel ticks since boot; 0 when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, IndexError, ValueError):
        return 0


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def link(pid: int, name: str) -> str:
    """Where a link of a process leads, such as `cwd` or `exe`, also after it was deleted; empty when it does not tell."""
    try:
        return os.readlink(f"/proc/{pid}/{name}").removesuffix(" (deleted)")
    except OSError:
        return ""


def postmaster(data_dir: str) -> int:
    """The pid in `postmaster.pid`, if it is alive and works in that directory; else 0."""
    try:
        with open(f"{data_dir}/postmaster.pid", "rb") as file:
            pid = abs(int(file.readline()))
    except (OSError, ValueError):
        return 0
    return pid if pid > 1 and started(pid) and link(pid, "cwd") == os.path.realpath(data_dir) else 0


def family(data_dir: str, parent: int, program: str) -> list[int]:
    """All processes of the server but the postmaster: its children, and orphans that work in the data directory."""
    home = os.path.realpath(data_dir)
    found = []
    for name in os.listdir("/proc"):
        pid = int(name) if name.isdigit() else 0
        if pid in (0, parent, os.getpid()) or not started(pid):
            continue
        own = parent and _parent(pid) == parent
        if own or (link(pid, "cwd") == home and _is_server(link(pid, "exe"), program)):
            found.append(pid)
    return found


def _is_server(exe: str, program: str) -> bool:
    return exe == program if program else os.path.basename(exe) in ("postgres", "postmaster")


def send(pid: int, number: int, start: int = 0) -> bool:
    """Signals a process; with `start` only if it started then. False when it is gone or may not be signalled."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start and started(pid) != start:
            return False
        _signal.pidfd_send_signal(handle, number)
        return True
    except OSError as error:
        say(f"could not send signal {number} to process {pid}: {error.strerror}")
        return False
    finally:
        os.close(handle)


def wait_gone(pid: int, longest: int) -> bool:
    """Waits until a process has ended, at most `longest` nanoseconds."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return True
    waiter = select.poll()
    waiter.register(handle, select.POLLIN)
    ended = bool(waiter.poll(max(0, longest) // 10**6))
    os.close(handle)
    return ended


def say(text: str) -> None:
    """One line to standard error, which is the log; a full disk does not matter."""
    try:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        os.write(2, f"{stamp} UTC fence[{os.getpid()}] {text}\n".encode())
    except OSError:
        pass
