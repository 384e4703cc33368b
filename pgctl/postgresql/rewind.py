"""Brings a diverged data directory back to the fork point with another server, by pg_rewind. Decides not whether.

pg_rewind does crash recovery of its target itself. A single-user server refuses a standby's signal file, so the file is
away meanwhile, and back at the end whatever happened: nothing may open this directory as a primary. Source: PostgreSQL
15, pg_rewind; ha.md G30 to G39.
"""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pgctl.config.sections import Credentials
from pgctl.errors import ServerError, SourceAway
from pgctl.model.conf import Conf, Upstream
from pgctl.postgresql import archive, conf_files, connection, conninfo, files, process, queries, run, version
from pgctl.postgresql import conf as texts
from pgctl.postgresql import options as opts
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site, child_environment
from pgctl.postgresql.version import Feature
from pgctl.units import Instant

log = logging.getLogger(__name__)

_OURS = frozenset({
    "target-pgdata", "source-server", "source-pgdata", "dry-run", "version", "config-file", "restore-target-wal",
    "no-ensure-shutdown", "write-recovery-conf",
})  # fmt: skip
_PREPARE = 15.0

_CAUSES = (
    (r"permission denied for function", "Grant the rewind role EXECUTE on the four functions that pg_rewind needs."),
    (r"could not find previous WAL record|could not open file .*pg_wal|could not restore file",
     "The WAL back to the fork is gone: set restore_command, keep more with wal_keep_size, or reinitialize."),
    (r"different systems", "This data directory belongs to another cluster: reinitialize this member."),
    (r"wal_log_hints|checksums", "Turn on wal_log_hints, or data checksums; until then reinitialize this member."),
    (r"password authentication failed|no pg_hba.conf entry", "Check postgresql.authentication.rewind and pg_hba."),
    (r"No space left", "Free space below the data directory."),
)  # fmt: skip


def role_for(site: Site) -> Credentials:
    """The rewind role, or the superuser where none is configured."""
    return site.section.rewind if site.section.rewind.username else site.section.superuser


def reach(site: Site, options: Options, source: Upstream) -> None:
    """Has the source write a checkpoint, where its last one is from before its promotion. Raises SourceAway, ServerError."""
    deadline = Instant(site.clock.now() + _PREPARE)
    try:
        with connection.remote(site, options, source, role_for(site), deadline) as conn:
            queries.checkpoint_of_source(conn, site.clock, deadline)
    except ServerError as error:
        if hint := hint_for(str(error)):  # it does answer
            raise ServerError(error.message, detail=error.detail, hint=hint) from error
        raise SourceAway(f'"{source.name}" cannot be rewound from now', detail=str(error)) from error


def hint_for(text: str) -> str:
    """What to do about what a program or a server said; nothing where that is not known."""
    return next((hint for pattern, hint in _CAUSES if re.search(pattern, text)), "")


def rewind(
    site: Site,
    options: Options,
    source: Upstream,
    conf: Conf,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> None:
    """See `Server.rewind`. Raises ServerError."""
    process.end_orphans(site)
    archive.ready(site, options)
    conf_files.signals(site, standby=False)
    try:
        with _own_log_kept(site):
            _run(site, options, source, conf, progress, cancelled)
    finally:
        conf_files.signals(site, standby=True)


@contextmanager
def _own_log_kept(site: Site) -> Iterator[None]:
    """The server log tells how it came to this: it is elsewhere while pg_rewind would put the source's in its place."""
    aside = site.pgpass.parent / f".{site.name}.server.log"
    with suppress(OSError):
        shutil.move(site.start_log, aside)
    try:
        yield
    finally:
        if aside.exists():
            with suppress(OSError):
                site.start_log.parent.mkdir(mode=0o700, exist_ok=True)
                shutil.move(aside, site.start_log)


def _run(
    site: Site,
    options: Options,
    source: Upstream,
    conf: Conf,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> None:
    role = role_for(site)
    passwords = conninfo.passfile_text([(source.host, source.port)], role)
    with files.secret_file(site.pgpass.parent, passwords) as passfile:
        environment = {"PGPASSFILE": str(passfile), "PGOPTIONS": "-c statement_timeout=0"}
        environment |= process.past_stale_locks(site, ())
        done = run.run(
            command(site, options, source, conf),
            clock=site.clock,
            environment=child_environment(site.environment) | environment,
            deadline=None,
            on_line=lambda line: progress(line.strip()),
            cancelled=cancelled,
        )
    if not done.ok:
        raise ServerError(f'pg_rewind from "{source.name}" failed', detail=done.tail, hint=hint_for(done.tail))


def command(site: Site, options: Options, source: Upstream, conf: Conf) -> list[str]:
    """pg_rewind's command line; no password is on it. Raises ServerError."""
    major = version.parse_major(files.major_version(site.data_dir) or "")
    keywords = conninfo.to_upstream(source, role_for(site), options.krbsrvname, major)
    keywords |= {"dbname": source.database, "target_session_attrs": "read-write"}
    words = [site.program("pg_rewind"), f"--target-pgdata={site.data_dir}"]
    words += [f"--source-server={conninfo.text(keywords)}", "--progress"]
    inside = conf_files.main_path(site, options) == site.data_dir / "postgresql.conf"
    named = version.has(major, Feature.REWIND_CONFIG_FILE)
    if not inside and named:
        words.append(f"--config-file={conf_files.main_path(site, options)}")
    if texts.recovery_settings(site, options, conf, major).get("restore_command") and (inside or named):
        words.append("--restore-target-wal")
    accepted, left_out = opts.arguments(options.rewind, _OURS)
    if left_out:
        log.error("options of pg_rewind that may not be set: %s", ", ".join(left_out))
    return words + accepted
