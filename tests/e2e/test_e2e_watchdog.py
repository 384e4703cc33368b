"""The watchdog behind agent and fence, with its testing driver: a file for the device, a thread for the kernel.

The kernel here resets a machine by killing all that runs on it, when the file was not touched for its time-out.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
import yaml

from pgctl.cli.demo import plan as plans
from pgctl.cli.demo import process
from tests.e2e import cluster as clusters
from tests.e2e.cluster import Cluster
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3")]

SETTINGS = {"ttl": 18, "loop_wait": 2, "retry_timeout": 2}


class WatchedCluster(Cluster):
    """Each member requires a watchdog of its own."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory, dcs="etcd3", settings=SETTINGS)
        for node in self.plan.nodes:
            document = plans.agent_document(self.plan, node)
            self.device(node.name).touch()
            document["watchdog"] = {"mode": "required", "driver": "testing", "device": str(self.device(node.name))}
            Path(self.plan.agent_file(node)).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def device(self, name: str) -> Path:
        return Path(self.plan.path(f"watchdog-{name}"))

    def told(self, name: str) -> str:
        return self.device(name).read_text(encoding="utf-8")

    def overdue(self, name: str) -> bool:
        """Whether the kernel would reset the machine now."""
        text = self.told(name)
        lines = [line for line in text.split("\n") if line.startswith("timeout ")]
        running = bool(lines) and not text.endswith("V")
        return running and time.time() - os.stat(self.device(name)).st_mtime > int(lines[-1].split()[1])

    def reset(self, name: str) -> None:
        self.kill_fence(name)
        self.kill_server(name)
        self.kill_agent(name)
        with self.device(name).open("a", encoding="utf-8") as file:
            file.write("\nreset, V")

    def kill_fence(self, name: str) -> None:
        for fence in clusters.fences(self.plan.path(name, "run")):
            process.send(fence, signal.SIGKILL)


class Kernel:
    """Looks at all devices, from `with` to its end; `resets` are the members whose machine it has reset."""

    def __init__(self, cluster: WatchedCluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.resets: list[str] = []

    def __enter__(self) -> "Kernel":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=20)

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            for name in self._cluster.names:
                if self._cluster.overdue(name):
                    self._cluster.reset(name)
                    self.resets.append(name)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCluster]:
    if reason := clusters.why_not("etcd3"):
        pytest.skip(reason)
    with WatchedCluster(str(tmp_path_factory.mktemp("watched"))).running() as made:
        yield made


@pytest.fixture
def watched(running: WatchedCluster) -> WatchedCluster:
    running.heal()
    return running


def test_only_the_leader_is_watched_and_pause_lets_go(watched: WatchedCluster) -> None:
    leader = watched.wait_leader()
    with Kernel(watched) as kernel:
        pings = watched.told(leader).count("ping")
        watched.wait("the device is pinged", lambda: watched.told(leader).count("ping") > pings + 2)
        assert all(watched.told(name) in ("", "open\ntimeout 13\nV") or watched.told(name).endswith("V")
                   for name in watched.replicas())
        assert watched.pgctl("pause", "--wait").returncode == 0
        watched.wait("pause closes it", lambda: watched.told(leader).endswith("V"))
        assert watched.pgctl("resume", "--wait").returncode == 0
        watched.wait("it is opened again", lambda: not watched.told(leader).endswith("V"))
    assert kernel.resets == []


@pytest.mark.parametrize("number", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGSTOP])
def test_the_fence_is_faster_than_the_kernel(watched: WatchedCluster, number: signal.Signals) -> None:
    """The agent is dead or frozen: the server is stopped, the device closed in its place, and the machine not reset."""
    leader = watched.wait_leader()
    with Kernel(watched) as kernel, Witness(watched) as witness:
        watched.signal_agent(leader, number)
        assert watched.wait_leader(other_than=leader) != leader
        watched.wait("the device is closed", lambda: watched.told(leader).endswith("V"), 5)
    assert kernel.resets == []
    assert witness.overlaps == ()


def test_the_kernel_ends_what_no_guard_is_left_for(watched: WatchedCluster) -> None:
    """Agent frozen, fence dead, server writable: the machine is reset before anybody else leads."""
    leader = watched.wait_leader()
    with Kernel(watched) as kernel, Witness(watched) as witness, Writer(watched) as writer:
        watched.signal_agent(leader, signal.SIGSTOP)
        watched.kill_fence(leader)
        writer.wait_more(20)
        assert watched.wait_leader(other_than=leader) != leader
        writer.wait_more(20)
    note("reset by the watchdog", writer)
    assert kernel.resets == [leader]
    assert witness.overlaps == ()


def test_a_member_without_its_device_is_passed_over(watched: WatchedCluster) -> None:
    leader, without = watched.wait_leader(), watched.replicas()[0]
    watched.device(without).rename(watched.device(without).with_suffix(".away"))
    try:
        node = watched.plan.node(without)
        watched.wait("it says so", lambda: json.loads(urllib3.request(
            "GET", f"http://127.0.0.1:{node.rest_port}/patroni", timeout=5.0).data).get("watchdog_failed") is True)
        refused = watched.pgctl("switchover", "--leader", leader, "--candidate", without, "--force")
        assert refused.returncode == 1 and "watchdog" in refused.stdout + refused.stderr
        watched.lose_host(leader)
        watched.device(leader).write_text("", encoding="utf-8")
        assert watched.wait_leader(other_than=leader) not in (leader, without)
    finally:
        watched.device(without).with_suffix(".away").rename(watched.device(without))
