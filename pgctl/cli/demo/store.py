"""The server of a demo's store, where it has one: which program, on which ports, started how. Pure: opens nothing."""

import os.path
from collections.abc import Mapping
from dataclasses import dataclass

KINDS: Mapping[str, tuple[str, int]] = {"etcd3": ("etcd", 2), "etcd": ("etcd", 2), "consul": ("consul", 4)}
"""The configuration's section → the program, and how many ports it wants."""


@dataclass(frozen=True, slots=True)
class StoreServer:
    """One server on the loopback; `kind` is that of the configuration's section, the first port is for clients."""

    kind: str
    binary: str
    ports: tuple[int, ...]

    @property
    def name(self) -> str:
        """What it is called among the demo's processes and logs."""
        return KINDS[self.kind][0]

    @property
    def section(self) -> dict[str, dict[str, object]]:
        """How members and the command line find it."""
        return {self.kind: {"host": f"127.0.0.1:{self.ports[0]}"}}

    def arguments(self, directory: str) -> list[str]:
        """How it is started, with its data below `directory`."""
        data = os.path.join(directory, self.name)
        return self._consul(data) if self.name == "consul" else self._etcd(data)

    def _etcd(self, data: str) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in self.ports)
        old = ["--enable-v2"] if self.kind == "etcd" else []
        return [self.binary, "--name", "demo", "--data-dir", data,
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"demo={peer}", *old]

    def _consul(self, data: str) -> list[str]:
        """A server, not `-dev`, which forgets. Its least session is short enough for a demo's ttl."""
        client, lan, wan, server = map(str, self.ports)
        more = 'session_ttl_min = "1s"\nperformance { raft_multiplier = 1 }\ndisable_update_check = true'
        return [self.binary, "agent", "-server", "-bootstrap-expect=1", "-node=demo", "-disable-host-node-id",
                "-data-dir", data, "-bind=127.0.0.1", "-client=127.0.0.1", "-http-port", client,
                "-serf-lan-port", lan, "-serf-wan-port", wan, "-server-port", server, "-dns-port=-1", "-grpc-port=-1",
                "-hcl", more]
