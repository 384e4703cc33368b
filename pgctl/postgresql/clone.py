"""Fills an empty data directory with a copy of another server: pg_basebackup, or the operator's methods in turn.

Touches only a directory that was empty, and after a failure removes only what came since. Source: postgresql.md 11;
PostgreSQL 15, pg_basebackup.
"""

import logging
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from pgctl.errors import ServerError, SourceAway
from pgctl.model.conf import Upstream
from pgctl.postgresql import conf_files, connection, conninfo, files, removal, run, slots, version
from pgctl.postgresql import options as opts
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site, child_environment
from pgctl.postgresql.version import Feature
from pgctl.units import Instant, parse_bool

log = logging.getLogger(__name__)

_OURS = frozenset({
    "pgdata", "format", "wal-method", "xlog-method", "gzip", "version", "dbname", "host", "port", "username", "password",
    "no-password", "write-recovery-conf",
})  # fmt: skip
_SLOT_LIMIT = 5.0
_NOT_PASSED = frozenset({"command", "no_params", "keep_data", "no_leader"})

Progress = Callable[[str], None]
Cancelled = Callable[[], bool]


def reach(site: Site, options: Options, source: Upstream | None, methods: tuple[str, ...] | None = None) -> None:
    """Raises SourceAway when no copy could be taken from there now, and no method might do without."""
    if source is None or (options.create_replica_methods if methods is None else methods) != ("basebackup",):
        return
    try:
        connection.remote_replication(site, options, source, Instant(site.clock.now() + _SLOT_LIMIT)).close()
    except ServerError as error:
        raise SourceAway(f'"{source.name}" cannot be copied now', detail=str(error), hint=_hint(str(error))) from error


def clone(
    site: Site,
    options: Options,
    source: Upstream | None,
    progress: Progress,
    cancelled: Cancelled,
    methods: tuple[str, ...] | None = None,
) -> None:
    """See `Server.clone`; `methods` None: the section's own. Raises ServerError: the last one's, naming each that failed."""
    failures: list[ServerError] = []
    for method in options.create_replica_methods if methods is None else methods:
        own = options.section.get(method)
        if source is None and not _flag(own, "no_leader"):
            continue
        try:
            _attempt(site, options, method, own, source, progress, cancelled)
            return
        except ServerError as error:
            if cancelled():
                raise
            log.error("method %s: %s", method, error)
            failures.append(error)
    if not failures:
        raise ServerError("there is no server to clone from", hint="It is tried again once there is a leader.")
    last = failures[-1]
    raise ServerError("could not clone", detail="; ".join(map(str, failures)), hint=last.hint)


def _attempt(
    site: Site,
    options: Options,
    method: str,
    own: object,
    source: Upstream | None,
    progress: Progress,
    cancelled: Cancelled,
) -> None:
    before = frozenset(os.listdir(site.data_dir)) if site.data_dir.is_dir() else None
    try:
        if method == "basebackup" and source is not None:
            _base_backup(site, options, own, source, progress, cancelled)
        else:
            _custom(site, options, method, own if isinstance(own, Mapping) else {}, source, progress, cancelled)
        if not (site.data_dir / "global" / "pg_control").is_file():
            raise ServerError(f"{method} left no data directory", detail=f'there is no pg_control in "{site.data_dir}"')
        # Without the signal a copy that is started by whatever means would open as a second primary.
        conf_files.signals(site, standby=True)
        files.remove_if_there(site.start_log)
    except ServerError:
        if not _flag(own, "keep_data"):
            removal.remove_new(site.data_dir, before)
        raise


def _base_backup(
    site: Site, options: Options, own: object, source: Upstream, progress: Progress, cancelled: Cancelled
) -> None:
    major = _source_major(site)
    extra, left_out = basebackup_arguments(own, major)
    if left_out:
        log.error("options of pg_basebackup that may not be set: %s", ", ".join(left_out))
    if source.slot and not source.remote:
        slots.reserve_on(site, options, source, Instant(site.clock.now() + _SLOT_LIMIT))
    if source.slot:
        extra.append(f"--slot={source.slot}")
    role = site.section.replication
    target = conninfo.text(conninfo.to_upstream(source, role, options.krbsrvname, major))
    with files.secret_file(site.pgpass.parent, conninfo.passfile_text([(source.host, source.port)], role)) as passfile:
        command = [site.program("pg_basebackup"), f"--pgdata={site.data_dir}", f"--dbname={target}", "-X", "stream"]
        done = run.run(
            [*command, "--no-password", "--progress", *extra],
            clock=site.clock,
            environment=child_environment(site.environment) | {"PGPASSFILE": str(passfile)},
            deadline=None,
            on_line=lambda line: progress(line.strip()),
            cancelled=cancelled,
        )
    if not done.ok:
        raise ServerError(f'pg_basebackup from "{source.name}" failed', detail=done.tail, hint=_hint(done.tail))


def basebackup_arguments(own: object, major: int) -> tuple[list[str], list[str]]:
    """(arguments, names left out); a fast checkpoint unless asked otherwise (ha.md WK46)."""
    accepted, left_out = opts.arguments(own, _OURS)
    for argument in [one for one in accepted if one.startswith("--compress")]:
        if not (argument.startswith("--compress=server") and version.has(major, Feature.SERVER_COMPRESSION)):
            accepted.remove(argument)
            left_out.append("compress")
    if not any(one.startswith("--checkpoint") for one in accepted):
        accepted.append("--checkpoint=fast")
    return accepted, left_out


def _source_major(site: Site) -> int:
    """The programs' major: a clone is of the same one."""
    done = run.run(
        [site.program("pg_basebackup"), "--version"],
        clock=site.clock,
        environment=child_environment(site.environment),
        deadline=Instant(site.clock.now() + _SLOT_LIMIT),
    )
    found = re.search(r"\) (\d+)", " ".join(done.lines))
    return version.parse_major(found[1] if found else "")


def _hint(tail: str) -> str:
    if "no pg_hba.conf entry" in tail:
        return "Add a line for replication from this host to postgresql.pg_hba."
    if "replication slot" in tail and "does not exist" in tail:
        return "Add the slot that standby_cluster.primary_slot_name names to `slots` of the remote cluster, or name none."
    if "password authentication failed" in tail or "does not exist" in tail:
        return "Check postgresql.authentication.replication, and that this role exists on the source."
    if "No space left" in tail:
        return "Free space below the data directory, its tablespaces and pg_wal."
    return ""


def _custom(
    site: Site,
    options: Options,
    method: str,
    own: Mapping[str, object],
    source: Upstream | None,
    progress: Progress,
    cancelled: Cancelled,
) -> None:
    role = site.section.replication
    target, lines = "", ""
    if source is not None:
        keywords = conninfo.to_upstream(source, role, options.krbsrvname, version.NEWEST_KNOWN)
        target = conninfo.text(keywords | {"dbname": source.database})
        lines = conninfo.passfile_text([(source.host, source.port)], role)
    with files.secret_file(site.pgpass.parent, lines) as passfile:
        done = run.run(
            custom_command(site, method, own, target),
            clock=site.clock,
            environment=child_environment(site.environment) | {"PGPASSFILE": str(passfile)},
            deadline=None,
            on_line=lambda line: progress(line.strip()),
            cancelled=cancelled,
            own_locale=True,
        )
    if not done.ok:
        raise ServerError(f"method {method} ended with status {done.status}", detail=done.tail)


def custom_command(site: Site, method: str, own: Mapping[str, object], target: str) -> list[str]:
    """The method's command and its arguments. Raises ServerError. Source: postgresql.md 11 rows 5 to 7."""
    try:
        words = shlex.split(str(own.get("command") or method))
    except ValueError as error:
        raise ServerError(f"the command of method {method} cannot be split", detail=str(error)) from error
    words += [f"--{key}={value}" for key, value in own.items() if key not in _NOT_PASSED]
    if not _flag(own, "no_params"):
        words += [f"--scope={site.scope}", "--role=replica", f"--datadir={Path(site.section.data_dir)}"]
        words.append(f"--connstring={target}")
    return words


def _flag(own: object, key: str) -> bool:
    return isinstance(own, Mapping) and parse_bool(own.get(key)) is True
