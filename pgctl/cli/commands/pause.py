"""`pgctl pause` and `pgctl resume`: maintenance mode on and off."""

import click

from pgctl.cli import options, settings_order
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, PgctlError
from pgctl.model.cluster import Cluster


@click.command("pause")
@options.cluster
@options.wait
@options.form()
@options.group
@options.pass_call
def pause(call: Call, cluster: str | None, wait: bool) -> ExitCode:
    """Stop acting by itself: maintenance mode.

    No failover and no restart until `resume`. Each agent follows when it next looks, at once as a rule; --wait waits for
    all of them.
    """
    return run(call, cluster, True, wait)


@click.command("resume")
@options.cluster
@options.wait
@options.form()
@options.group
@options.pass_call
def resume(call: Call, cluster: str | None, wait: bool) -> ExitCode:
    """End maintenance mode."""
    return run(call, cluster, False, wait)


def run(call: Call, name: str | None, wanted: bool, wait: bool) -> ExitCode:
    """Sets the mode, and waits for the members if asked."""
    cluster = call.read(call.scope(name))
    word = "paused" if wanted else "resumed"
    already = cluster.settings.pause is wanted
    how = "already so" if already else _order(call, cluster, wanted)
    late = _wait(call, cluster, wanted) if wait else ()
    call.show(render(cluster.scope, word, how, late))
    return ExitCode.UNKNOWN if late else ExitCode.DONE


def _order(call: Call, cluster: Cluster, wanted: bool) -> str:
    what = f"{'pause' if wanted else 'resume'} of {cluster.scope}"
    return settings_order.change(call, cluster, {"pause": True if wanted else None}, what)


def _wait(call: Call, cluster: Cluster, wanted: bool) -> tuple[str, ...]:
    """Waits until every member says so; names of those that have not in time."""
    patience = 2 * cluster.settings.loop_wait + 5
    deadline = call.deadline(patience)
    while True:
        now = call.read(cluster.scope)
        if now.settings.pause is not wanted:
            raise PgctlError("somebody else changed the mode back meanwhile")
        late = judge(now, wanted)
        if not late or call.clock.now() >= deadline:
            return late
        call.changed(now, call.left(deadline))


def judge(cluster: Cluster, wanted: bool) -> tuple[str, ...]:
    """Members that have not followed yet."""
    return tuple(member.name for member in cluster.members if member.pause is not wanted)


def render(scope: str, word: str, how: str, late: tuple[str, ...]) -> Shown:
    line = f"{scope}: {word}" + (f" ({how})" if how else "")
    value = {"cluster": scope, "result": word, "detail": how, "late": list(late)}
    warning = (f"not yet followed by {', '.join(late)}",) if late else ()
    return Shown((line,), Table(("Cluster", "Result", "Detail"), ((scope, word, how),)), value, warning)
