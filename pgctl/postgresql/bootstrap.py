"""Makes a new cluster: initdb or the operator's method, a first start, roles, the operator's script.

Three steps, in this order; whoever calls them cleans up after a failure. Source: postgresql.md 10; PostgreSQL 15, initdb.
"""

import logging
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from pgctl.config.sections import BootstrapSection
from pgctl.errors import ServerError
from pgctl.model.conf import Conf
from pgctl.model.server import Phase
from pgctl.postgresql import conf as texts
from pgctl.postgresql import conf_files, connection, conninfo, files, parameters, probe, process, removal, roles, run, start
from pgctl.postgresql import options as opts
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant, Seconds, parse_bool

log = logging.getLogger(__name__)

_FORBIDDEN = frozenset({"pgdata", "nosync", "no-sync", "pwfile", "sync-only", "version"})
_NOT_PASSED = frozenset({"command", "no_params", "keep_existing_recovery_conf", "recovery_conf", "scope", "datadir"})
_TRUST = (
    "local all all trust",
    "host all all 127.0.0.1/32 trust",
    "host all all ::1/128 trust",
)
_ROLES = 60.0
_LOOK_AGAIN = Seconds(0.1)

Progress = Callable[[str], None]
Cancelled = Callable[[], bool]


def method_of(section: BootstrapSection) -> Mapping[str, object] | None:
    """The custom method's own keys; None for initdb, which an unknown method falls back to."""
    own = section.methods.get(section.method)
    return own if section.method != "initdb" and own is not None and own.get("command") else None


def create_data(
    site: Site, options: Options, section: BootstrapSection, conf: Conf, progress: Progress, cancelled: Cancelled
) -> None:
    """Fills the empty data directory. Raises ServerError."""
    own = method_of(section)
    if own is None:
        _initdb(site, section, progress, cancelled)
        _append_hba(site, options, section)
        return
    done = run.run(
        custom_command(site, own),
        clock=site.clock,
        environment=child_environment(site.environment),
        deadline=None,
        on_line=progress,
        cancelled=cancelled,
        own_locale=True,
    )
    if not done.ok:
        raise ServerError(f"bootstrap method {section.method} ended with status {done.status}", detail=done.tail)


def _initdb(site: Site, section: BootstrapSection, progress: Progress, cancelled: Cancelled) -> None:
    accepted, forbidden = opts.arguments(section.initdb, _FORBIDDEN)
    if forbidden:
        raise ServerError("bootstrap.initdb has options that may not be set", detail=", ".join(forbidden))
    role = site.section.superuser
    with files.secret_file(site.pgpass.parent, f"{role.password}\n") as pwfile:
        words = [site.program("initdb"), f"--pgdata={site.data_dir}"]
        words += [f"--username={role.username}"] if role.username else []
        words += [f"--pwfile={pwfile}"] if role.password else []
        done = run.run(
            words + accepted,
            clock=site.clock,
            environment=child_environment(site.environment) | {"LC_MESSAGES": "C"},
            deadline=None,
            on_line=progress,
            cancelled=cancelled,
            own_locale=True,
        )
    if not done.ok:
        full = any("No space left on device" in line for line in done.lines)
        hint = "Free space below the data directory." if full else "Look at bootstrap.initdb and at the data directory."
        raise ServerError("initdb failed", detail=_reason(done), hint=hint)


def _reason(done: run.Finished) -> str:
    """The lines that say what went wrong, the last three of them; without any, the end of all."""
    telling = [line.strip() for line in done.lines if re.search(r"\b(?:error|FATAL|PANIC|ERROR):\s", line)]
    return "; ".join(telling[-3:]) or done.tail


def _append_hba(site: Site, options: Options, section: BootstrapSection) -> None:
    """bootstrap.pg_hba counts only where postgresql.pg_hba and hba_file do not."""
    if not section.pg_hba or options.pg_hba or options.parameters.get("hba_file"):
        return
    path = site.data_dir / "pg_hba.conf"
    text = (files.read_text(path) or "") + "".join(f"{line}\n" for line in section.pg_hba)
    files.write(path, text, files.mode_below(site.data_dir))


def custom_command(site: Site, own: Mapping[str, object]) -> list[str]:
    """The method's command and its arguments. Raises ServerError. Source: postgresql.md 10.1."""
    try:
        words = shlex.split(str(own["command"]))
    except ValueError as error:
        raise ServerError("the bootstrap command cannot be split", detail=str(error)) from error
    if parse_bool(own.get("no_params")) is not True:
        words += [f"--scope={site.scope}", f"--datadir={Path(site.section.data_dir)}"]
    return words + [f"--{key}={value}" for key, value in own.items() if key not in _NOT_PASSED]


def first_start(
    site: Site, options: Options, section: BootstrapSection, conf: Conf, progress: Progress, cancelled: Cancelled
) -> None:
    """Starts the new server, and after a custom method waits until its recovery has ended. Raises ServerError."""
    own = method_of(section)
    if own is None:
        conf_files.write(site, options, conf)
    else:
        _prepare_restored(site, options, own, conf)
    deadline = Instant(site.clock.now() + options.pg_ctl_timeout)
    start.start(site, options, conf, None, deadline, cancelled)
    if own is not None:
        _await_end_of_recovery(site, progress, cancelled)


def _prepare_restored(site: Site, options: Options, own: Mapping[str, object], conf: Conf) -> None:
    """Trust for local connections until the roles are set, and the recovery that the operator asked for."""
    given = own.get("recovery_conf")
    wanted = {str(key): parameters.in_text(value) for key, value in given.items()} if isinstance(given, Mapping) else {}
    conf_files.write(site, options, conf, None if not wanted and not _keeps(own) else wanted)
    if wanted:
        files.write(site.data_dir / "recovery.signal", "", files.mode_below(site.data_dir))
    path = conf_files.lines_path(site, options, "hba")
    files.write(path, texts.lines_file(_TRUST), conf_files.mode_of(site, path))


def _keeps(own: Mapping[str, object]) -> bool:
    return parse_bool(own.get("keep_existing_recovery_conf")) is True


def _await_end_of_recovery(site: Site, progress: Progress, cancelled: Cancelled) -> None:
    """A restore may replay for hours, and the operator sees by the progress that it does. Raises ServerError."""
    while (phase := probe.phase_from_files(site)) is not Phase.PRIMARY:
        if phase is Phase.DOWN:
            raise ServerError("the restored server ended during recovery", hint="Look at the server log.")
        if cancelled():
            raise ServerError("the bootstrap was cancelled")
        progress("waiting for the end of recovery")
        site.clock.sleep(_LOOK_AGAIN)


def finish(
    site: Site, options: Options, section: BootstrapSection, conf: Conf, progress: Progress, cancelled: Cancelled
) -> None:
    """Roles, the operator's script, and for a restored server its real configuration. Raises ServerError."""
    deadline = Instant(site.clock.now() + _ROLES)
    with connection.local(site, options, "bootstrap", deadline) as conn:
        roles.prepare(conn, deadline)
        if method_of(section) is not None:
            roles.create_superuser(conn, site.section.superuser, deadline)
        _script(site, options, section, progress, cancelled)
        roles.create_others(conn, site.section, deadline)
    if method_of(section) is not None:
        conf_files.write(site, options, conf)
        process.reload(process.find(site))


def _script(site: Site, options: Options, section: BootstrapSection, progress: Progress, cancelled: Cancelled) -> None:
    if not section.post_bootstrap:
        return
    progress("running the post_bootstrap script")
    host = connection.local_host(site, options, socket=options.use_unix_socket)
    role = site.section.superuser
    target = conninfo.text({"dbname": site.section.database, "user": role.username, "host": host, "port": site.section.port})
    lines = conninfo.passfile_text([(host or "localhost", site.section.port)], role)
    with files.secret_file(site.pgpass.parent, lines) as passfile:
        extra = {"PGPASSFILE": str(passfile), "PGOPTIONS": "-c synchronous_commit=local -c statement_timeout=0"}
        done = run.run(
            [*shlex.split(section.post_bootstrap), target],
            clock=site.clock,
            environment=child_environment(site.environment) | extra,
            deadline=None,
            on_line=progress,
            cancelled=cancelled,
            own_locale=True,
        )
    if not done.ok:
        raise ServerError(f"the post_bootstrap script ended with status {done.status}", detail=done.tail)


def set_aside(site: Site) -> None:
    """Ends and renames what a failed bootstrap left; its own error matters more than one of these, which is only told."""
    try:
        postmaster = process.find(site)
        if postmaster is not None:
            process.kill_tree(site, postmaster)
        removal.set_aside(site.data_dir)
    except ServerError as error:
        log.error("%s", error)
