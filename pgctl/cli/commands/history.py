"""`pgctl history`: past leaders by timeline; with `--events` the journal of what happened."""

import click

from pgctl.cli import journal, options, times
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, UsageError
from pgctl.model import lsn as lsns
from pgctl.model.cluster import Cluster

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
    With --events the journal: the last 200 events or so, the newest last.
    """
    if not events and (limit or since):
        raise UsageError("--limit and --since choose among events", hint="Add --events.")
    start = times.past(since, times.local(call.clock.wall()))
    found = call.read(call.scope(cluster))
    call.show(journal.render(found.journal, journal.chosen(found.journal, start, limit)) if events else render(found))
    return ExitCode.DONE


def render(cluster: Cluster) -> Shown:
    """Ascending; positions as X/Y for people, as bytes for programs."""
    lines = cluster.history.lines
    right = frozenset({0, 1})
    rows = tuple((line.timeline, line.lsn, line.reason, line.timestamp, line.leader) for line in lines)
    pretty = tuple((str(tl), lsns.show(lsn), *rest) for tl, lsn, *rest in rows)
    flat = tuple(tuple(map(str, row)) for row in rows)
    value = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return Shown((Table(_COLUMNS, pretty, right),), Table(_COLUMNS, flat, right), value)
