"""A commented sample of the local file, made from the tables: what must be set is, all else is a comment. Pure."""

import json
from collections.abc import Iterable

from pgctl.config import table
from pgctl.config.table import Key
from pgctl.model import postgresql_section, settings
from pgctl.model.settings_values import Kind

_STORE = "etcd3"
_SKIPPED = frozenset({"citus", *table.STORES}) - {_STORE}
_STRUCTURED = (Kind.STANDBY, Kind.SLOTS, Kind.MATCHERS, Kind.MAPPING)
_PG_HBA = (
    "local all all peer", "host all all 127.0.0.1/32 scram-sha-256", "host all all samenet scram-sha-256",
    "host replication replicator samenet scram-sha-256",
)


def sample(*, scope: str = "prod", name: str = "node1", host: str = "192.0.2.1",
           store: tuple[str, ...] = ("192.0.2.10:2379",)) -> str:
    """YAML that loads as it is; `host` is this member's address, `store` those of etcd. Passwords are to fill in."""
    values: dict[str, object] = {
        "scope": scope,
        "name": name,
        "restapi.listen": f"{host}:8008",
        "restapi.connect_address": f"{host}:8008",
        "etcd3.hosts": list(store),
        "postgresql.listen": f"{host}:5432",
        "postgresql.connect_address": f"{host}:5432",
        "postgresql.data_dir": "/var/lib/postgresql/data",
        "postgresql.authentication.superuser.username": "postgres",
        "postgresql.authentication.superuser.password": "FIXME",
        "postgresql.authentication.replication.username": "replicator",
        "postgresql.authentication.replication.password": "FIXME",
    }
    groups = list(dict.fromkeys(_group(key) for key in table.TABLE))
    keys = sorted((key for key in table.TABLE if _shown(key)), key=lambda key: groups.index(_group(key)))
    others = ", ".join(sorted(set(table.STORES) - {_STORE, "raft"}))
    lines = ["# The configuration of one pgctl member. Keys that are commented out may be set as well.",
             f"# Instead of {_STORE} the store may be one of: {others}.",
             "", *_section(keys, values, 0, ""), *_bootstrap(), *_tags()]
    return "\n".join(lines) + "\n"


def _group(key: Key) -> str:
    return key.place.split(".")[0]


def _shown(key: Key) -> bool:
    """Older names, and what belongs into the cluster's settings, would only mislead."""
    leaf = key.place.rpartition(".")[2]
    server = postgresql_section.KEYS.get(leaf) if key.place.count(".") == 1 and _group(key) == "postgresql" else None
    out_of_place = server is not None and (server.scope == "D" or server.meaning.startswith("old "))
    apart = _group(key) in _SKIPPED or _group(key) in ("bootstrap", "tags") or leaf in table.ROLE_OPTIONS[1:]
    return not (key.ignored or out_of_place or apart)


def _section(keys: Iterable[Key], values: dict[str, object], depth: int, prefix: str) -> list[str]:
    """The lines of one mapping: its leaves, then its sections."""
    lines: list[str] = []
    below: dict[str, list[Key]] = {}
    for key in keys:
        head, _, rest = key.place[len(prefix):].partition(".")
        if rest:
            below.setdefault(head, []).append(key)
            continue
        value = values.get(key.place)
        lines.append(_line(depth, head, value, key.meaning, active=value is not None))
    for head, inner in below.items():
        active = any(key.place in values for key in inner)
        lines += [*([""] if depth == 0 else []), f"{'  ' * depth}{'' if active else '# '}{head}:"]
        lines += _section(inner, values, depth + 1, f"{prefix}{head}.")
    return lines


def _line(depth: int, name: str, value: object, meaning: str, *, active: bool) -> str:
    text = f"{'  ' * depth}{'' if active else '# '}{name}:" + ("" if value is None else f" {_yaml(value)}")
    return f"{text}  # {meaning}" if meaning else text


def _yaml(value: object) -> str:
    """A scalar or flow list; JSON is YAML."""
    bare = isinstance(value, str) and value[:1].isalnum() and ": " not in value
    return str(value) if bare else json.dumps(value)


def _bootstrap() -> list[str]:
    """The first settings of the cluster; only a member that has this section may start one."""
    lines = ["", "bootstrap:", "  dcs:  # the cluster's settings from then on; pgctl edit-config changes them",
             "    postgresql:", "      use_pg_rewind: true",
             "      pg_hba:", *(f"        - {line}" for line in _PG_HBA)]
    for row in settings.TABLE:
        if row.kind not in _STRUCTURED:
            default = row.default.value if isinstance(row.default, settings.SyncMode) else row.default
            lines.append(_line(2, row.name, default, row.meaning, active=False))
    return [*lines, "  initdb:", "    - encoding: UTF8", "    - data-checksums"]


def _tags() -> list[str]:
    return ["", "# tags:", *(f"  # {line}" for line in (
        "nofailover: false  # never become primary",
        "failover_priority: 1  # higher is preferred among equals",
        "nosync: false  # never be synchronous",
        "sync_priority: 1  # higher is preferred",
        "clonefrom: false  # be cloned from rather than the primary",
        "noloadbalance: false  # answer 503 as a replica",
        "nostream: false  # do not stream: archive only",
        "replicatefrom: node2  # stream from this member"))]
