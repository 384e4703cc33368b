"""A proxy before ZooKeeper which spoils answers: what a dying server, a wrong server or a proxy sends instead of them.

A request is passed on first, so that what it asks for is done. Source for the frames: zookeeper.jute, RequestHeader and
ReplyHeader; a length, then number, transaction and error of the answer, and what was asked for.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

WRITES = frozenset({1, 2, 5, 14, 15})
"""Requests that change something: create, delete, setData, multi, create2."""
_HEADER = struct.Struct(">iqi")
_REFUSALS = (-6, -8, -102, -108, -114, -119, -120, -124, -125, -127)
_FAULTS = (-1, -2, -3, -4, -5, -7, -12, -13, -14, -100, -112, -113, -115, -118, -121, -122, -123, -999)


@dataclass(frozen=True)
class ZkLie:
    """An answer with that error; or `raw` instead of it, or what `keep` slices of it; then the end, unless `whole`."""

    name: str
    error: int = 0
    raw: bytes = b""
    keep: int = 0
    number: int = 0
    """Added to the answer's number."""
    whole: bool = False
    refuses: bool = False
    of_bodies: bool = False
    """Told of answers that have a body alone: of a sound deletion it would be none."""

    def told(self, frame: bytes) -> bytes:
        """What is sent instead of that frame."""
        number, zxid, _ = _HEADER.unpack_from(frame)
        if self.error:
            return _framed(_HEADER.pack(number, zxid, self.error))
        if self.number:
            return _framed(_HEADER.pack(number + self.number, zxid, 0) + frame[_HEADER.size:])
        if self.name == "no body":
            return _framed(_HEADER.pack(number, zxid, 0))
        if self.name == "a crooked body":
            return _framed(_HEADER.pack(number, zxid, 0) + b"\xff" * 7)
        return (struct.pack(">i", len(frame)) + frame)[:self.keep] if self.keep else self.raw


ZK_LIES = (
    *(ZkLie(f"error {code}", error=code, whole=True, refuses=True) for code in _REFUSALS),
    *(ZkLie(f"error {code}", error=code, whole=True) for code in _FAULTS),
    ZkLie("no body", whole=True, of_bodies=True), ZkLie("a crooked body", whole=True, of_bodies=True),
    ZkLie("another's number", number=7, whole=True),
    ZkLie("closed without a word"), ZkLie("cut short", keep=-1), ZkLie("cut in the header", keep=9),
    ZkLie("a negative length", raw=struct.pack(">i", -5)), ZkLie("an endless answer", raw=struct.pack(">i", 2**31 - 1)),
    ZkLie("not ZooKeeper", raw=b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
)


def _framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


class ZkLiar:
    """While there is a `lie`, it is told to each request of the types `about` (all, if empty)."""

    def __init__(self, target: int) -> None:
        self.lie: ZkLie | None = None
        self.about: frozenset[int] = frozenset()
        self.passed_on = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def tell(self, lie: ZkLie | None, about: frozenset[int] = frozenset()) -> None:
        self.lie, self.about, self.passed_on = lie, about, 0

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                asked: dict[int, int] = {}
                for arguments in ((near, far, asked, False), (far, near, asked, True)):
                    threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, asked: dict[int, int], answers: bool) -> None:
        with suppress(OSError, struct.error):
            target.sendall(_framed(_frame(source)))  # the greeting
            while True:
                frame = _frame(source)
                number, kind = struct.unpack_from(">ii", frame)
                if not answers:
                    asked[number] = kind
                meant = answers and number > 0 and (not self.about or asked[number] in self.about)
                lie = self.lie if meant else None
                if lie is None or lie.of_bodies and len(frame) == _HEADER.size:
                    target.sendall(_framed(frame))
                    continue
                self.passed_on += 1
                target.sendall(lie.told(frame))
                if not lie.whole:
                    break
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _frame(source: socket.socket) -> bytes:
    """The next one without its length. Raises struct.error at the end."""
    size = struct.unpack(">i", _exactly(source, 4))[0]
    return _exactly(source, size)


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (piece := source.recv(size - len(found))):
        found += piece
    return found


@contextmanager
def zookeeper_liar(target: int) -> Iterator[ZkLiar]:
    """A liar before the server at that port, closed at the end."""
    one = ZkLiar(target)
    try:
        yield one
    finally:
        one.close()
