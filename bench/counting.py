"""A proxy on the loopback that counts the requests which pass: HTTP, also within TLS, and ZooKeeper's protocol.

It changes nothing and repeats nothing. Requests are told from answers by their direction; a stream counts once, when it is
asked for. Source for ZooKeeper's frames: zookeeper.jute, RequestHeader (a length, then the request's number and type).
"""

import asyncio
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Reader = Callable[[bytes], list[str]]
"""Takes the next piece that a client sent on one connection; what it asked for, as far as it is complete."""

_REQUEST = re.compile(rb"(GET|PUT|POST|PATCH|DELETE) ([^ ?\r\n]+)[^ \r\n]* HTTP/1\.[01]\r\n")
_LONGEST_LINE = 8192
_TYPES = {3: "exists", 4: "getData", 8: "getChildren", 11: "ping", 12: "getChildren2", 14: "multi", 5: "setData", 9: "sync",
          1: "create", 2: "delete"}


@dataclass
class Tally:
    """What passed since it was last emptied, by kind. `port` is where the proxy listens."""

    port: int = 0
    asked: Counter[str] = field(default_factory=Counter)


def http() -> Reader:
    """Method and the first parts of the path. No body that a store is sent looks like a request line."""
    rest = b""

    def read(piece: bytes) -> list[str]:
        nonlocal rest
        text, found, at = rest + piece, [], 0
        for match in _REQUEST.finditer(text):
            at = match.end()
            found.append(f"{match[1].decode()} {b'/'.join(match[2].split(b'/')[:4]).decode()}")
        rest = text[at:][-_LONGEST_LINE:]
        return found

    return read


def zookeeper() -> Reader:
    """The type of each frame; the first on a connection asks for a session."""
    rest, first = b"", True

    def read(piece: bytes) -> list[str]:
        nonlocal rest, first
        rest += piece
        found = []
        while len(rest) >= 4 and len(rest) >= 4 + (size := int.from_bytes(rest[:4], "big")):
            kind = int.from_bytes(rest[8:12], "big", signed=True)
            found.append("connect" if first else _TYPES.get(kind, f"type {kind}"))
            first, rest = False, rest[4 + size:]
        return found

    return read


@dataclass(frozen=True)
class TlsEnds:
    """A proxy within TLS: its own certificate to clients, and the authority that it trusts the server by."""

    certificate: str
    key: str
    authority: str


@contextmanager
def counting(target: int, reader: Callable[[], Reader], tls: TlsEnds | None = None) -> Iterator[Tally]:
    """Runs a proxy to that port of 127.0.0.1, in a thread of its own, until the block ends."""
    tally, loop = Tally(), asyncio.new_event_loop()
    proxy = _Proxy(target, reader, tally, tls)
    loop.run_until_complete(proxy.listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield tally
    finally:
        asyncio.run_coroutine_threadsafe(proxy.end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Proxy:
    """Lives on one event loop."""

    def __init__(self, target: int, reader: Callable[[], Reader], tally: Tally, tls: TlsEnds | None) -> None:
        self._target = target
        self._reader = reader
        self._tally = tally
        self._near = self._far = None if tls is None else ssl.create_default_context(cafile=tls.authority)
        if tls is not None:
            self._near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._near.load_cert_chain(tls.certificate, tls.key)

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._near)
        self._tally.port = self._server.sockets[0].getsockname()[1]

    async def end(self) -> None:
        self._server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            far, to_far = await asyncio.open_connection("127.0.0.1", self._target, ssl=self._far)
            await asyncio.gather(self._pump(near, to_far, self._reader()), self._pump(far, to_near, None))
        to_near.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, read: Reader | None) -> None:
        try:
            while piece := await source.read(65536):
                if read is not None:
                    self._tally.asked.update(read(piece))
                target.write(piece)
                await target.drain()
        finally:
            target.close()
