"""The `postgresql` section in force: the dynamic one under the local one, typed. Pure.

One level deep: a local key replaces the dynamic one as a whole, except `parameters`, merged name by name. Wrong shapes
are read as absent: `config.check` and `settings` tell the person who wrote them. Source: config.md 1.1 and 6.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pgctl.model.member import nothing
from pgctl.model.postgresql_section import IGNORED_IN_STORE, KEYS
from pgctl.units import Seconds, parse_bool, parse_seconds

MANAGED = (
    "listen_addresses",
    "port",
    "cluster_name",
    "hot_standby",
    "wal_level",
    "max_connections",
    "max_wal_senders",
    "max_worker_processes",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "max_replication_slots",
    "track_commit_timestamp",
    "wal_log_hints",
    "wal_keep_segments",
    "wal_keep_size",
)
"""Parameters that must be the same on all members; set in the store or by `listen`, dropped from local sections."""

_DEFAULT_TIMEOUT = Seconds(60.0)


@dataclass(frozen=True, slots=True)
class Options:
    """What the section says, as far as this hand reads it. Names are those of config.md 6.1."""

    parameters: Mapping[str, object] = field(default_factory=nothing)
    role_parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    pg_hba: tuple[str, ...] = ()
    pg_ident: tuple[str, ...] = ()
    recovery_conf: Mapping[str, object] = field(default_factory=nothing)
    custom_conf: str = ""
    config_base_name: str = "postgresql"
    krbsrvname: str = ""
    use_unix_socket: bool = False
    use_unix_socket_repl: bool = False
    pg_ctl_timeout: Seconds = _DEFAULT_TIMEOUT
    use_pg_rewind: bool = False
    rewind: object = ()
    create_replica_methods: tuple[str, ...] = ("basebackup",)
    callbacks: Mapping[str, str] = field(default_factory=dict)
    pre_promote: str = ""
    before_stop: str = ""
    section: Mapping[str, object] = field(default_factory=nothing)
    """All of it: the replica methods' own mappings are looked up here."""


def merge(local: Mapping[str, object], dynamic: Mapping[str, object]) -> Options:
    """The section in force, made of the host's own and the cluster's."""
    effective = {key: value for key, value in dynamic.items() if key not in IGNORED_IN_STORE}
    for key, value in local.items():
        known = KEYS.get(key)
        if known is None or known.scope != "D":
            effective[key] = value
    effective["parameters"] = _parameters(_mapping(dynamic, "parameters"), _mapping(local, "parameters"))
    return _typed(effective)


def _parameters(dynamic: Mapping[str, object], local: Mapping[str, object]) -> dict[str, object]:
    """Name by name, case-insensitively; the local value wins except for managed parameters."""
    merged = {name.lower(): value for name, value in dynamic.items()}
    merged |= {name.lower(): value for name, value in local.items() if name.lower() not in MANAGED}
    return {name: value for name, value in merged.items() if value is not None}


def _typed(section: Mapping[str, object]) -> Options:
    callbacks = {name: str(command) for name, command in _mapping(section, "callbacks").items() if command}
    roles = ("primary", "replica", "standby_leader")
    return Options(
        parameters=_mapping(section, "parameters"),
        role_parameters={role: _mapping(section, f"parameters_{role}") for role in roles},
        pg_hba=lines(section.get("pg_hba")),
        pg_ident=lines(section.get("pg_ident")),
        recovery_conf=_mapping(section, "recovery_conf"),
        custom_conf=_text(section, "custom_conf"),
        config_base_name=_text(section, "config_base_name") or "postgresql",
        krbsrvname=_text(section, "krbsrvname"),
        use_unix_socket=_flag(section, "use_unix_socket"),
        use_unix_socket_repl=_flag(section, "use_unix_socket_repl"),
        pg_ctl_timeout=_seconds(section.get("pg_ctl_timeout")),
        use_pg_rewind=_flag(section, "use_pg_rewind"),
        rewind=section.get("rewind") or (),
        create_replica_methods=_methods(section),
        callbacks=callbacks,
        pre_promote=_text(section, "pre_promote"),
        before_stop=_text(section, "before_stop"),
        section=section,
    )


def for_role(options: Options, key: str, role: str) -> tuple[str, ...]:
    """The lines of `pg_hba` or `pg_ident` for a role: its own list, if it has one, replaces the plain one."""
    own = options.section.get(f"{key}_{role}")
    return lines(own) if own else (options.pg_hba if key == "pg_hba" else options.pg_ident)


def socket_directories(options: Options) -> tuple[Path, ...]:
    """Those that the parameters name; none where the server is left to its own default."""
    named = str(options.parameters.get("unix_socket_directories", "")).split(",")
    return tuple(Path(one.strip()) for one in named if one.strip().startswith("/"))


def lines(value: object) -> tuple[str, ...]:
    """A list of lines; a single text is one line each."""
    if isinstance(value, str):
        return tuple(value.splitlines())
    return tuple(str(line) for line in value) if isinstance(value, (list, tuple)) else ()


def arguments(given: object, refused: frozenset[str]) -> tuple[list[str], list[str]]:
    """(arguments, names left out) of an option list: `x` becomes --x, `{k: v}` --k=v. Source: config.md 10.

    Accepts a list of words and one-pair mappings, or one mapping. Numbers are values like any other.
    """
    pairs: list[tuple[str, object]] = []
    for item in [given] if isinstance(given, Mapping) else list(given) if isinstance(given, (list, tuple)) else []:
        pairs += [(str(key), value) for key, value in item.items()] if isinstance(item, Mapping) else [(str(item), None)]
    accepted, left_out = [], []
    for name, value in pairs:
        name = name.lstrip("-")
        if name.partition("=")[0] in refused or value is False:
            left_out.append(name)
        elif value is None or value is True:
            accepted.append(f"--{name}")
        else:
            accepted.append(f"--{name}={_unquoted(str(value))}")
    return accepted, left_out


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _mapping(section: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = section.get(key)
    return {str(name): inner for name, inner in value.items()} if isinstance(value, Mapping) else {}


def _text(section: Mapping[str, object], key: str) -> str:
    value = section.get(key)
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _flag(section: Mapping[str, object], key: str) -> bool:
    return parse_bool(section.get(key)) is True


def _seconds(value: object) -> Seconds:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not value:
        return _DEFAULT_TIMEOUT
    try:
        return parse_seconds(value)
    except ValueError:
        return _DEFAULT_TIMEOUT


def _methods(section: Mapping[str, object]) -> tuple[str, ...]:
    value = section.get("create_replica_methods") or section.get("create_replica_method")
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) and value else ("basebackup",)
