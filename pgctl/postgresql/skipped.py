"""History files of timelines that are passed over: how a server is made to leave a number alone that another has claimed.

PostgreSQL opens the first timeline of which it finds no history file. A file that holds a comment and no ancestor is one,
and nobody can be misled by it to follow such a timeline. It is needed for as long as anybody may come from an older
timeline, for they ask for the history of every number on their way; and it must not be there when its timeline turns out
to be real. So it is taken away again while no later history is there: then the promotion that wanted it has not been.

Archives. Who follows by the archive alone needs the file as well, and an archive that holds the real one must not be given
ours, for then archiving would stand still. So it is archived where restore_command says that there is none. Without a
restore_command nobody can tell, and it is not: then such a follower does not find a timeline after a skipped one, and wants
recovery_target_timeline with its number. Source: PostgreSQL 15, timeline.c, findNewestTimeLine; 26.3 Continuous Archiving.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pgctl.errors import ServerError
from pgctl.postgresql import files, run
from pgctl.postgresql.connection import Connection
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant

TEXT = "# claimed by another member's promotion; nothing of this timeline is known here\n"
_ASK_WITHIN = 10.0
"""Seconds for the archive to say whether it has a file; PostgreSQL itself asks it next."""
_ASKED = "pg_wal/pgctl_asked"


def wanted(site: Site, conn: Connection, timeline: int, deadline: Instant) -> tuple[str, ...]:
    """Names of the history files that are missing for `timeline` to be the next one; none for 0."""
    own = int(conn.row("SELECT timeline_id FROM pg_control_checkpoint()", None, deadline)[0])
    names = (f"{skipped:08X}.history" for skipped in range(own + 1, timeline))
    return tuple(name for name in names if not (site.data_dir / "pg_wal" / name).exists())


def missing_in_archive(site: Site, conn: Connection, names: Iterable[str], deadline: Instant) -> tuple[str, ...]:
    """Those of `names` that are to be archived: the server archives, and its restore_command says that there is none."""
    mode, command = conn.row("SELECT current_setting('archive_mode'), current_setting('restore_command')", None, deadline)
    if mode == "off" or not command:
        return ()
    until = Instant(min(deadline, site.clock.now() + _ASK_WITHIN))
    return tuple(name for name in names if not _archived(site, command, name, until))


def _archived(site: Site, command: str, name: str, until: Instant) -> bool:
    """True also where the archive does not say in time: ours must not meet a real one."""
    path = site.data_dir / _ASKED
    values = {"%f": name, "%p": _ASKED, "%r": "0" * 24, "%%": "%"}
    text = re.sub("%[fpr%]", lambda found: values[found[0]], command)
    try:
        done = run.run(["/bin/sh", "-c", text], clock=site.clock, environment=child_environment(site.environment),
                       deadline=until, cwd=site.data_dir)  # fmt: skip
        return done.ok and path.exists()
    except ServerError:
        return True
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def place(site: Site, names: Iterable[str], to_archive: Iterable[str]) -> None:
    """Writes them, and leaves word for the archiver. Raises ServerError."""
    mode = files.mode_below(site.data_dir)
    for name in names:
        files.write(_wal(site) / name, TEXT, mode)
    for name in to_archive:
        files.write(_wal(site) / "archive_status" / f"{name}.ready", "", mode)


def forget(site: Site) -> None:
    """Takes away those that lead nowhere: no later timeline is known here, so the one of this number may be real."""
    found = sorted(path for path in _wal(site).glob("????????.history"))
    while found and files.read_text(found[-1]) == TEXT:
        path = found.pop()
        files.remove_if_there(path)
        for state in ("ready", "done"):
            files.remove_if_there(path.parent / "archive_status" / f"{path.name}.{state}")


def _wal(site: Site) -> Path:
    return site.data_dir / "pg_wal"
