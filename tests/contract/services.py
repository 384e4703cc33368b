"""Real services for the contract tests: started on free ports of the loopback, ended by their own process."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pgctl.cli.demo import host
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import OutcomeUnknown
from tests.signals import send

ETCD_HINT = "needs etcd: apt-get install etcd-server (or put the program in PATH)"
NEWER_ETCD_HINT = "needs etcd 3.5 beside: make services (or put the program in PATH as etcd-3.5)"


def find(name: str) -> str:
    """A program in PATH, or where `make services` keeps what no package manager installs; empty when there is none."""
    mine = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    caches = ("/var/cache/pgctl", f"{mine}/pgctl")
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *caches))) or ""


def etcd_program() -> str:
    """Skips the test, saying what brings etcd, where there is none. PGCTL_ETCD names another than the one in PATH."""
    program = shutil.which(os.environ.get("PGCTL_ETCD") or "etcd")
    if program is None:
        pytest.skip(ETCD_HINT)
    return program


def newer_etcd_program() -> str:
    """The same for the one that `make services` puts beside it."""
    program = find("etcd-3.5")
    if not program:
        pytest.skip(NEWER_ETCD_HINT)
    return program


def free_ports(count: int) -> list[int]:
    return list(host.free_ports(count))


def wait_for(happened: Callable[[], bool], *, within: float, what: str) -> float:
    """Seconds until `happened`."""
    started = time.monotonic()
    while not happened():
        assert time.monotonic() - started < within, f"waited {within} s for {what}"
        time.sleep(0.02)
    return time.monotonic() - started


class Etcd:
    """One node of an etcd cluster. `start` again after `kill` finds its data."""

    def __init__(self, directory: Path, name: str, client: int, peer: int, cluster: str, *arguments: str,
                 scheme: str = "http", program: str = "") -> None:
        self.port = client
        self.url = f"{scheme}://127.0.0.1:{client}"
        self._log = directory / f"{name}.log"
        self._command = [
            program or etcd_program(), "--name", name, "--data-dir", str(directory / name), "--listen-client-urls", self.url,
            "--advertise-client-urls", self.url, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", cluster,
            "--heartbeat-interval", "50", "--election-timeout", "500", *arguments,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            send(self._process, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return bool(json.load(answer)["health"] == "true")
        except (OSError, ValueError):
            return False

    def post(self, path: str, document: Mapping[str, object]) -> Mapping[str, object]:
        """What another program asks of it."""
        request = urllib.request.Request(self.url + path, json.dumps(document).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: Mapping[str, object] = json.load(answer)
            return found

    def put(self, path: str, document: Mapping[str, object] | None, headers: Mapping[str, str] | None = None) -> None:
        """The same of its v2 API."""
        body = b"" if document is None else json.dumps(document).encode()
        asked = {"content-type": "application/json", **(headers or {})}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body, asked, method="PUT"), timeout=5):
            pass


def text(value: str) -> str:
    """As etcd's gateway writes keys and values."""
    return base64.b64encode(value.encode()).decode()


def settled(write: Callable[[], Applied | Rejected]) -> Applied | Rejected:
    """A write that is harmless twice, repeated while its outcome is unknown: an election is under way."""
    for _ in range(3):
        with contextlib.suppress(OutcomeUnknown):
            return write()
    return write()


@contextlib.contextmanager
def etcd(directory: Path, nodes: int = 1, *arguments: str, scheme: str = "http",
         program: str = "") -> Iterator[Sequence[Etcd]]:
    """A running cluster of `nodes`, healthy at the start; of that program, by default the one in PATH."""
    program = program or etcd_program()
    ports = free_ports(2 * nodes)
    names = [f"n{number}" for number in range(nodes)]
    cluster = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in zip(names, ports[nodes:], strict=True))
    running = [Etcd(directory, name, client, peer, cluster, *arguments, scheme=scheme, program=program)
               for name, client, peer in zip(names, ports[:nodes], ports[nodes:], strict=True)]
    try:
        for node in running:
            node.start()
        if scheme == "http":
            for node in running:
                wait_for(node.healthy, within=30, what=f"{node.url} to be healthy")
        yield running
    finally:
        for node in running:
            node.kill()


@contextlib.contextmanager
def joined(member: Etcd, directory: Path, name: str) -> Iterator[Etcd]:
    """Another node, taken into the cluster of `member`."""
    port, peer = free_ports(2)
    added = member.post("/v3/cluster/member/add", {"peerURLs": [f"http://127.0.0.1:{peer}"]})
    there = [one for one in listed(added) if one.get("name")]
    cluster = ",".join([*(f"{one['name']}={one['peerURLs'][0]}" for one in there), f"{name}=http://127.0.0.1:{peer}"])
    node = Etcd(directory, name, port, peer, cluster, "--initial-cluster-state", "existing")
    try:
        node.start()
        wait_for(node.healthy, within=30, what=f"{node.url} to be healthy")
        yield node
    finally:
        node.kill()


def leave(member: Etcd, name: str) -> None:
    """Has a node of that name removed from the cluster of `member`; etcd refuses it while one has just joined."""
    (found,) = [one for one in listed(member.post("/v3/cluster/member/list", {})) if one.get("name") == name]

    def removed() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            member.post("/v3/cluster/member/remove", {"ID": found["ID"]})
            return True
        return False

    wait_for(removed, within=20, what=f"{name} to be removed")


def listed(answer: Mapping[str, object]) -> list[dict[str, Any]]:
    found = answer.get("members")
    return found if isinstance(found, list) else []


def in_processes(programs: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Runs each text as a Python program, all at the same time; what each wrote, in order."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True,
                                env=environment) for program in programs]
    return [process.communicate(timeout=60)[0] for process in running]
