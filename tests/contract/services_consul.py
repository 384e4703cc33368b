"""Consul for the contract tests: one server with a configuration of its own, its state on disk."""

import contextlib
import json
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.contract.services import find, free_ports, wait_for
from tests.signals import send

CONSUL_HINT = "needs Consul: make services (or put the program in PATH)"


def consul_program() -> str:
    """Skips the test, saying what brings Consul, where there is none."""
    found = find("consul")
    if not found:
        pytest.skip(CONSUL_HINT)
    return found


class Consul:
    """One server, alone or of several. `start` again after `kill` finds its data. `gossip`: where others join it."""

    def __init__(self, directory: Path, *, name: str = "n0", least_ttl: str = "100ms",
                 settings: Mapping[str, object] | None = None, secure: int = -1) -> None:
        self.port, *others = free_ports(4)
        self.gossip = others[0]
        self._token = ""
        self._log = directory / f"{name}.log"
        self._program = consul_program()
        self._file = directory / f"{name}.json"
        self._file.write_text(json.dumps({
            "node_name": name, "server": True, "bootstrap_expect": 1, "data_dir": str(directory / name),
            "bind_addr": "127.0.0.1", "advertise_addr": "127.0.0.1", "client_addr": "127.0.0.1",
            "ports": {"http": self.port, "https": secure, "serf_lan": others[0], "serf_wan": others[1], "server": others[2],
                      "dns": -1, "grpc": -1},
            "session_ttl_min": least_ttl, "performance": {"raft_multiplier": 1}, "disable_update_check": True,
            "disable_host_node_id": True, "leave_on_terminate": False, "limits": {"http_max_conns_per_client": 1000},
            **(settings or {}),
        }))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "agent", "-config-file", str(self._file)],
                                             stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            send(self._process, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def healthy(self) -> bool:
        """Whether it writes: a leader is not yet one that has caught up."""
        try:
            return self.ask("PUT", "/v1/kv/healthy", b"1", timeout=1) is True
        except (OSError, ValueError):
            return False

    def ask(self, method: str, path: str, body: bytes | None = None, *, token: str = "", timeout: float = 5) -> object:
        """What another program asks of it."""
        headers = {"X-Consul-Token": token or self._token} if token or self._token else {}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            found: object = json.loads(text) if text else None
            return found

    def as_whom(self, token: str) -> None:
        """Asks with that token from now on."""
        self._token = token


@contextlib.contextmanager
def consul(directory: Path, *, least_ttl: str = "100ms", settings: Mapping[str, object] | None = None,
           token: str = "", secure: int = -1) -> Iterator[Consul]:
    """A running Consul, able to write at the start. `least_ttl` is far below Consul's own: tests are in a hurry.

    `secure`: a port on which it speaks TLS, by what `settings` say.
    """
    server = Consul(directory, least_ttl=least_ttl, settings=settings, secure=secure)
    server.as_whom(token)
    try:
        server.start()
        wait_for(server.healthy, within=30, what=f"{server.url} to be healthy")
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def ensemble(directory: Path, nodes: int) -> Iterator[Sequence[Consul]]:
    """Servers that are one Consul, able to write at the start."""
    first = Consul(directory, settings={"bootstrap_expect": nodes})
    joining = {"bootstrap_expect": nodes, "retry_join": [f"127.0.0.1:{first.gossip}"], "retry_interval": "1s"}
    running = [first, *(Consul(directory, name=f"n{number}", settings=joining) for number in range(1, nodes))]
    try:
        for server in running:
            server.start()
        for server in running:
            wait_for(server.healthy, within=60, what=f"{server.url} to be healthy")
        yield running
    finally:
        for server in running:
            server.kill()


@contextlib.contextmanager
def other_program() -> Iterator[int]:
    """The port of a web server that is no Consul: it answers 404 to everything."""
    class NotFound(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_error(404)

        do_PUT = do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), NotFound) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
