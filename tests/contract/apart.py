"""Three servers of a store, each in a network namespace of its own, and what a client sees when their leader is cut off.

`python -m tests.contract.apart KIND DIRECTORY` has to run as root of a user namespace with a network and mounts of its own:
`APART` says how. Every server has two addresses on two bridges, 10.77.0.x for the other servers and 10.77.1.x for clients,
so that a leader can be cut off from the others and still be reached. Prints what it saw; ends with 1 when that is wrong.
"""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Seconds
from tests.contract.services import etcd_program, wait_for
from tests.contract.services_consul import consul_program
from tests.contract.services_zookeeper import class_path

APART = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child")
CLOCK = SystemClock()
TTL, SOON, SHORT = Seconds(3), Seconds(10), Seconds(1)
MEMBERS = (1, 2, 3)
AWAY = (StoreUnreachable, OutcomeUnknown)


def peer(number: int) -> str:
    return f"10.77.0.{number}"


def client(number: int) -> str:
    return f"10.77.1.{number}"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)


def lay_cables() -> None:
    """Two bridges, and the three namespaces that hang on both; ours has an address on the clients' only."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True, timeout=10)
    ip("link", "set", "lo", "up")
    for bridge in ("peers", "clients"):
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "up")
    ip("address", "add", f"{client(254)}/24", "dev", "clients")
    for number in MEMBERS:
        ip("netns", "add", f"n{number}")
        ip("-n", f"n{number}", "link", "set", "lo", "up")
        for bridge, address in (("peers", peer(number)), ("clients", client(number))):
            ip("link", "add", f"{bridge}{number}", "type", "veth", "peer", "name", bridge, "netns", f"n{number}")
            ip("link", "set", f"{bridge}{number}", "master", bridge, "up")
            ip("-n", f"n{number}", "address", "add", f"{address}/24", "dev", bridge)
            ip("-n", f"n{number}", "link", "set", bridge, "up")


def etcd(directory: Path, number: int) -> list[str]:
    everybody = ",".join(f"n{each}=http://{peer(each)}:2380" for each in MEMBERS)
    return [etcd_program(), "--name", f"n{number}", "--data-dir", str(directory), "--enable-v2=true",
            "--listen-client-urls", f"http://{client(number)}:2379", "--advertise-client-urls", f"http://{client(number)}:2379",
            "--listen-peer-urls", f"http://{peer(number)}:2380", "--initial-advertise-peer-urls", f"http://{peer(number)}:2380",
            "--initial-cluster", everybody, "--heartbeat-interval", "50", "--election-timeout", "500"]


def consul(directory: Path, number: int) -> list[str]:
    file = directory / "consul.json"
    file.write_text(json.dumps({
        "node_name": f"n{number}", "server": True, "bootstrap_expect": 3, "data_dir": str(directory),
        "session_ttl_min": "1s", "bind_addr": peer(number), "client_addr": client(number),
        "retry_join": [peer(each) for each in MEMBERS], "retry_interval": "1s",
        "performance": {"raft_multiplier": 1}, "disable_update_check": True,
        "disable_host_node_id": True, "ports": {"dns": -1, "grpc": -1},
    }))
    return [consul_program(), "agent", "-config-file", str(file)]


def zookeeper(directory: Path, number: int) -> list[str]:
    (directory / "myid").write_text(f"{number}\n")
    lines = [f"dataDir={directory}", "clientPort=2181", f"clientPortAddress={client(number)}", "tickTime=500",
             "initLimit=20", "syncLimit=4", "minSessionTimeout=500", "admin.enableServer=false", "4lw.commands.whitelist=*",
             *(f"server.{each}={peer(each)}:2888:3888" for each in MEMBERS)]
    (directory / "zoo.cfg").write_text("\n".join(lines) + "\n")
    return ["java", "-Xmx96m", "-XX:+UseSerialGC", "-Dzookeeper.jmx.log4j.disable=true", "-Djava.net.preferIPv4Stack=true",
            "-cp", class_path(), "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(directory / "zoo.cfg")]


def asked(url: str, body: bytes | None = None) -> str:
    """The answer to a request; empty when there is none in time."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=1) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def etcd_leads(number: int) -> bool:
    found = json.loads(asked(f"http://{client(number)}:2379/v3/maintenance/status", b"{}") or "{}")
    return "leader" in found and found["leader"] == found["header"]["member_id"]


def consul_leads(number: int) -> bool:
    return f"{peer(number)}:" in asked(f"http://{client(number)}:8500/v1/status/leader")


def zookeeper_leads(number: int) -> bool:
    try:
        with socket.create_connection((client(number), 2181), timeout=1) as wire:
            wire.sendall(b"srvr")
            return b"Mode: leader" in b"".join(iter(lambda: wire.recv(65536), b""))
    except OSError:
        return False


def hosts(port: int) -> Callable[[Sequence[int]], Mapping[str, object]]:
    """As proxies: else etcd's client would learn of the one that it is not to know."""
    return lambda members: {"hosts": [f"{client(number)}:{port}" for number in members], "use_proxies": True}


@dataclass(frozen=True)
class Kind:
    """How a store's server is started, whether one leads by its own words, and the options to reach some of them."""

    command: Callable[[Path, int], list[str]]
    leads: Callable[[int], bool]
    options: Callable[[Sequence[int]], Mapping[str, object]]


KINDS: Mapping[str, Kind] = {
    "etcd3": Kind(etcd, etcd_leads, hosts(2379)),
    "etcd": Kind(etcd, etcd_leads, hosts(2379)),
    "consul": Kind(consul, consul_leads, lambda members: {"host": f"{client(members[0])}:8500"}),
    "zookeeper": Kind(zookeeper, zookeeper_leads, lambda members: {"hosts": [f"{client(each)}:2181" for each in members]}),
}


@contextmanager
def running(kind: Kind, directory: Path) -> Iterator[int]:
    """All three servers; yields the one that leads."""
    processes = []
    try:
        for number in MEMBERS:
            place = directory / f"n{number}"
            place.mkdir()
            command = ["nsenter", f"--net=/run/netns/n{number}", *kind.command(place, number)]
            with (directory / f"n{number}.log").open("ab") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=place))
        found: list[int] = []

        def led() -> bool:
            found[:] = filter(kind.leads, MEMBERS)
            return len(found) == 1

        wait_for(led, within=60, what="a leader of the store")
        yield found[0]
    finally:
        for process in processes:
            process.kill()
            process.wait(10)


@contextmanager
def opened(name: str, members: Sequence[int]) -> Iterator[Store]:
    store = factory.open_store(StoreSection(name, dict(KINDS[name].options(members)), "apart", "prod"), CLOCK)
    yield store
    store.close()


class Holder:
    """Holds the leader key by way of the server that will be cut off, and renews it all the time."""

    def __init__(self, store: Store) -> None:
        self._store, self._ends = store, threading.Event()
        self.believed = 0.0
        """Until when it takes itself for the leader."""
        self.lost = ""
        self._thread = threading.Thread(target=self._renew)

    def start(self) -> None:
        wait_for(self._take, within=30, what="the key")
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join(30)

    def _take(self) -> bool:
        with suppress(*AWAY):
            taken = self._store.hold("leader", "a", ttl=TTL, budget=SOON)
            if isinstance(taken, Applied):
                self.believed = taken.deadline or 0.0
            return isinstance(taken, Applied)
        return False

    def _renew(self) -> None:
        while not self._ends.wait(0.3) and not self.lost:
            with suppress(*AWAY):
                renewed = self._store.renew(ttl=TTL, budget=SHORT)
                if isinstance(renewed, Rejected):
                    self.lost = renewed.reason
                else:
                    self.believed = max(self.believed, renewed.deadline or 0.0)


def read(store: Store, key: str) -> str | None:
    """The value of a key, None when it is not there; `silent` when the store does not answer."""
    with suppress(*AWAY):
        row = store.snapshot(budget=SHORT).items.get(key)
        return row.value if row is not None else None
    return "silent"


def written(store: Store, value: str) -> bool:
    with suppress(*AWAY):
        return isinstance(store.put("config", value, budget=SOON), Applied)
    return False


def told(store: Store, seconds: float) -> set[str | None]:
    """All that a store says of `config` for so long."""
    until, heard = time.monotonic() + seconds, set[str | None]()
    while time.monotonic() < until:
        heard.add(read(store, "config"))
        time.sleep(0.1)
    return heard


def play(name: str, directory: Path) -> None:
    """The store's leader loses the others; whoever asks it is told nothing old, and holds nothing that others may take."""
    with running(KINDS[name], directory) as cut:
        others = [number for number in MEMBERS if number != cut]
        with opened(name, [cut]) as ours, opened(name, others) as theirs:
            holder = Holder(ours)
            holder.start()
            try:
                wait_for(lambda: written(theirs, "old") and read(ours, "config") == "old", within=30, what="a write")
                _cut_off(cut, ours, theirs, holder)
                _joined(cut, ours, holder)
            finally:
                holder.stop()


def _cut_off(cut: int, ours: Store, theirs: Store, holder: Holder) -> None:
    ip("link", "set", f"peers{cut}", "down")
    began = time.monotonic()
    wait_for(lambda: written(theirs, "new"), within=60, what="a new leader")
    say("the others write again", began)
    with ThreadPoolExecutor(1) as pool:
        telling = pool.submit(told, ours, 3.0)
        wait_for(lambda: read(theirs, "leader") is None, within=60, what="the key to be free")
        free = CLOCK.now()
        say(f"the key is free; its holder believed in it until {free - holder.believed:.3f} s before", began)
        heard = telling.result()
    assert heard <= {"new", "silent"}, f"the one that was cut off says {heard}"
    assert holder.believed <= free
    taken = theirs.hold("leader", "b", ttl=Seconds(60), budget=SOON)
    assert isinstance(taken, Applied), taken


def _joined(cut: int, ours: Store, holder: Holder) -> None:
    ip("link", "set", f"peers{cut}", "up")
    began = time.monotonic()
    wait_for(lambda: read(ours, "config") == "new", within=60, what="the one that was cut off to hear of it")
    say("the one that was cut off has heard", began)
    wait_for(lambda: bool(holder.lost), within=60, what="the old holder to be told no")
    say(f"and the old holder: {holder.lost}", began)
    assert read(ours, "leader") == "b"


def say(words: str, since: float) -> None:
    sys.stdout.write(f"{time.monotonic() - since:7.3f}  {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    lay_cables()
    play(sys.argv[1], Path(sys.argv[2]))
