"""Works on logical slots of our server: makes, moves and marks them; asks the leader how far back its catalogs go.

Each can take long: a slot is made once all transactions of the moment have ended, and moved by decoding what lies
between. So this runs in a thread of its own, and every statement has a limit. Each step is harmless when repeated.

On a standby a slot waits for the leader to say which transactions run, which it does every 15 s, and only if it wrote
anything: it is asked to say so at once. Source: PostgreSQL 16, 49.2.2 Replication Slots; PostgreSQL 17, 9.28.6.
"""

import logging
from collections.abc import Callable
from functools import partial

from pgctl.errors import ServerError
from pgctl.model import lsn as lsns
from pgctl.model.conf import LogicalFound, LogicalPlan, SlotWanted, Upstream
from pgctl.model.lsn import Lsn
from pgctl.postgresql import connection, rewind, slot_copy, slots
from pgctl.postgresql.connection import Connection, QueryFailed
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

_CREATE = "SELECT pg_create_logical_replication_slot(%s, %s)"
_CREATE_FAILOVER = "SELECT pg_create_logical_replication_slot(%s, %s, false, false, true)"
_ADVANCE = "SELECT pg_replication_slot_advance(%s, %s::pg_lsn)"
_CONFIRMED = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s"
_XMINS = "SELECT slot_name, catalog_xmin FROM pg_replication_slots WHERE slot_name = ANY(%s) AND catalog_xmin IS NOT NULL"
_KINDS = "SELECT slot_name, failover FROM pg_replication_slots WHERE slot_type = 'logical' AND slot_name = ANY(%s)"
_SNAPSHOT = "SELECT pg_log_standby_snapshot()"
_CREATE_WITHIN, _ADVANCE_WITHIN, _ASK_WITHIN = 60.0, 20.0, 3.0
_ADVANCE_BY = 64 * 1024**2
"""Bytes that are decoded in one step."""
_NUDGE_EVERY = Seconds(0.5)
_DUPLICATE, _BEYOND_USE, _DENIED = "42710", ("58P01", "55000"), "42501"

Stopped = Callable[[], bool]


def keep(site: Site, options: Options, plan: LogicalPlan, stopped: Stopped) -> tuple[LogicalFound, tuple[str, ...]]:
    """Does the plan, step by step, until told to stop: what was found, and a line for each step that failed."""
    broken: list[tuple[str, Lsn | None]] = []
    failed: list[str] = []
    xmins: tuple[tuple[str, int], ...] = ()
    steps: list[tuple[str, str, Callable[[], object]]] = [
        *(("advance", slot.name, partial(_advance, site, options, slot, at, broken, stopped)) for slot, at in plan.advance),
        *(("mark for failover", name, partial(_mark, site, options, name)) for name in plan.mark),
        *(("create", slot.name, partial(_create, site, options, slot, plan.leader)) for slot in plan.create),
    ]
    for what, name, step in steps:
        if stopped():
            break
        try:
            step()
            log.log(logging.DEBUG if what == "advance" else logging.INFO, "logical slot %s: %s done", name, what)
        except ServerError as error:
            failed.append(f"{what} logical slot {name}: {slots.said(error)}")
    if plan.ask and plan.leader is not None and not stopped():
        try:
            xmins = _ask(site, options, plan.leader, plan.ask)
        except ServerError as error:
            failed.append(f"ask {plan.leader.name} for its slots: {error}")
    copyable: tuple[str, ...] = ()
    if plan.look and plan.leader is not None and not stopped():
        try:
            copyable = tuple(state.name for state in slot_copy.read(site, options, plan.leader, plan.look))
        except ServerError as error:
            failed.append(f"{error}{f' ({error.hint})' if error.hint else ''}")
        else:
            failed += [f"logical slot {name} cannot be copied yet: the WAL where it begins is not here"
                       for name in plan.look if name not in copyable]
    marked, plain = _sorted(site, options, plan, failed) if plan.sort and not stopped() else ((), ())
    return LogicalFound(xmins, tuple(broken), copyable, marked, plain), tuple(failed)


def _sorted(site: Site, options: Options, plan: LogicalPlan, failed: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The leader's slots that are failover slots, and those that are not."""
    if plan.leader is None:
        return (), ()
    deadline = Instant(site.clock.now() + _ASK_WITHIN)
    try:
        with connection.remote(site, options, plan.leader, rewind.role_for(site), deadline) as conn:
            rows = conn.rows(_KINDS, [list(plan.sort)], deadline)
    except ServerError as error:
        failed.append(f"ask {plan.leader.name} for its slots: {error}")
        return (), ()
    return tuple(name for name, failover in rows if failover), tuple(name for name, failover in rows if not failover)


def _here(site: Site, options: Options, database: str | None, within: float) -> tuple[Connection, Instant]:
    """A connection to the slot's database, where alone it can be worked on."""
    deadline = Instant(site.clock.now() + within)
    limit = Seconds(within)
    return connection.local(site, options, "slots", deadline, database=database or "", timeout=limit), deadline


def _advance(site: Site, options: Options, slot: SlotWanted, at: Lsn, broken: list[tuple[str, Lsn | None]],
             stopped: Stopped) -> None:
    """In steps, for one that is cut off has done nothing: a slot far behind would never get there.

    Adds to `broken` a slot that can never be moved again: its WAL is gone, or the server gave it up.
    """
    conn, deadline = _here(site, options, slot.database, _ADVANCE_WITHIN)
    with conn:
        while (confirmed := _confirmed(conn, slot.name, deadline)) < at and not stopped():
            deadline = Instant(site.clock.now() + _ADVANCE_WITHIN)
            try:
                conn.rows(_ADVANCE, [slot.name, lsns.show(Lsn(min(at, confirmed + _ADVANCE_BY)))], deadline)
            except QueryFailed as error:
                if error.sqlstate in _BEYOND_USE:
                    broken.append((slot.name, confirmed or None))
                raise
            if _confirmed(conn, slot.name, deadline) <= confirmed:
                return


def _confirmed(conn: Connection, name: str, deadline: Instant) -> Lsn:
    """0 when the slot has none, or is not there."""
    rows = conn.rows(_CONFIRMED, [name], deadline)
    return lsns.parse(rows[0][0]) if rows and rows[0][0] else Lsn(0)


def _mark(site: Site, options: Options, name: str) -> None:
    """Makes a failover slot of it. Only a replication connection can."""
    deadline = Instant(site.clock.now() + _ASK_WITHIN)
    with connection.local_replication(site, options, deadline) as conn:
        conn.rows(f"ALTER_REPLICATION_SLOT {name} (FAILOVER true)", None, deadline)


def _create(site: Site, options: Options, slot: SlotWanted, leader: Upstream | None) -> None:
    conn, deadline = _here(site, options, slot.database, _CREATE_WITHIN)
    sql = _CREATE_FAILOVER if slot.failover else _CREATE
    with conn:
        try:
            if leader is None:
                conn.rows(sql, [slot.name, slot.plugin], deadline)
            else:
                conn.rows(sql, [slot.name, slot.plugin], deadline, every=_NUDGE_EVERY,
                          meanwhile=lambda: _nudge(site, options, leader))
        except QueryFailed as error:
            if error.sqlstate != _DUPLICATE:
                raise


def _nudge(site: Site, options: Options, leader: Upstream) -> None:
    """Asks the leader to say which transactions run: as the rewind role, else as the superuser; else we wait for it."""
    for role in (rewind.role_for(site), site.section.superuser):
        deadline = Instant(site.clock.now() + _ASK_WITHIN)
        try:
            with connection.remote(site, options, leader, role, deadline) as conn:
                conn.rows(_SNAPSHOT, None, deadline)
                return
        except ServerError as error:
            log.debug("%s could not be asked for its running transactions: %s", leader.name, error)


def _ask(site: Site, options: Options, leader: Upstream, names: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    deadline = Instant(site.clock.now() + _ASK_WITHIN)
    with connection.remote(site, options, leader, rewind.role_for(site), deadline) as conn:
        return tuple((str(name), int(xmin)) for name, xmin in conn.rows(_XMINS, [list(names)], deadline))
