"""`pgctl history`: past leaders by timeline."""

import click

from pgctl.cli import options
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode
from pgctl.model import lsn as lsns
from pgctl.model.cluster import Cluster

_COLUMNS = ("TL", "LSN", "Reason", "Timestamp", "New Leader")


@click.command("history")
@options.cluster
@options.form()
@options.group
@options.pass_call
def history(call: Call, cluster: str | None) -> ExitCode:
    """Show past leaders by timeline.

    A line tells where a timeline ended, why, and who was promoted then. Structured formats give the position in bytes.
    """
    call.show(render(call.read(call.scope(cluster))))
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
