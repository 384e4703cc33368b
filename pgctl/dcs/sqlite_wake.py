"""Wakes whoever watches a store file: each watcher has a Unix datagram socket in a directory beside it.

A writer sends an empty datagram to every socket there, after its commit. A socket nobody listens to any more is
removed. Knows nothing of what changed: the woken one looks for itself. Socket addresses are limited to 107 bytes and
paths are not, so both sides go through /proc/self/fd/N, N being the open directory (unix(7)).
"""

import contextlib
import errno
import itertools
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

from pgctl.dcs import sqlite_file
from pgctl.errors import StoreUnreachable
from pgctl.units import Seconds

_numbers = itertools.count()


class Ear:
    """One watcher's socket. `close` removes it."""

    def __init__(self, directory: Path, stop: int) -> None:
        """`stop` is a file descriptor that becomes readable when waiting must end. Raises StoreUnreachable."""
        self._directory = directory
        self._stop = stop
        self._name = f"{os.getpid()}-{next(_numbers)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            make(directory)
            with _opened(directory) as base:
                with contextlib.suppress(FileNotFoundError):  # of an earlier process with this number
                    os.unlink(f"{base}/{self._name}")
                self._socket.bind(f"{base}/{self._name}")
            sqlite_file.adopt(directory / self._name, 0o666)  # the directory keeps strangers out
        except OSError as error:
            self._socket.close()
            raise StoreUnreachable(f"could not watch the store through {directory}", detail=error.strerror or "",
                                   hint="Run this as the user who owns the store file.") from error

    def wait(self, timeout: Seconds) -> bool:
        """Returns when woken or after `timeout`; False when it must end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(max(0.0, timeout) * 1000)}
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(1) is not None:  # one look answers for all wake-ups so far
                pass
        return self._stop not in ready

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._directory / self._name)


def make(directory: Path) -> None:
    """Makes the directory of sockets. Raises OSError."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return
    sqlite_file.adopt(directory, 0o700)


def wake(directory: Path) -> None:
    """Wakes all who listen; one that cannot be woken looks for itself in a while, so nothing is raised."""
    with contextlib.suppress(OSError), _opened(directory) as base, socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sender:
        for name in os.listdir(base):
            try:
                sender.sendto(b"", f"{base}/{name}")
            except OSError as error:
                if error.errno == errno.ECONNREFUSED:  # its owner is gone
                    with contextlib.suppress(OSError):
                        os.unlink(f"{base}/{name}")


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[str]:
    """A short name for the directory, as long as the context lasts."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
