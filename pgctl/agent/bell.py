"""A bell: any thread rings it, and one selector hears it. Rings before it is cleared count once.

It knows nothing of what it is rung for. Source: eventfd(2); where the system has none, a pair of sockets.
"""

import contextlib
import os
import select
import socket
import sys

_ONE = (1).to_bytes(8, sys.byteorder)
"""What an eventfd takes: a 64-bit integer of this machine; a pair of sockets takes any bytes."""


class Bell:
    """Rung from any thread or signal handler; waited for by its file descriptor, which is readable once it was rung."""

    def __init__(self) -> None:
        self._pair: tuple[socket.socket, socket.socket] | None = None
        if hasattr(os, "eventfd"):
            self._read = self._write = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._pair = socket.socketpair()
            for end in self._pair:
                end.setblocking(False)
            self._read, self._write = (end.fileno() for end in self._pair)

    def fileno(self) -> int:
        """The descriptor to select on for reading."""
        return self._read

    def ring(self) -> None:
        """Makes the descriptor readable. Never blocks: a bell that cannot take another ring is ringing already."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, _ONE)

    def wait(self, seconds: float) -> None:
        """Until it is rung, or so long."""
        select.select((self,), (), (), seconds)

    def clear(self) -> None:
        """Takes all rings so far. Clear first, then look at what it was rung for: so that no ring is lost."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096) and self._pair:
                pass

    def close(self) -> None:
        if self._pair:
            for end in self._pair:
                end.close()
        else:
            os.close(self._read)
