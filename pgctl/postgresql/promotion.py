"""Promotes a standby, and sees to it that it hurries.

The order itself takes no time, yet a startup process that waits for WAL may sleep through it: it can have reset its latch
before the order came, and then wakes only at wal_retrieve_retry_interval (5 s). A SIGHUP sets that latch, and costs a
glance at its configuration files; so it is repeated until the server is out of recovery. Source: PostgreSQL 15,
xlogrecovery.c, WaitForWALToBecomeAvailable and StartupRereadConfig.

The first checkpoint on the new timeline, without which no other server can be rewound with this one, PostgreSQL would
spread over minutes; so it is ordered to hurry, and not waited for. Others may order it only from 15 on.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from pgctl.errors import ServerError
from pgctl.postgresql import connection, skipped
from pgctl.postgresql.connection import Connection
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import Instant, Seconds

_NUDGE = Seconds(0.02)
_STARTUP = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'"


def promote(site: Site, options: Options, timeline: int, deadline: Instant, point_of_no_return: Callable[[], bool]) -> int:
    """See `Server.promote`. Raises ServerError."""
    with connection.local(site, options, "promotion", deadline) as conn:
        startup = [int(pid) for (pid,) in conn.rows(_STARTUP, None, deadline)]
        names = skipped.wanted(site, conn, timeline, deadline)
        to_archive = skipped.missing_in_archive(site, conn, names, deadline) if names else ()
        if not point_of_no_return():
            raise ServerError("the promotion was refused at the last moment", detail="the server was not promoted")
        skipped.place(site, names, to_archive)
        if not conn.row("SELECT pg_promote(wait => false)", None, deadline)[0]:
            raise ServerError("the server did not take the order to promote", detail="the server may not be promoted")
        _wait(site, conn, startup, deadline)
        file = conn.row("SELECT pg_walfile_name(pg_current_wal_flush_lsn())", None, deadline)[0]
        with suppress(ServerError):
            conn.order("CHECKPOINT")
    return int(file[:8], 16)


def _wait(site: Site, conn: Connection, startup: list[int], deadline: Instant) -> None:
    while conn.row("SELECT pg_is_in_recovery()", None, deadline)[0]:
        if site.clock.now() >= deadline:
            raise ServerError(
                "the server did not leave recovery in time",
                detail="the order to promote was given: it may still be promoted",
                hint="Look at the server log; replay of much WAL, or a restore_command, can take long.",
            )
        site.clock.sleep(_NUDGE)
        for pid in startup:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)
