"""Carries out a plan of replication slots: drop any, create and advance physical ones; each harmless when repeated.

Decides nothing. Logical ones are made and moved by `logical_slots`, which may take its time.
"""

import logging
from collections.abc import Callable
from functools import partial

from pgctl.errors import ServerError
from pgctl.model import lsn as lsns
from pgctl.model.conf import SlotPlan, Upstream
from pgctl.postgresql import connection
from pgctl.postgresql.connection import Connection, QueryFailed
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

_DROP = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND NOT active"
_CREATE = (
    "SELECT pg_create_physical_replication_slot(%s, true)"
    " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s)"
)
_ADVANCE = "SELECT pg_replication_slot_advance(%s, %s::pg_lsn)"
_TIMEOUT = Seconds(2.0)
_DUPLICATE = "42710"
_ALL_IN_USE = "53400"
_BEFORE_START = 1.0


def apply(site: Site, options: Options, plan: SlotPlan, deadline: Instant) -> None:
    """Does all of the plan that can be done. Raises ServerError naming what could not."""
    if not (plan.drop or plan.create or plan.advance):
        return
    failures: list[str] = []
    with connection.local(site, options, "slots", deadline, timeout=_TIMEOUT) as conn:
        deeds: list[tuple[str, Callable[[], object]]] = [
            *((f"drop {name}", partial(conn.rows, _DROP, [name], deadline)) for name in plan.drop),
            *((f"create {slot.name}", partial(_create, conn, slot.name, deadline)) for slot in plan.create),
            *(
                (f"advance {name}", partial(conn.rows, _ADVANCE, [name, lsns.show(position)], deadline))
                for name, position in plan.advance
            ),
        ]
        for what, deed in deeds:
            try:
                deed()
            except ServerError as error:
                failures.append(f"{what}: {said(error)}")
            else:
                log.log(logging.DEBUG if what.startswith("advance") else logging.INFO, "replication slots: %s", what)
    if failures:
        raise ServerError("some replication slots could not be changed", detail="; ".join(failures))


def said(error: ServerError) -> str:
    """The server's words, and what to do about a full house."""
    if isinstance(error, QueryFailed) and error.sqlstate == _ALL_IN_USE:
        return f"{error}; raise max_replication_slots, or drop slots that nobody needs"
    return str(error)


def reserve_on(site: Site, options: Options, upstream: Upstream, deadline: Instant) -> None:
    """Makes my slot on the server that I am to stream from, if it is not there: its own agent makes it a cycle later.

    Raises ServerError.
    """
    with connection.remote_replication(site, options, upstream, deadline) as conn:
        try:
            conn.rows(f"CREATE_REPLICATION_SLOT {upstream.slot} PHYSICAL RESERVE_WAL", None, deadline)
        except QueryFailed as error:
            if error.sqlstate != _DUPLICATE:
                raise


def reserve_if_possible(site: Site, options: Options, upstream: Upstream | None) -> None:
    """`reserve_on` before a start or a change of upstream, which do not depend on it; a remote's slots are not ours.

    Without its slot a standby tries again only after wal_retrieve_retry_interval.
    """
    if upstream is None or upstream.slot is None or upstream.remote:
        return
    try:
        reserve_on(site, options, upstream, Instant(site.clock.now() + _BEFORE_START))
    except ServerError as error:
        log.info("slot %s on %s was not made: %s", upstream.slot, upstream.name, error)


def _create(conn: Connection, name: str, deadline: Instant) -> None:
    try:
        conn.rows(_CREATE, [name, name], deadline)
    except QueryFailed as error:  # the standby itself was faster, see `reserve_on`
        if error.sqlstate != _DUPLICATE:
            raise
