"""What each store costs: requests of an idle cluster, from a change to the wake-up, and the time to import its backend.

Agents, servers and stores are real: one server of each kind that is at hand. Requests are counted at a proxy before it,
the rest is measured without the proxy. A change is heard by the agent's own watcher.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import counting, report
from bench.counting import TlsEnds
from pgctl.agent.bell import Bell
from pgctl.agent.watcher import Interest, Watcher
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.units import Seconds
from tests.contract import services, services_kubernetes
from tests.contract.conftest import Place, placed, served
from tests.contract.launchers import LAUNCHERS, Server
from tests.contract.services_kubernetes import KubeApi
from tests.contract.services_zookeeper import Zookeeper
from tests.e2e import cluster as clusters
from tests.e2e.served import Outside, ServedCluster

PROGRAMS: Mapping[str, str] = {"etcd": "etcd --version", "etcd3": "etcd --version", "consul": "consul version",
                               "kubernetes": "kube-apiserver --version"}
_SOON = Seconds(10)
_SETTLE = Seconds(20)
"""After so long, a cluster that has come up does nothing that it would not do every minute."""


def main() -> None:
    """Measures and prints a table for each store."""
    found = _options()
    for kind in found.dcs or ["sqlite", *LAUNCHERS]:
        with tempfile.TemporaryDirectory(prefix="pgctl-bench-") as directory:
            try:
                _measure(kind, found, Path(directory))
            except pytest.skip.Exception as reason:
                print(f"\n{kind}: not measured: {reason}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dcs", action="append", choices=["sqlite", *LAUNCHERS], help="all that are at hand, if not given")
    parser.add_argument("--count", type=int, default=100, help="how many changes are waited for (%(default)s)")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--ttl", type=int, default=30, help="seconds of lease (%(default)s)")
    parser.add_argument("--loop-wait", type=int, default=10, help="seconds from cycle to cycle (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long requests are counted (%(default)s)")
    found = parser.parse_args()
    reason = clusters.why_not("sqlite")
    if reason:
        print(f"not measured: {reason}")
        sys.exit(0)
    return found


def _measure(kind: str, found: argparse.Namespace, directory: Path) -> None:
    with ExitStack() as stack:
        server = None if kind == "sqlite" else stack.enter_context(LAUNCHERS[kind].serve(directory))
        place = _embedded(directory) if server is None else served(kind, server, server.port, "wake")
        stack.callback(place.close)
        report.shares(f"{kind} {version(kind, server)}".rstrip())
        writes, wakes = _wakes(place, found.count)
        report.share("a write, until it is answered", writes)
        report.share("a change, until the agent's bell rings", wakes)
        report.share("importing the backend", [_import(kind) for _ in range(11)])
        if server is not None:
            _count(kind, server, found, directory)


def _embedded(directory: Path) -> Place:
    return placed(StoreSection("sqlite", {"path": str(directory / "store")}, "bench", "wake"), 0.5)


def version(kind: str, server: Server | None) -> str:
    """What the server, or its program, says it is."""
    if isinstance(server, Zookeeper):
        return server.says("srvr").partition("version: ")[2].partition("-")[0]
    name, _, word = PROGRAMS.get(kind, "").partition(" ")
    program = services_kubernetes.find() if kind == "kubernetes" else services.find(name)
    said = subprocess.run([program, word], capture_output=True, text=True, check=True).stdout if server else ""
    number = re.search(r"\d+\.\d+\.\d+", said)
    return number[0] if number else ""


# --- from a change to the wake-up ---


class _Stamped(Bell):
    """Keeps when it was first rung since it was cleared."""

    at = 0.0

    def ring(self) -> None:
        self.at = self.at or time.monotonic()
        super().ring()

    def clear(self) -> None:
        super().clear()
        self.at = 0.0


def _wakes(place: Place, count: int) -> tuple[list[float], list[float]]:
    """Seconds from sending each of `count` changes until its answer, and until the bell of another member's agent."""
    bell, clock = _Stamped(), SystemClock()
    store, other = ClusterStore(place.open(), place.scope), place.open()
    watcher = Watcher(store, bell, clock)
    writes, wakes = [], []
    other.put("config", "{}", budget=_SOON)
    store.read(budget=_SOON)
    watcher.note(Interest(store.revision))
    watcher.start()
    for number in range(-5, count):
        clock.sleep(Seconds(0.05 + 0.1 * random.random()))
        bell.clear()
        sent = time.monotonic()
        other.put("config", f'{{"n": {number}}}', budget=_SOON)
        answered = time.monotonic()
        bell.wait(_SOON)
        if number >= 0:  # the first ones are for connections to be made
            writes.append(answered - sent)
            wakes.append(bell.at - sent if bell.at else _SOON)
    store.close()
    watcher.stop(_SOON)
    return writes, wakes


# --- the import ---


def _import(kind: str) -> float:
    """Seconds that a fresh interpreter takes to import what the factory imports for such a store."""
    room = f"pgctl.dcs.{'etcd2' if kind == 'etcd' else kind}"
    program = f"import time; begun = time.perf_counter(); import {room}; print(time.perf_counter() - begun)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


# --- the requests ---


def _count(kind: str, server: Server, found: argparse.Namespace, directory: Path) -> None:
    tls = None
    if isinstance(server, KubeApi):
        tls = TlsEnds(*(str(server.directory / name) for name in ("server.crt", "server.key", "ca.crt")))
    with counting.counting(server.port, counting.zookeeper if kind == "zookeeper" else counting.http, tls) as tally:
        launcher = LAUNCHERS[kind]
        store = Outside(kind, server, {**launcher.options(server, tally.port), **launcher.apart(server, "e2e")})
        cluster = ServedCluster(str(directory / "cluster"), store, nodes=found.nodes, settings={
            "ttl": found.ttl, "loop_wait": found.loop_wait, "retry_timeout": (found.ttl - found.loop_wait) // 2})
        try:
            cluster.start()
            cluster.clock.sleep(_SETTLE)
            tally.asked.clear()
            cluster.clock.sleep(Seconds(found.seconds))
            asked = tally.asked.copy()
        finally:
            cluster.stop()
    minutes = found.seconds / 60
    report.fact(f"requests a minute, {found.nodes} idle members", f"{asked.total() / minutes:8.1f}")
    for what, times in asked.most_common(6):
        report.fact(f"  {what}", f"{times / minutes:8.1f}")


if __name__ == "__main__":
    main()
