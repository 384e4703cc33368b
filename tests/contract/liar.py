"""An HTTP server before a store's, which spoils answers: what gateways, proxies and dying servers send instead of them.

A request is passed on first, so that what it asks for is done; then its answer is replaced. Streams are not passed on.
"""

import re
import socket
import ssl
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Lie:
    """`raw` is sent as it stands instead of the answer, or after what `keep` slices from its head. Then the connection is
    closed, or even reset, unless the answer is `whole`. `refuses`: who believes it may take the write for not done.
    """

    name: str
    raw: bytes = b""
    keep: int = 0
    reset: bool = False
    whole: bool = False
    refuses: bool = False


def said(status: int, body: str, kind: str = "text/html", *headers: str) -> Lie:
    """A complete answer of that status."""
    head = [f"HTTP/1.1 {status} Said", f"content-type: {kind}", f"content-length: {len(body.encode())}", *headers]
    raw = "\r\n".join([*head, "", body]).encode()
    refuses = 400 <= status < 500 and status not in (408, 499)
    return Lie(f"{status} {kind} {body[:12] or 'empty'}", raw, whole=True, refuses=refuses)


HTML = "<html>Bad Gateway</html>"
JSON = "application/json"
LIES = (
    said(200, HTML), said(200, ""), said(200, "{}", JSON), said(200, "null", JSON),
    said(200, '{"result": {}}', JSON), said(200, '{"node": 5}', JSON), said(200, "false", JSON), said(204, ""),
    said(200, '{"status": "ok"}', JSON, "x-consul-index: 7", "x-etcd-index: x"),
    said(302, "", "text/html", "location: /login"), said(400, HTML), said(401, "{}", JSON), said(403, HTML),
    said(404, HTML), said(408, HTML), said(499, ""), said(404, '{"error": "no route"}', JSON), said(409, "{}", JSON),
    said(429, HTML), said(502, HTML), said(504, ""), said(500, '{"message": "Key not found"}', JSON),
    Lie("closed without a word"), Lie("reset without a word", reset=True),
    Lie("reset in the head", b"HTTP/1.1 200 OK\r\n", reset=True),
    Lie("less than announced", keep=-3), Lie("reset in the body", keep=-3, reset=True),
    Lie("no HTTP", bytes(range(128, 256)) * 8),
    Lie("a chunk cut short", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"header"),
    Lie("no length", b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"),
)


class Liar:
    """While there is a `lie`, it is told to each request that matches `about`, as `METHOD path`. `passed_on` are those."""

    def __init__(self) -> None:
        self.port = 0
        self.lie: Lie | None = None
        self.about = re.compile("")
        self.passed_on: list[str] = []

    def tell(self, lie: Lie | None, about: str = "") -> None:
        self.lie, self.about, self.passed_on = lie, re.compile(about), []


@contextmanager
def liar(url: str, context: ssl.SSLContext | None = None) -> Iterator[Liar]:
    """Runs one before the server at `url`, on a port of the loopback, without TLS."""
    state = Liar()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
            what = f"{self.command} {self.path}"
            lie = state.lie if state.about.search(what) else None
            honest = self._ask(body)
            if lie is None:
                self.wfile.write(honest)
                return
            state.passed_on.append(what)
            self.wfile.write(honest[:lie.keep] + lie.raw if lie.keep else lie.raw)
            self.close_connection = not lie.whole
            if lie.reset:  # Source: socket(7), SO_LINGER
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        def _ask(self, body: bytes | None) -> bytes:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            request = urllib.request.Request(url + self.path, body, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                    status, found, sent = answer.status, answer.read(), answer.headers.items()
            except urllib.error.HTTPError as error:
                status, found, sent = error.code, error.read(), error.headers.items()
            kept = [f"{name}: {value}" for name, value in sent
                    if name.lower() not in ("content-length", "transfer-encoding", "connection")]
            head = "\r\n".join([f"HTTP/1.1 {status} Said", *kept, f"content-length: {len(found)}", "", ""]).encode()
            whole: bytes = head + found
            return whole

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A connection that the client has cut."""

    with Server(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join(5)
