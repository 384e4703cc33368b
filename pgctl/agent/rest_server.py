"""The REST API's sockets: one thread, one event loop, one HTTP parser a connection. What is answered is `reception`'s.

It touches no hand and starts no thread for a request. Every connection is bounded: time to send a request and to take
its reply, size of head and body, requests in line, and how many connections there may be.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from functools import partial

import httptools

from pgctl.agent import listener, rest_wire
from pgctl.agent.access import Asker
from pgctl.agent.board import Board
from pgctl.agent.inbox import Inbox, Reply
from pgctl.agent.promise import PromiseCell
from pgctl.agent.reception import Front, Reception
from pgctl.agent.rest_reader import Reader, Turn
from pgctl.clock import Clock, SystemClock
from pgctl.config.sections import RestSection
from pgctl.errors import ConfigError

SLOWEST = 10.0
"""Seconds a client has for a TLS handshake, for a whole request, and to take its reply."""
_IDLE = 60.0
"""Seconds a connection may be kept between two requests."""
_LINGER = 2.0
"""Seconds we go on reading after the last reply: to close on unread data would take the reply back (RFC 9112, 9.6)."""
_MOST = 400


class RestServer:
    """Listens from `start` to `stop`. The board is read and the inbox filled, both from this server's own thread."""

    def __init__(self, section: RestSection, board: Board, inbox: Inbox, promise: PromiseCell, clock: Clock | None = None,
                 *, slowest: float = SLOWEST) -> None:
        self.slowest = slowest
        self.connections: dict[Connection, None] = {}
        self.loop = asyncio.SelectorEventLoop()
        self.reception = Reception(Front.of(section), board, inbox, promise, clock or SystemClock(), self.loop,
                                   _spawn)
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._run, name="rest", daemon=True)

    @property
    def ports(self) -> tuple[int, ...]:
        """What it listens on: of use where port 0 was asked for."""
        return tuple(each.getsockname()[1] for each in self._sockets)

    def start(self) -> None:
        """Listens. Raises ConfigError when an address or a certificate cannot be used."""
        section = self.reception.front.section
        try:
            context = listener.tls_context(section)
            self._sockets = listener.open_sockets(section)
        except ConfigError:
            self.stop()
            raise
        self._thread.start()
        self._in_loop(self._serve(context, self._sockets, listener.backlog(section)))

    def reload(self, section: RestSection) -> bool:
        """Takes a new section, or the same whose certificate files were replaced; True: the listener was renewed.

        Where the address stays its socket does too, so that no client is refused meanwhile. Raises ConfigError; then
        everything stays as it was.
        """
        front, last = Front.of(section), self.reception.front
        if front.mark == last.mark:
            self.reception.front = front
            return False
        context = listener.tls_context(section)
        stays = (section.listen_host, section.listen_port) == (last.section.listen_host, last.section.listen_port)
        sockets = self._sockets if stays else listener.open_sockets(section)
        self.reception.front = front
        self._in_loop(self._serve(context, sockets, listener.backlog(section)))
        if not stays:
            listener.close(self._sockets)
        self._sockets = sockets
        return True

    def stop(self) -> None:
        """Closes everything; askers of orders under way see their connection end. Harmless twice."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(timeout=SLOWEST)
        elif not self.loop.is_closed():
            self.loop.close()
        listener.close(self._sockets)

    def admit(self, connection: "Connection") -> bool:
        """Counts a connection. When there are too many, the one that has been idle longest makes room."""
        if len(self.connections) >= _MOST:
            idle = next((each for each in self.connections if each.idle), None)
            if idle is None:
                return False
            idle.abort()
        self.connections[connection] = None
        return True

    def _in_loop(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=SLOWEST)

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            for server in self._servers:
                server.close()
            for connection in tuple(self.connections):
                connection.abort()
            self.reception.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    async def _serve(self, context: ssl.SSLContext | None, sockets: list[socket.socket], backlog: int) -> None:
        """Listens on copies of `sockets`, so that closing a server leaves them open; then ends the servers before."""
        fresh = [await self.loop.create_server(lambda: Connection(self), sock=each.dup(), ssl=context, backlog=backlog,
                                                ssl_handshake_timeout=self.slowest if context else None)
                 for each in sockets]  # fmt: skip
        for server in self._servers:
            server.close()
        self._servers = fresh


def _spawn(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="resolver", daemon=True).start()


class Connection(asyncio.Protocol):
    """One client: bytes → requests, answered one after the other, in their order."""

    _transport: asyncio.Transport

    def __init__(self, server: RestServer) -> None:
        self._server = server
        self._reader = Reader()
        self._reader.parser = self._parser = httptools.HttpRequestParser(self._reader)
        self._answering = False
        self._done = False  # the last reply is written
        self._timer: asyncio.TimerHandle | None = None
        self._peer, self._certified = "", False

    @property
    def idle(self) -> bool:
        """Between two requests."""
        return not (self._answering or self._reader.turns or self._reader.pending)

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer, wire = transport.get_extra_info("peername"), transport.get_extra_info("socket")
        self._peer, self._certified = (str(peer[0]) if peer else ""), bool(transport.get_extra_info("peercert"))
        if wire is not None:
            listener.tune(wire)
        self._wait(self._server.slowest)
        if not self._server.admit(self):
            self._reader.refuse(Reply(503, "too many connections"))
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._reader.ended = self._done = True
        self._server.connections.pop(self, None)
        self._wait(None)

    def data_received(self, data: bytes) -> None:
        if self._reader.ended:
            return
        if self.idle:
            self._wait(self._server.slowest)
        self._reader.arrived(len(data))
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reader.ended = True  # we stay with HTTP/1.1; the request was whole, what follows is not for us
        except httptools.HttpParserError:
            self._reader.refuse()
        self._reader.parsed()
        if self._reader.take_expectation() and not self._answering and not self._reader.turns:
            self._transport.write(rest_wire.CONTINUE)
        self._next()

    def eof_received(self) -> bool:
        """A client that has sent all it wanted may still wait for replies; TLS has no such half."""
        self._reader.ended = True
        return (self._answering or bool(self._reader.turns)) and self._transport.can_write_eof()

    def _next(self) -> None:
        if self._answering or self._done or not self._reader.turns:
            return
        turn = self._reader.turns.popleft()
        self._answering = True
        self._wait(None)
        if turn.asked is None:
            self._send(turn, turn.refusal)
        else:
            asker = Asker(self._peer, turn.authorization, self._certified, turn.claims)
            self._server.reception.handle(turn.asked, asker, partial(self._send, turn))

    def _send(self, turn: Turn, reply: Reply) -> None:
        if self._done or self._transport.is_closing():
            return
        reception = self._server.reception
        method = turn.asked.method if turn.asked else "GET"
        keep = turn.keep and (bool(self._reader.turns) or not self._reader.ended)
        self._transport.write(
            rest_wire.encode(reply, reception.clock.wall(), reception.front.style, method=method, keep=keep))
        self._answering = False
        if not keep:
            self._finish()
            return
        self._wait(self._server.slowest if self._reader.pending else _IDLE)
        self._next()

    def _finish(self) -> None:
        """Ends our half, and gives the client time to take the reply and to end its own."""
        self._reader.ended = self._done = True
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        self._wait(self._server.slowest if self._transport.get_write_buffer_size() else _LINGER)
        try:
            self._transport.write_eof()
        except OSError:  # the client was gone already
            self._transport.abort()

    def _wait(self, seconds: float | None) -> None:
        """From now on the client has so long; None: it is we who take our time."""
        if self._timer is not None:
            self._timer.cancel()
        loop = self._server.loop
        self._timer = None if seconds is None else loop.call_later(seconds, self._out_of_time)

    def _out_of_time(self) -> None:
        if self._reader.pending and not self._reader.ended:
            self._reader.refuse_late()
            self._next()
        else:
            self.abort()
