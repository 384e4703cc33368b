"""`pgctl list`: the members of one or several clusters."""

from collections.abc import Sequence

import click

from pgctl.cli import health, lazy, options, output, overview, watch
from pgctl.cli.context import Call
from pgctl.cli.overview import Wish
from pgctl.errors import ExitCode, StoreUnreachable
from pgctl.model.cluster import Cluster


@click.command("list")
@options.clusters
@click.option("-e", "--extended", is_flag=True, help="Show columns that are empty, too.")
@click.option("-t", "--timestamp", is_flag=True, help="Print the time first.")
@click.option("--check", is_flag=True, help="Say what is wrong, and end with 1 if anything is.")
@options.watching
@options.form()
@options.group
@options.pass_call
def list_(call: Call, clusters: tuple[str, ...], extended: bool, timestamp: bool, check: bool, seconds: float | None,
          often: bool) -> ExitCode:
    """Show the members of a cluster.

    Structured formats hold one list of members for all clusters named, with facts on the cluster in each.
    """
    return run(call, clusters, Wish(extended=extended), check, timestamp, watch.interval(seconds, often))


def run(call: Call, names: Sequence[str], wish: Wish, check: bool, stamped: bool, every: float | None) -> ExitCode:
    """Shows it once or again and again."""

    def draw() -> tuple[ExitCode, Cluster | None]:
        stamp = lazy.room("times").local(call.clock.wall()).strftime("%Y-%m-%d %H:%M:%S") if stamped else ""
        shown_as = Wish(wish.extended, wish.tree, stamp)
        try:
            clusters = gather(call, names)
        except StoreUnreachable as error:
            return _away(call, names, error), None
        call.show(overview.render(clusters, shown_as))
        faults = judge(clusters) if check else ()
        for fault in faults:
            output.error(fault)
        return ExitCode.FAILED if faults else ExitCode.DONE, clusters[0]

    return watch.repeat(call, draw, every)


def gather(call: Call, names: Sequence[str]) -> tuple[Cluster, ...]:
    """Each named cluster, else the configured one. Raises NoSuchCluster, StoreUnreachable."""
    found = tuple(call.read(call.scope(name)) for name in dict.fromkeys(names or (None,)))
    for cluster in found:
        for note in call.store(cluster.scope).notes:
            call.warn(f"{cluster.scope}: {note}")
    return found


def judge(clusters: Sequence[Cluster]) -> tuple[str, ...]:
    """What is wrong, with the cluster's name."""
    return tuple(f"{cluster.scope}: {fault}" for cluster in clusters for fault in health.problems(cluster))


def _away(call: Call, names: Sequence[str], error: StoreUnreachable) -> ExitCode:
    """What the members say themselves. Raises `error` when nobody here knows them, or other clusters are asked for."""
    away = lazy.room("away")
    found = away.ask(call, call.scope(names[0] if names else None)) if len(set(names)) < 2 else None
    if found is None:
        raise error
    asked = away.look(call, found)
    call.show(away.render(found, call.configuration().api_url, asked))
    return ExitCode(away.end(call, error, *away.remarks(asked)))
