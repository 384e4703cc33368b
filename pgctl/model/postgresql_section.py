"""The table of keys in a `postgresql` section: where each may be set, its shape, its meaning.

Values are read by the `postgresql` hand; this room knows names, for those who check what a person wrote.
Source: config.md 6 to 8.
"""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

SHAPES: dict[str, tuple[type, ...]] = {
    "text": (str, int, float),
    "number": (str, int, float),
    "boolean": (bool, str, int),
    "list": (list, tuple),
    "mapping": (dict,),
    "options": (list, tuple, dict),
    "any": (object,),
}
"""Shape → types whose values have it."""


class Key(NamedTuple):
    """`scope`: L local file only, D in the store only, B both (the local one wins)."""

    name: str
    scope: str
    shape: str
    meaning: str


_ROLES = ("primary", "replica", "standby_leader")

TABLE: tuple[Key, ...] = (
    Key("listen", "L", "text", "addresses and port the server listens on: addr[,addr...]:port"),
    Key("connect_address", "L", "text", "host:port where other members reach this server"),
    Key("proxy_address", "L", "text", "host:port of a connection pool or proxy in front of this server"),
    Key("data_dir", "L", "text", "the data directory"),
    Key("config_dir", "L", "text", "where postgresql.conf lives; the data directory unless said otherwise"),
    Key("config_base_name", "B", "text", "name of the main configuration file without .conf"),
    Key("bin_dir", "B", "text", "directory of PostgreSQL's programs; the search path unless said otherwise"),
    Key("bin_name", "B", "mapping", "other names for PostgreSQL's programs"),
    Key("database", "B", "text", "the database that the agent connects to"),
    Key("pgpass", "L", "text", "the password file that the agent writes for PostgreSQL's programs"),
    Key("krbsrvname", "B", "text", "Kerberos service name"),
    Key("use_unix_socket", "B", "boolean", "connect to the local server through its socket"),
    Key("use_unix_socket_repl", "B", "boolean", "the same for replication connections"),
    Key("custom_conf", "B", "text", "a file to include instead of the base configuration"),
    Key("parameters", "B", "mapping", "server parameters"),
    *(Key(f"parameters_{role}", "B", "mapping", f"server parameters of a {role}") for role in _ROLES),
    Key("pg_hba", "B", "list", "lines of pg_hba.conf"),
    *(Key(f"pg_hba_{role}", "B", "list", f"lines of pg_hba.conf on a {role}") for role in _ROLES),
    Key("pg_ident", "B", "list", "lines of pg_ident.conf"),
    *(Key(f"pg_ident_{role}", "B", "list", f"lines of pg_ident.conf on a {role}") for role in _ROLES),
    Key("recovery_conf", "B", "mapping", "recovery settings of standbys"),
    Key("pg_ctl_timeout", "B", "number", "seconds to wait for the server to start"),
    Key("use_pg_rewind", "B", "boolean", "rewind a diverged server instead of cloning it anew"),
    Key("rewind", "B", "options", "options for pg_rewind"),
    Key("remove_data_directory_on_rewind_failure", "B", "boolean", "clone anew when the rewind fails"),
    Key("remove_data_directory_on_diverged_timelines", "B", "boolean", "clone anew when timelines diverged"),
    Key("use_slots", "D", "boolean", "a replication slot for each standby"),
    Key("create_replica_methods", "B", "list", "how to clone, the first that works"),
    Key("create_replica_method", "B", "list", "old name of create_replica_methods"),
    Key("basebackup", "B", "options", "options for pg_basebackup"),
    Key("callbacks", "B", "mapping", "commands to run when the server's state or role changes"),
    Key("pre_promote", "B", "text", "a command that must succeed before a promotion"),
    Key("before_stop", "B", "text", "a command to run before the server is stopped"),
    Key("authentication", "L", "mapping", "the database roles that the agent uses"),
    Key("replication", "L", "mapping", "old place of authentication.replication"),
    Key("superuser", "L", "mapping", "old place of authentication.superuser"),
    Key("pg_rewind", "L", "mapping", "old place of authentication.rewind"),
    Key("name", "L", "text", "old place of the member's name"),
)
KEYS: Mapping[str, Key] = {key.name: key for key in TABLE}
IGNORED_IN_STORE = frozenset(key.name for key in TABLE if key.scope == "L")


def unknown(written: Mapping[str, object], known: Collection[str]) -> tuple[str, ...]:
    """A sentence for each key that is not known, with the nearest one that is."""
    return tuple(f'unknown key "{key}"{suggestion(str(key), known)}' for key in written if key not in known)


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean "..."?)`, or nothing when no name is near."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def misshapen(value: object, shape: str) -> str:
    """What is wrong with a value's shape; empty when nothing is. Null deletes a key and fits everywhere."""
    if value is None or isinstance(value, SHAPES[shape]):
        return ""
    article = "an" if shape == "options" else "a"
    return f"must be {article} {shape}, not {_shape_of(value)}"


def faults(written: Mapping[str, object], *, local: bool) -> tuple[tuple[str, str], ...]:
    """(key, what is wrong) for a section of the local file, or (`local` False) of the store, in the order written."""
    methods = written.get("create_replica_methods") or written.get("create_replica_method")
    named = set(map(str, methods)) if isinstance(methods, (list, tuple)) else {str(methods)}
    found = []
    for name, value in written.items():
        key = KEYS.get(name)
        if key is None:
            if name not in named and not (isinstance(value, Mapping) and "command" in value):
                found.append((name, f"unknown key{suggestion(str(name), KEYS)}"))
        elif key.scope == ("D" if local else "L"):
            where = "in the cluster's settings" if local else "in each member's own file"
            found.append((name, f"has no effect here: it is set {where}"))
        elif wrong := misshapen(value, key.shape):
            found.append((name, wrong))
    return tuple(found)


def _shape_of(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f'"{value}"'
