"""A cluster whose members are of two kinds: pgctl's agent, and the released Patroni as a black box beside it.

Both kinds read the same file, write the same keys and keep their data in the same directory, so that a member may
change its kind by stopping one program and starting the other. Knows of Patroni only its two programs.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml

from pgctl.cli.demo import plan as plans
from pgctl.cli.demo import process
from tests.e2e import cluster as clusters
from tests.e2e.cluster import Cluster
from tests.e2e.served import Outside

PATRONI, PGCTL = "patroni", "pgctl"

SETTINGS: Mapping[str, object] = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}
"""As quick as Patroni allows: it takes no ttl below 20 and no retry_timeout below 3."""

START = 120.0


def program() -> str:
    """The `patroni` to test with, from PGCTL_PATRONI or PATH; nothing when there is none."""
    return shutil.which(os.environ.get("PGCTL_PATRONI") or "patroni") or ""


def why_not() -> str:
    """Why there is no peer here; nothing when there is one."""
    return "" if program() else (
        "needs a Patroni 4.1: python3 -m venv DIR && "
        "DIR/bin/pip install 'patroni[etcd,etcd3,consul,zookeeper,kubernetes]' psycopg2-binary, "
        "then PGCTL_PATRONI=DIR/bin/patroni")


class MixedCluster(Cluster):
    """Members by kind, in the order in which they join. The harm and the looks are those of `Cluster`."""

    def __init__(self, directory: str, kinds: tuple[str, ...], settings: Mapping[str, object] = SETTINGS,
                 store: Outside | None = None) -> None:
        """`store`: one that somebody else keeps; without it, the cluster has an etcd of its own."""
        super().__init__(directory, nodes=len(kinds), dcs="sqlite" if store else "etcd3", settings=settings)
        self.kinds = dict(zip(self.names, kinds, strict=True))
        self.http = urllib3.PoolManager()
        if store is not None:
            store.take(self)
        for name in self.names:
            self._write_file(name)

    def _write_file(self, name: str) -> None:
        """One file that both kinds read: a Patroni user's, with no word for pgctl."""
        node = self.plan.node(name)
        document = plans.agent_document(self.plan, node)
        del document["pgctl"]
        if "kubernetes" in document:  # a member's address, as its pod would have it; objects refuse that of the loopback
            document["kubernetes"] = {**self.plan.outside["kubernetes"], "pod_ip": f"10.0.0.{self.names.index(name) + 1}"}
        document["ctl"] = plans.ctl_document(self.plan)["ctl"]
        Path(self.plan.agent_file(node)).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Starts the members one after the other: the first one bootstraps, the others clone from it."""
        self.start_store()
        for count, name in enumerate(self.names, 1):
            self.start_agent(name)
            self.wait_healthy(START, self.names[:count])
        return self

    def stop(self) -> None:
        super().stop()
        self.http.clear()

    def start_agent(self, name: str) -> None:
        if self.kinds[name] == PGCTL:
            super().start_agent(name)
            return
        node = self.plan.node(name)
        self.agents[name] = self._spawn([program(), self.plan.agent_file(node)], self.plan.agent_log(node))

    def _spawn(self, command: list[str], log: str) -> "subprocess.Popen[bytes]":
        """With a run directory of this cluster's own, given as systemd gives it."""
        with open(log, "ab") as output:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                    start_new_session=True, env=self._environment())

    def _environment(self) -> dict[str, str]:
        """Patroni finds a kubeconfig by the environment alone."""
        own = {"RUNTIME_DIRECTORY": self.plan.path("run")}
        if kubeconfig := self.plan.outside.get("kubernetes", {}).get("kubeconfig"):
            own["KUBECONFIG"] = str(kubeconfig)
        return {**os.environ, **own}

    def _kill_fence(self, name: str) -> None:
        for fence in clusters.fences(self.plan.path("run", f"{self.plan.scope}-{name}")):
            process.send(fence, signal.SIGKILL)

    def end_agent(self, name: str, timeout: float = 60.0) -> None:
        """SIGTERM, as a service manager does: the server stops too, unless the cluster is paused."""
        self.signal_agent(name, signal.SIGTERM)
        self.agents[name].wait(timeout=timeout)

    def change_kind(self, name: str) -> None:
        """The other program takes over this member, with the same file and the same data."""
        self.end_agent(name)
        self.kinds[name] = PATRONI if self.kinds[name] == PGCTL else PGCTL
        self.start_agent(name)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(name for name in self.names if self.kinds[name] == kind)

    # --- talking ------------------------------------------------------------------------------------------

    def patronictl(self, *arguments: str, timeout: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Runs Patroni's own command line on this cluster."""
        own = self.plan.agent_file(self.plan.nodes[0])
        command = [os.path.join(os.path.dirname(program()), "patronictl"), "-c", own, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL, env=self._environment())

    def get(self, name: str, path: str, method: str = "GET") -> urllib3.BaseHTTPResponse:
        """A member's answer, whatever its status."""
        node = self.plan.node(name)
        return self.http.request(method, f"http://127.0.0.1:{node.rest_port}{path}", timeout=5.0, retries=False)

    def document(self, key: str) -> Any:
        """A key's document as JSON value."""
        return json.loads(self.raw_get(key) or "null")
