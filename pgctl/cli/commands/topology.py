"""`pgctl topology`: the members as a tree of who replicates from whom."""

import click

from pgctl.cli import options, watch
from pgctl.cli.commands import list as listing
from pgctl.cli.context import Call
from pgctl.cli.overview import Wish
from pgctl.errors import ExitCode


@click.command("topology")
@options.clusters
@click.option("-e", "--extended", is_flag=True, help="Show columns that are empty, too.")
@click.option("-t", "--timestamp", is_flag=True, help="Print the time first.")
@options.watching
@options.form()
@options.group
@options.pass_call
def topology(call: Call, clusters: tuple[str, ...], extended: bool, timestamp: bool, seconds: float | None,
             often: bool) -> ExitCode:
    """Show who replicates from whom."""
    every = watch.interval(seconds, often)
    return listing.run(call, clusters, Wish(extended=extended, tree=True), False, timestamp, every)
