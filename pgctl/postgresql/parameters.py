"""Server parameters: those this hand manages, their bounds, and all that is wanted for a `Conf`. Pure.

Managed parameters go on the postmaster's command line too, so that ALTER SYSTEM cannot change them on one member alone.
Source: config.md 8 and 11; postgresql.md 16.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pgctl.model.conf import Conf
from pgctl.model.server import ControlData
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import parse_bool, parse_bytes, parse_int


def _at_least(lowest: int) -> Callable[[object], str | None]:
    def accept(value: object) -> str | None:
        try:
            number = parse_int(value)
        except ValueError:
            return None
        return str(number) if number >= lowest else None

    return accept


def _boolean(value: object) -> str | None:
    return {True: "on", False: "off", None: None}[parse_bool(value)]


def _only_on(value: object) -> str | None:
    return "on" if parse_bool(value) else None


def _wal_level(value: object) -> str | None:
    level = str(value).lower()
    return {"hot_standby": "replica", "replica": "replica", "logical": "logical"}.get(level)


def _keep_size(value: object) -> str | None:
    """A size, with a bare number in MB as PostgreSQL reads it; at least one segment."""
    try:
        size = parse_int(value) * 1024**2 if str(value).strip().isdigit() else parse_bytes(str(value))
    except ValueError:
        return None
    return str(value) if size >= 16 * 1024**2 else None


@dataclass(frozen=True, slots=True)
class Managed:
    """A parameter, its default, and its reading: the text to write, or None when the value is not acceptable."""

    name: str
    default: str
    accept: Callable[[object], str | None]
    shared: bool = False
    """A standby must not have less than its primary."""


TABLE = (
    Managed("hot_standby", "on", _only_on),
    Managed("wal_level", "replica", _wal_level),
    Managed("max_connections", "100", _at_least(25), shared=True),
    Managed("max_wal_senders", "10", _at_least(3), shared=True),
    Managed("max_worker_processes", "8", _at_least(2), shared=True),
    Managed("max_prepared_transactions", "0", _at_least(0), shared=True),
    Managed("max_locks_per_transaction", "64", _at_least(32), shared=True),
    Managed("max_replication_slots", "10", _at_least(4)),
    Managed("track_commit_timestamp", "off", _boolean),
    Managed("wal_log_hints", "on", _boolean),
)
_KEEP = Managed("wal_keep_size", "128MB", _keep_size)

RECOVERY = (
    "primary_conninfo", "primary_slot_name", "restore_command", "archive_cleanup_command", "recovery_end_command",
    "recovery_min_apply_delay", "recovery_target", "recovery_target_name", "recovery_target_time",
    "recovery_target_xid", "recovery_target_lsn", "recovery_target_inclusive", "recovery_target_timeline",
    "recovery_target_action", "promote_trigger_file", "trigger_file",
)  # fmt: skip
"""Settings that belong to recovery; found in `parameters` they are read as if in `recovery_conf`."""
_DEFAULTS = {"wal_retrieve_retry_interval": "1s"}
"""Where PostgreSQL's own default does not suit: a standby whose attempt to stream fails, because its slot is busy or its
new primary not ready, waits for so long before the next. Five seconds would hold up synchronous commits for as long.
"""
_ELSEWHERE = frozenset({"wal_keep_segments", "hba_file", "ident_file", "config_file", "data_directory"})
NOT_FOR_STANDBYS = frozenset({"primary_conninfo", "primary_slot_name", "trigger_file", "standby_mode"})


def managed(site: Site, options: Options) -> dict[str, str]:
    """The managed parameters of this server's command line; an unacceptable value gives the table's default."""
    given = options.parameters
    found = {
        "listen_addresses": ",".join(site.section.listen_hosts),
        "port": str(site.section.port),
        "cluster_name": site.scope,
    }
    for row in TABLE:
        found[row.name] = _read(row, given.get(row.name))
    return found


def _read(row: Managed, value: object) -> str:
    text = None if value is None else row.accept(value)
    return row.default if text is None else text


def objections(options: Options) -> tuple[str, ...]:
    """A sentence for each managed parameter whose value was not accepted."""
    return tuple(
        f'{row.name} = "{options.parameters[row.name]}" is not acceptable, {row.default} is used'
        for row in (*TABLE, _KEEP)
        if row.name in options.parameters and row.accept(options.parameters[row.name]) is None
    )


def role_of(conf: Conf) -> str:
    """The role whose `parameters_<role>` and `pg_hba_<role>` count."""
    if not conf.standby:
        return "primary"
    return "standby_leader" if conf.upstream is not None and conf.upstream.remote else "replica"


def wanted(site: Site, options: Options, conf: Conf) -> dict[str, str]:
    """All parameters of postgresql.conf, except recovery settings and the paths of hba and ident."""
    plain = {**options.parameters, **_of_role(options, role_of(conf))}
    found = _DEFAULTS | {
        name: in_text(value) for name, value in plain.items() if name not in RECOVERY and name not in _ELSEWHERE
    }
    found["wal_keep_size"] = _wal_keep_size(options.parameters)
    found |= managed(site, options)
    if conf.sync_names is not None:
        found.pop("synchronous_standby_names", None)
        if conf.sync_names:
            found["synchronous_standby_names"] = conf.sync_names
    if conf.hot_standby_feedback:
        found["hot_standby_feedback"] = "on"
    if conf.sync_slots:
        found.setdefault("sync_replication_slots", "on")
    if conf.confirm_slots:
        found.setdefault("synchronized_standby_slots", ",".join(conf.confirm_slots))
    return found


def _of_role(options: Options, role: str) -> dict[str, object]:
    names = {row.name for row in TABLE} | {"listen_addresses", "port", "cluster_name", _KEEP.name}
    own = options.role_parameters.get(role, {})
    return {name.lower(): value for name, value in own.items() if value is not None and name.lower() not in names}


def _wal_keep_size(given: Mapping[str, object]) -> str:
    segments = given.get("wal_keep_segments")
    if _KEEP.name not in given and segments is not None:
        number = _at_least(1)(segments)
        return f"{int(number) * 16}MB" if number else _KEEP.default
    return _read(_KEEP, given.get(_KEEP.name))


def in_text(value: object) -> str:
    """A parameter's value as PostgreSQL spells it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def raised(command_line: Mapping[str, str], control: ControlData | None) -> dict[str, str]:
    """`command_line` with what a standby must not undercut raised to pg_control's values. Source: config.md 8.1 row 3."""
    known = dict(control.settings) if control else {}
    result = dict(command_line)
    for row in TABLE:
        floor = known.get(row.name, "")
        if row.shared and floor.isdigit() and int(floor) > int(result[row.name]):
            result[row.name] = floor
    return result
