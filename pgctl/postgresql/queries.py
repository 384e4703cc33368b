"""SQL texts, and rows into values. Opens a connection only where the statement is the whole deed."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from pgctl.clock import Clock
from pgctl.errors import ServerError
from pgctl.model import lsn as lsns
from pgctl.model.lsn import Lsn
from pgctl.model.member import PendingParameter
from pgctl.model.server import RecoverySettings, Slot, WalReceiver, WalSender
from pgctl.postgresql import connection, conninfo, version
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.postgresql.version import Feature
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

IDLE_CHECKPOINTER = (None, "CheckpointerMain", "CheckpointWriteDelay")
"""What a checkpointer waits for when it reads its configuration; None: this role may not see it. Before 14 it tells of no

delay, and a spread checkpoint counts as busy from its beginning to its end.
"""

_LOOK = """
SELECT json_build_object(
  'recovery', r.recovery,
  'version', current_setting('server_version_num'),
  'started', to_char(pg_postmaster_start_time(), 'YYYY-MM-DD HH24:MI:SS.USTZH:TZM'),
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'checkpoint_timeline', c.timeline_id,
  'control_timeline', (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
  'wal_file', CASE WHEN r.recovery THEN NULL ELSE pg_walfile_name(pg_current_wal_flush_lsn()) END,
  'lsn', CASE WHEN r.recovery THEN NULL ELSE pg_current_wal_flush_lsn() END,
  'received', CASE WHEN r.recovery THEN pg_last_wal_receive_lsn() END,
  'replayed', CASE WHEN r.recovery THEN pg_last_wal_replay_lsn() END,
  'replayed_at', CASE WHEN r.recovery
                      THEN to_char(pg_last_xact_replay_timestamp(), 'YYYY-MM-DD HH24:MI:SS.USTZH:TZM') END,
  'paused', CASE WHEN r.recovery THEN pg_is_wal_replay_paused() ELSE false END,
  'receiver', (SELECT row_to_json(w) FROM pg_stat_get_wal_receiver() w WHERE w.pid IS NOT NULL),
  'senders', (SELECT json_agg(json_build_array(usename, application_name, client_addr, state, sync_state,
                              sync_priority, write_lsn, flush_lsn, replay_lsn) ORDER BY application_name, pid)
              FROM pg_stat_replication),
  'checkpointer', (SELECT coalesce(wait_event, 'busy') FROM pg_stat_activity WHERE backend_type = 'checkpointer'),
  'slots', (SELECT json_agg(row_to_json(s) ORDER BY slot_name) FROM pg_replication_slots s),
  'settings', (SELECT json_object_agg(name, setting) FROM (
                 SELECT n AS name, current_setting(n, true) AS setting FROM unnest(ARRAY[
                   'synchronous_standby_names', 'synchronous_commit', 'primary_conninfo', 'primary_slot_name',
                   'restore_command', 'wal_log_hints', 'data_checksums']) n) named),
  'pending', (SELECT json_agg(json_build_array(name, current_setting(name), (
                SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name ORDER BY f.seqno DESC LIMIT 1))
                ORDER BY name)
              FROM pg_settings s WHERE pending_restart)
)::text
FROM (SELECT pg_is_in_recovery() AS recovery) r, pg_control_checkpoint() c
"""
"""Everything one look needs, in one round trip. `pg_stat_get_wal_receiver` has a row even without a receiver."""


def look(conn: connection.Connection, deadline: Instant) -> Mapping[str, Any]:
    """The server's own account of itself, as the names in `_LOOK`. Raises ServerError."""
    (text,) = conn.row(_LOOK, None, deadline)
    found: Mapping[str, Any] = json.loads(text)
    return found


def position(text: str | None) -> Lsn | None:
    """A pg_lsn column; PostgreSQL's 0/0 means none."""
    return (lsns.parse(text) or None) if text else None


def received(found: Mapping[str, Any]) -> Lsn | None:
    """How far a standby has WAL from its upstream: flushed, or at least written. None on a primary."""
    written = (found["receiver"] or {}).get("written_lsn")
    return max(filter(None, (position(found["received"]), position(written))), default=None)


def receiver(row: Mapping[str, Any] | None) -> WalReceiver | None:
    """The row of pg_stat_wal_receiver."""
    if row is None:
        return None
    return WalReceiver(
        status=str(row.get("status") or ""),
        timeline=row.get("received_tli"),
        slot=row.get("slot_name") or None,
        host=row.get("sender_host") or None,
        port=row.get("sender_port"),
        latest_end_lsn=position(row.get("latest_end_lsn")),
    )


def senders(rows: list[list[Any]] | None) -> tuple[WalSender, ...]:
    """The rows of pg_stat_replication."""
    return tuple(
        WalSender(row[0] or "", row[1] or "", row[2], row[3] or "", row[4] or "", row[5] or 0, *map(position, row[6:9]))
        for row in rows or ()
    )


def slots(rows: list[Mapping[str, Any]] | None) -> tuple[Slot, ...]:
    """The rows of pg_replication_slots; columns that an older server lacks are false."""
    return tuple(
        Slot(
            name=row["slot_name"],
            type=row["slot_type"],
            active=bool(row["active"]),
            restart_lsn=position(row["restart_lsn"]),
            confirmed_flush_lsn=position(row["confirmed_flush_lsn"]),
            database=row["database"],
            plugin=row["plugin"],
            has_xmin=row["xmin"] is not None or row["catalog_xmin"] is not None,
            catalog_xmin=None if row["catalog_xmin"] is None else int(row["catalog_xmin"]),
            wal_status=row["wal_status"],
            failover=bool(row.get("failover")),
            synced=bool(row.get("synced")),
            temporary=bool(row["temporary"]),
        )
        for row in rows or ()
    )


def recovery(settings: Mapping[str, str | None]) -> RecoverySettings:
    """What the server is told to follow, secrets left out."""
    return RecoverySettings(
        conninfo.without_secrets(settings.get("primary_conninfo") or ""),
        settings.get("primary_slot_name") or "",
        settings.get("restore_command") or "",
    )


def pending(rows: list[list[Any]] | None) -> tuple[PendingParameter, ...]:
    """Parameters that wait for a restart; one removed from the files has no new value to show."""
    return tuple(PendingParameter(name, str(old), "?" if new is None else str(new)) for name, old, new in rows or ())


def stir(site: Site, options: Options, deadline: Instant) -> None:
    """Commits a message to nobody, and waits for no standby. Raises ServerError.

    A commit that waits is let go by a walsender that hears from its standby, and by nothing else: after a change of
    synchronous_standby_names an idle standby, which has all of the log already, would say nothing for
    wal_receiver_status_interval, ten seconds. Source: PostgreSQL 15, src/backend/replication/syncrep.c; ha.md N6.
    """
    with connection.local(site, options, "stir", deadline) as conn:
        conn.rows("SET synchronous_commit = 'local'", None, deadline)
        conn.rows("SELECT pg_logical_emit_message(true, 'pgctl', 'synchronous_standby_names')", None, deadline)


def checkpoint(site: Site, options: Options, deadline: Instant) -> None:
    """Runs CHECKPOINT on our server. Raises ServerError."""
    with connection.local(site, options, "checkpoint", deadline) as conn:
        conn.rows("CHECKPOINT", None, deadline)


def checkpoint_before_stop(site: Site, options: Options, deadline: Instant | None) -> None:
    """A checkpoint while the server still works, so that the one at shutdown is short. A failure is only logged.

    It may take half of the time that is left, and five minutes when nothing limits it.
    """
    now = site.clock.now()
    half = Instant(now + (300.0 if deadline is None else max(0.0, (deadline - now) / 2)))
    try:
        checkpoint(site, options, half)
    except ServerError as error:
        log.warning("no checkpoint before the stop: %s", error)


def checkpoint_of_source(conn: connection.Connection, clock: Clock, deadline: Instant) -> None:
    """Makes another server fit as a source of pg_rewind: out of recovery, its last checkpoint on its present timeline.

    Runs CHECKPOINT there if it must and may, and else waits for the one that its own agent ordered. Raises ServerError.
    """
    recovering, major = conn.row("SELECT pg_is_in_recovery(), current_setting('server_version_num')::int", None, deadline)
    if recovering:
        raise ServerError("the server to rewind from is in recovery", hint="Wait until it is promoted.")
    if _current_checkpoint(conn, deadline):
        return
    grantable = version.has(version.major_of(major), Feature.CHECKPOINT_ROLE)
    allowed = "pg_has_role('pg_checkpoint', 'USAGE')" if grantable else "false"
    may = conn.row(f"SELECT {allowed} OR usesuper FROM pg_user WHERE usename = current_user", None, deadline)[0]
    if may:
        conn.rows("CHECKPOINT", None, deadline)
    while not _current_checkpoint(conn, deadline):
        if clock.now() + _LOOK_AGAIN >= deadline:
            raise ServerError(
                "the server to rewind from has not finished its first checkpoint after promotion",
                hint="It is tried again; a CHECKPOINT on that server ends the wait.",
            )
        clock.sleep(_LOOK_AGAIN)


def _current_checkpoint(conn: connection.Connection, deadline: Instant) -> bool:
    sql = "SELECT timeline_id, substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) FROM pg_control_checkpoint()"
    checkpointed, current = conn.row(sql, None, deadline)
    return bool(checkpointed == int(current, 16))


_LOOK_AGAIN = Seconds(0.1)
STATEMENT_TIMEOUT = Seconds(2.0)
"""Of the heartbeat's connection. Source: postgresql.md 18 row 2."""
