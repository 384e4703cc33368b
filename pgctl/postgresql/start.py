"""Starts the postmaster and waits until it accepts connections: on events, and on its own word in postmaster.pid.

Nothing is asked of the server while it starts, so its log stays free of refused connections. The wait ends as soon as the
process does. Source: PostgreSQL 15, pg_ctl (which waits for the same line of the same file).
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pgctl.errors import ServerError
from pgctl.model.conf import Conf
from pgctl.model.server import ControlData
from pgctl.postgresql import archive, conf_files, files, parameters, process, run, start_log
from pgctl.postgresql import options as opts
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant, Seconds, Wall

_SLICE_MS = 10
_TO_FORK = Seconds(10.0)
_LARGE_LOG = 16 * 1024**2
_QUOTED_BYTES = 16384


def command(site: Site, options: Options, conf: Conf, control: ControlData | None) -> list[str]:
    """The postmaster's command line: managed parameters on it, a standby's raised to what pg_control asks for."""
    managed = parameters.managed(site, options)
    if conf.standby:
        managed = parameters.raised(managed, control)
    main = conf_files.main_path(site, options)
    fixed = [site.program("postgres"), "-D", str(site.data_dir), f"--config-file={main}"]
    return fixed + [f"--{name}={value}" for name, value in managed.items()]


def archive_last(site: Site, options: Options, control: ControlData | None) -> None:
    """See `archive.last`."""
    if control is not None:
        archive.last(site, options, control)


def start(
    site: Site,
    options: Options,
    conf: Conf,
    control: ControlData | None,
    deadline: Instant,
    cancelled: Callable[[], bool],
) -> None:
    """Starts, and waits; see `Server.start`. Raises ServerError."""
    if process.single_user(site.pid_file):
        raise ServerError("a single-user server holds the data directory", hint="End it first.")
    process.end_orphans(site)
    _make_directories(site, options)
    begin, since = _rotate(site), site.clock.wall()
    environment = child_environment(site.environment) | process.past_stale_locks(site, opts.socket_directories(options))
    if options.krbsrvname:
        environment["PGKRBSRVNAME"] = options.krbsrvname
    pid = run.detach(
        command(site, options, conf, control),
        site.start_log,
        environment=environment,
        within=_TO_FORK,
    )
    if not _ready(site, pid, deadline, cancelled):
        text = _tail(site.start_log, begin) + _collected(site, since)
        raise start_log.explain(text, port=site.section.port, data_dir=site.section.data_dir)


def _make_directories(site: Site, options: Options) -> None:
    """The log's directory, and those that parameters name, made if absent. Raises ServerError."""
    wanted = [site.start_log.parent, *opts.socket_directories(options)]
    for path in wanted:
        try:
            path.mkdir(mode=0o700 if path == site.start_log.parent else 0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise files.write_error(path, error) from error


def _rotate(site: Site) -> int:
    """Puts a large log aside, and returns where this start's lines will begin."""
    with suppress(OSError):
        size = site.start_log.stat().st_size
        if size < _LARGE_LOG:
            return size
        site.start_log.replace(site.start_log.with_suffix(".log.old"))
    return 0


def _ready(site: Site, pid: int, deadline: Instant, cancelled: Callable[[], bool]) -> bool:
    """True when the server says so, False when its process ended. Raises ServerError."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        while not process.exited(fd, _SLICE_MS):
            noted = process.read_pid_file(site.pid_file)
            if noted is not None and noted.pid == pid and noted.status in ("ready", "standby"):
                return True
            if cancelled():
                raise ServerError("the start was cancelled", detail="the server is still starting")
            if site.clock.now() >= deadline:
                raise ServerError(
                    "the server did not accept connections in time",
                    detail="it is still starting",
                    hint="Crash recovery can take long: look at the server log, and raise pg_ctl_timeout.",
                )
        return False
    finally:
        os.close(fd)


def _collected(site: Site, since: Wall) -> str:
    """What the logging collector wrote, if it took over in this start. Source: PostgreSQL 15, 20.8.1, current_logfiles."""
    noted = site.data_dir / "current_logfiles"
    with suppress(OSError):
        if noted.stat().st_mtime < since - 1:
            return ""
        for line in noted.read_text("utf-8", "replace").splitlines():
            kind, _, name = line.partition(" ")
            if kind in ("stderr", "csvlog", "jsonlog"):
                path = Path(name) if name.startswith("/") else site.data_dir / name
                return _tail(path, 0).rpartition("starting PostgreSQL")[2]
    return ""


def _tail(path: Path, begin: int) -> str:
    """The text from `begin`, the last part of it where it is long."""
    with suppress(OSError), path.open("rb") as log:
        log.seek(max(begin, path.stat().st_size - _QUOTED_BYTES))
        return log.read().decode("utf-8", "replace")
    return ""
