"""Archives WAL of a stopped server by its own archive_command, where the server itself does not any more.

A failure is only logged: a dead archive must not keep a member away. Source: PostgreSQL 15, 26.3.1; ha.md G31, M22.
"""

import logging
import re
from pathlib import Path

from pgctl.errors import ServerError
from pgctl.model.server import ControlData
from pgctl.postgresql import files, run
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant, parse_bool

log = logging.getLogger(__name__)

_ARCHIVE = 60.0


def ready(site: Site, options: Options) -> None:
    """Archives what a crashed primary had not: pg_rewind removes it, and point-in-time recovery may need it.

    The first failure ends it.
    """
    command = _command(options)
    for mark in sorted(_status(site).glob("*.ready")) if command else ():
        if not _archived(site, command, mark.stem):
            return
        mark.rename(mark.with_suffix(".done"))


def last(site: Site, options: Options, control: ControlData) -> None:
    """Archives the segment with the shutdown checkpoint of a primary that was stopped in order.

    The server itself never does, for the segment is not full. Whoever follows by the archive alone needs it: without
    that record nobody can tell that this log was left where another one goes on.
    """
    command, segment = _command(options), control.redo_wal_file
    done = _status(site) / f"{segment}.done"
    if not command or control.state != "shut down" or not segment or done.exists():
        return
    if _archived(site, command, segment):
        log.info("the last WAL segment is archived  segment=%s", segment)
        files.write(done, "", files.mode_below(site.data_dir))
        files.remove_if_there(_status(site) / f"{segment}.ready")


def _status(site: Site) -> Path:
    return site.data_dir / "pg_wal" / "archive_status"


def _command(options: Options) -> str:
    """The archive_command of a server that archives; empty when it does not."""
    mode = options.parameters.get("archive_mode")
    on = str(mode or "off").lower() == "always" or parse_bool(mode)
    return str(options.parameters.get("archive_command") or "") if on else ""


def _archived(site: Site, command: str, segment: str) -> bool:
    try:
        done = run.run(
            ["/bin/sh", "-c", substituted(command, segment)],
            clock=site.clock,
            environment=child_environment(site.environment),
            deadline=Instant(site.clock.now() + _ARCHIVE),
            cwd=site.data_dir,
            own_locale=True,
        )
    except ServerError as error:
        log.error("could not archive %s: %s", segment, error)
        return False
    if not done.ok:
        log.error("could not archive %s: archive_command ended with status %d", segment, done.status)
    return done.ok


def substituted(archive_command: str, segment: str) -> str:
    """%p path, %f name, %% a percent sign. Source: PostgreSQL 15, 26.3.1."""
    values = {"%p": f"pg_wal/{segment}", "%f": segment, "%%": "%"}
    return re.sub(r"%[pf%]", lambda found: values[found[0]], archive_command)
