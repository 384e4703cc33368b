"""A server before a Kubernetes API server, which answers for it: too busy, out of order, or with old news."""

import http.server
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.contract.services_kubernetes import KubeApi


class Between:
    """What it does may be changed at any time. `asked` are the requests that came, as `METHOD path`."""

    def __init__(self) -> None:
        self.port = 0
        self.refusals: list[tuple[int, dict[str, str]]] = []
        """Statuses and headers with which the next requests are answered, instead of asking the server."""
        self.lost: list[int] = []
        """Statuses with which the next requests are answered after the server has done them."""
        self.stale = False
        """Readings are answered as they were before."""
        self.instead: dict[str, object] = {}
        """Path → the document that it answers itself."""
        self.before: Callable[[str, str], None] = lambda method, path: None
        """Called before a request is passed on."""
        self.certify: Callable[[str, str], None] = lambda certificate, key: None
        """Shows another certificate from now on."""
        self.asked: list[str] = []
        self.seen: dict[str, bytes] = {}


class Listener(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nothing to tell of."""


@contextmanager
def between(server: KubeApi) -> Iterator[Between]:
    """Runs one, on a port of the loopback."""
    state = Between()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
            state.asked.append(f"{self.command} {self.path.partition('?')[0]}")
            if state.refusals:
                status, headers = state.refusals.pop(0)
                self._answer(status, b'{"kind":"Status","message":"as the test wants it"}', headers)
            elif self.path in state.instead:
                self._answer(200, json.dumps(state.instead[self.path]).encode())
            elif state.stale and self.command == "GET" and self.path in state.seen:
                self._answer(200, state.seen[self.path])
            else:
                state.before(self.command, self.path)
                self._answer(*self._ask(body))

        def _ask(self, body: bytes | None) -> tuple[int, bytes]:
            headers = {name: value for name, value in self.headers.items()
                       if name.lower() in ("accept", "content-type", "authorization")}
            request = urllib.request.Request(server.url + self.path, body, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=10, context=server.context) as answer:
                    status, found = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, found = error.code, error.read()
            if self.command == "GET" and status == 200 and not state.stale:
                state.seen[self.path] = found
            return (state.lost.pop(0), b"{}") if state.lost and self.command != "GET" else (status, found)

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.close_connection = True
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(body)),
                                **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _pass_on

    listener = Listener(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.directory / "server.crt", server.directory / "server.key")
    state.certify = context.load_cert_chain
    listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    listener.daemon_threads = True
    state.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)
