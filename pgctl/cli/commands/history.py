"""`pgctl history`: past leaders by timeline; with `--events` the journal of what happened."""

import click

from pgctl.cli import journal, lazy, options, times
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, StoreUnreachable, UsageError
from pgctl.model import codec
from pgctl.model import lsn as lsns
from pgctl.model.history import History
from pgctl.rest import schema

_COLUMNS = ("TL", "LSN", "Reason", "Timestamp", "New Leader")


@click.command("history")
@options.cluster
@click.option("-e", "--events", is_flag=True, help="Show what happened: who led, why, by whose order, how long it took.")
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="NUMBER", help="With --events: only the newest.")
@click.option("--since", metavar="TIME", help="With --events: only since then, such as -2h, 18:00, 2030-01-31.")
@options.form()
@options.group
@options.pass_call
def history(call: Call, cluster: str | None, events: bool, limit: int | None, since: str | None) -> ExitCode:
    """Show past leaders by timeline.

    A line tells where a timeline ended, why, and who was promoted then. Structured formats give the position in bytes.
    With --events the journal: the last 200 events or so, the newest last, from the store alone.
    """
    if not events and (limit or since):
        raise UsageError("--limit and --since choose among events", hint="Add --events.")
    start = times.past(since, times.local(call.clock.wall()))
    scope = call.scope(cluster)
    try:
        found = call.read(scope)
    except StoreUnreachable as error:
        if events:
            raise
        return _away(call, scope, error)
    if events:
        call.show(journal.render(found.journal, journal.chosen(found.journal, start, limit)))
    else:
        call.show(render(found.history))
    return ExitCode.DONE


def _away(call: Call, scope: str, error: StoreUnreachable) -> ExitCode:
    """As this host's agent read it last. Raises `error` when there is no agent to ask."""
    away = lazy.room("away")
    text = away.recall(call, scope, schema.HISTORY)
    if text is None:
        raise error
    call.show(render(codec.read_history(text)))
    return ExitCode(away.end(call, error))


def render(history: History) -> Shown:
    """Ascending; positions as X/Y for people, as bytes for programs."""
    lines = history.lines
    right = frozenset({0, 1})
    rows = tuple((line.timeline, line.lsn, line.reason, line.timestamp, line.leader) for line in lines)
    pretty = tuple((str(tl), lsns.show(lsn), *rest) for tl, lsn, *rest in rows)
    flat = tuple(tuple(map(str, row)) for row in rows)
    value = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return Shown((Table(_COLUMNS, pretty, right),), Table(_COLUMNS, flat, right), value)
