"""A TCP proxy on the loopback that is slow, loses answers, or cuts connections: for every store's contract."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Proxy:
    """Passes bytes between its own `port` and another. What it does to them may be changed at any time."""

    def __init__(self, target: int) -> None:
        self.delay = 0.0
        """Seconds by which each piece is late, in each direction."""
        self.deaf = False
        """Requests arrive; what the server answers is lost, and the connection stays open."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """Ends all connections that are open now."""
        for each in self._open:
            with contextlib.suppress(OSError):  # ended by itself
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self) -> None:
        # A thread that waits in accept would keep the socket alive: shutting it down wakes it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):  # cut
            while piece := source.recv(65536):
                time.sleep(self.delay)
                if not (answers and self.deaf):
                    target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to the port `target`, closed at the end."""
    one = Proxy(target)
    try:
        yield one
    finally:
        one.close()
