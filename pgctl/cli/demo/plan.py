"""The plan of a demo cluster: members, ports, passwords; and the documents that follow from it. Pure: opens nothing.

The timing (ttl 10, loop_wait 2, retry_timeout 3) is for people who wait: a lost host is replaced in some ten seconds.
"""

import os.path
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from pgctl.cli.demo.store import StoreServer
from pgctl.errors import ConfigError

MARK = "# written by pgctl demo"
"""First line of every file that the demo writes, and may therefore write again."""

SCOPE = "demo"
TTL, LOOP_WAIT, RETRY_TIMEOUT = 10, 2, 3
SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True)
class Node:
    """One member and its two ports on the loopback."""

    name: str
    port: int
    rest_port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the demo's files are made of; kept as `demo.json` in its directory."""

    directory: str
    bin_dir: str
    nodes: tuple[Node, ...]
    server: StoreServer | None = None
    """Of the store; none is needed for the embedded one."""
    scope: str = SCOPE
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By role: superuser, replication, rewind, restapi."""
    dcs_settings: Mapping[str, object] = field(default_factory=dict)
    """Cluster-wide settings over the demo's own, for tests and benchmarks."""
    outside: Mapping[str, dict[str, object]] = field(default_factory=dict)
    """The configuration's section of a store that runs already, for tests."""

    @property
    def dcs(self) -> str:
        return self.server.kind if self.server else "sqlite"

    def path(self, *parts: str) -> str:
        return os.path.join(self.directory, *parts)

    def node(self, name: str) -> Node:
        """The node called `name`. Raises KeyError."""
        return next(node for node in self.nodes if node.name == name)

    def data_dir(self, node: Node) -> str:
        return self.path(node.name, "data")

    def agent_file(self, node: Node) -> str:
        return self.path(node.name, "agent.yaml")

    def agent_log(self, node: Node) -> str:
        return self.path(node.name, "agent.log")

    @property
    def ctl_file(self) -> str:
        return self.path("pgctl.yaml")


def to_document(plan: Plan) -> dict[str, object]:
    """The plan as JSON values."""
    return asdict(plan)


def from_document(document: object, directory: str) -> Plan:
    """The plan in `document`, moved to `directory`. Raises ConfigError when it is not one."""
    try:
        if not isinstance(document, dict):
            raise TypeError
        nodes = tuple(Node(str(one["name"]), int(one["port"]), int(one["rest_port"])) for one in document["nodes"])
        found = document["server"]
        server = StoreServer(str(found["kind"]), str(found["binary"]), tuple(map(int, found["ports"]))) if found else None
        return Plan(directory, str(document["bin_dir"]), nodes, server, str(document["scope"]),
                    dict(document["passwords"]), dict(document["dcs_settings"]))
    except (KeyError, TypeError, ValueError):
        raise ConfigError(f'"{directory}" holds a demo.json that this version cannot read',
                          hint="Use --fresh to start anew, or --dir for another directory.") from None


def store_section(plan: Plan) -> dict[str, dict[str, object]]:
    """Where the cluster's keys are: the section that agents and the command line share."""
    if plan.outside:
        return dict(plan.outside)
    if plan.server:
        return plan.server.section
    return {"sqlite": {"path": plan.path("dcs", "store.sqlite")}}


def settings(plan: Plan) -> dict[str, object]:
    """The cluster-wide settings that the new cluster gets."""
    own: dict[str, object] = {
        "ttl": TTL, "loop_wait": LOOP_WAIT, "retry_timeout": RETRY_TIMEOUT,
        "maximum_lag_on_failover": 1048576,
        "postgresql": {
            "use_pg_rewind": True,
            "parameters": {
                "max_connections": 50, "shared_buffers": "16MB", "wal_keep_size": "64MB",
                "min_wal_size": "32MB", "max_wal_size": "256MB", "password_encryption": "scram-sha-256",
            },
        },
    }
    return own | dict(plan.dcs_settings)


def agent_document(plan: Plan, node: Node) -> dict[str, object]:
    """The agent's whole configuration. Everything listens on the loopback only and asks for a password."""
    rest = f"127.0.0.1:{node.rest_port}"
    server = f"127.0.0.1:{node.port}"
    return {
        "scope": plan.scope, "name": node.name,
        "pgctl": {"run_dir": plan.path(node.name, "run")},
        **store_section(plan),
        "restapi": {"listen": rest, "connect_address": rest, "authentication": _login(plan, "restapi", "pgctl")},
        "bootstrap": {
            "dcs": settings(plan),
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "scram-sha-256"}, "data-checksums"],
        },
        "postgresql": {
            "listen": server, "connect_address": server, "bin_dir": plan.bin_dir,
            "data_dir": plan.data_dir(node), "pgpass": plan.path(node.name, "pgpass"),
            "authentication": {
                "superuser": _login(plan, "superuser", SUPERUSER),
                "replication": _login(plan, "replication", "replicator"),
                "rewind": _login(plan, "rewind", "rewinder"),
            },
            "parameters": {"unix_socket_directories": ""},
            "pg_hba": ["host all all 127.0.0.1/32 scram-sha-256",
                       "host replication replicator 127.0.0.1/32 scram-sha-256"],
        },
    }


def _login(plan: Plan, role: str, username: str) -> dict[str, str]:
    return {"username": username, "password": plan.passwords[role]}


def ctl_document(plan: Plan) -> dict[str, object]:
    """What the command line needs to know of this cluster."""
    return {"scope": plan.scope, **store_section(plan), "ctl": {"authentication": _login(plan, "restapi", "pgctl")}}


def pgpass_text(plan: Plan) -> str:
    """A libpq password file for people who want to look inside with psql."""
    return f"{MARK}\n127.0.0.1:*:*:{SUPERUSER}:{plan.passwords['superuser']}\n"
