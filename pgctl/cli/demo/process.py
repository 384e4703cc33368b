"""Processes by identity: pid and start time, so that a recycled pid is never signalled. Starts nothing.

Source: proc(5), pidfd_open(2).
"""

import os
import select
import signal
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pgctl.clock import Clock
from pgctl.units import Instant


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this host; `started` is field 22 of its stat file, in clock ticks since boot."""

    pid: int
    started: int


def identify(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]))


def alive(process: Process) -> bool:
    return identify(process.pid) == process


def open_fd(process: Process) -> int | None:
    """A descriptor that becomes readable when the process ends; None when it has. The caller closes it."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    if alive(process):
        return descriptor
    os.close(descriptor)
    return None


def send(process: Process, number: signal.Signals) -> bool:
    """Signals the process, if it still is the one we know; False when it is gone."""
    descriptor = open_fd(process)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait(processes: Iterable[Process], clock: Clock, deadline: Instant) -> tuple[Process, ...]:
    """Waits until all have ended or the deadline has come; returns those that are still there."""
    with ExitStack() as stack:
        open_ones: dict[int, Process] = {}
        for process in processes:
            descriptor = open_fd(process)
            if descriptor is not None:
                stack.callback(os.close, descriptor)
                open_ones[descriptor] = process
        poll = select.poll()
        for descriptor in open_ones:
            poll.register(descriptor, select.POLLIN)
        while open_ones and (left := deadline - clock.now()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                poll.unregister(descriptor)
                del open_ones[descriptor]
        return tuple(open_ones.values())


def postmaster(data_dir: str) -> Process | None:
    """The PostgreSQL server that runs on this data directory; None when there is none.

    A postmaster's working directory is its data directory, which tells it from a process that got its pid later.
    """
    try:
        pid = int(Path(data_dir, "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        if not os.path.samefile(f"/proc/{pid}/cwd", data_dir):
            return None
    except (OSError, ValueError):
        return None
    return identify(pid)
