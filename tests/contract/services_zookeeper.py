"""A real ZooKeeper for the contract tests: Debian's package, started on free ports of the loopback."""

import re
import shutil
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.services import free_ports, wait_for
from tests.signals import send

JARS = Path("/usr/share/java")
HINT = "needs ZooKeeper: make services (Debian's package, and java)"


def there() -> bool:
    return shutil.which("java") is not None and (JARS / "zookeeper.jar").exists()


def class_path() -> str:
    """What the jar's manifest names; and a place for its log and all of netty, of which Debian leaves some out."""
    with zipfile.ZipFile(JARS / "zookeeper.jar") as jar:
        manifest = re.sub(r"\r?\n ", "", jar.read("META-INF/MANIFEST.MF").decode())
    named = re.search(r"^Class-Path: *(.*)$", manifest, re.MULTILINE)
    besides = [*sorted(JARS.glob("netty-*.jar")), JARS / "slf4j-simple.jar", JARS / "zookeeper.jar"]
    return ":".join([*(named[1].split() if named else []), *map(str, besides)])


class Zookeeper:
    """One server, alone or of an ensemble."""

    def __init__(self, directory: Path, number: int, ports: Sequence[int], more: Sequence[str] = (),
                 java: Sequence[str] = ()) -> None:
        self._port = ports[0]
        self._java = java
        self.directory = directory / f"zk{number}"
        self.directory.mkdir()
        (self.directory / "myid").write_text(f"{number}\n", encoding="utf-8")
        lines = [f"dataDir={self.directory}", f"clientPort={self._port}", "clientPortAddress=127.0.0.1", "tickTime=500",
                 "maxSessionTimeout=120000", "minSessionTimeout=500", "initLimit=20", "syncLimit=10", "maxClientCnxns=0",
                 "admin.enableServer=false", "4lw.commands.whitelist=*", *more]
        (self.directory / "zoo.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.jmx.log4j.disable=true",
                 "-Djava.net.preferIPv4Stack=true", *self._java, "-cp", class_path(),
                 "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self.directory / "zoo.cfg")],
                stdout=log, stderr=log, cwd=self.directory)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            send(self._process, number)

    def says(self, word: str) -> str:
        """The answer to one of ZooKeeper's four-letter words."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=1) as wire:
            wire.sendall(word.encode())
            parts = list(iter(lambda: wire.recv(65536), b""))
        return b"".join(parts).decode()

    def healthy(self) -> bool:
        try:
            return "Mode:" in self.says("srvr")
        except OSError:
            return False


@contextmanager
def ensemble(directory: Path, nodes: int, *settings: str, java: Sequence[str] = ()) -> Iterator[Sequence[Zookeeper]]:
    """Running servers, healthy at the start. Skips the test, saying what brings ZooKeeper, where there is none.

    `settings` are lines of their configuration besides, `java` options of the virtual machine.
    """
    if not there():
        pytest.skip(HINT)
    ports = free_ports(3 * nodes)
    lines = [f"server.{at + 1}=127.0.0.1:{ports[nodes + 2 * at]}:{ports[nodes + 2 * at + 1]}" for at in range(nodes)]
    more = [*settings, *(lines if nodes > 1 else ())]
    running = [Zookeeper(directory, at + 1, ports[at:], more, java) for at in range(nodes)]
    try:
        for server in running:
            server.start()
        for server in running:
            wait_for(server.healthy, within=60, what=f"ZooKeeper at port {server.port} to be healthy")
        yield running
    finally:
        for server in running:
            server.kill()


@contextmanager
def zookeeper(directory: Path) -> Iterator[Zookeeper]:
    with ensemble(directory, 1) as (server,):
        yield server
