"""`pgctl remove`: delete all that the store knows of a cluster."""

import click

from pgctl.cli import ask, options, overview
from pgctl.cli.context import Call
from pgctl.cli.output import Format, Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, PgctlError
from pgctl.model.cluster import Cluster

SENTENCE = "Yes I am aware"
_HINT = "Answer beforehand with --confirm CLUSTER and, if there is a leader, --confirm-leader NAME."


@click.command("remove")
@options.cluster
@click.option("--confirm", metavar="CLUSTER", help="The cluster's name, instead of being asked.")
@click.option("--confirm-leader", metavar="NAME", help="The leader's name, instead of being asked.")
@options.form()
@options.group
@options.pass_call
def remove(call: Call, cluster: str | None, confirm: str | None, confirm_leader: str | None) -> ExitCode:
    """Remove a cluster from the store.

    Servers and their data are left alone. Agents that still run write their keys again: stop them first.
    """
    found = call.read(call.scope(cluster))
    if call.form is Format.PRETTY:
        call.say(overview.text(found))
    judge(found, *(_asked(found) if confirm is None else (confirm, confirm_leader)))
    call.ordered.append(f"removal of {found.scope}")
    count = call.store(found.scope).remove_cluster(budget=call.budget())
    call.show(render(found, count))
    return ExitCode.DONE


def _asked(cluster: Cluster) -> tuple[str, str | None]:
    name = ask.text("Name of the cluster to remove: ", _HINT)
    if name == cluster.scope and ask.text(f'This removes everything the store knows of it. Type "{SENTENCE}": ',
                                          _HINT) != SENTENCE:
        raise PgctlError("nothing was removed: that was not the sentence")
    leader = ask.text("This cluster has a leader. Its name: ", _HINT) if name == cluster.scope and cluster.leader else None
    return name, leader


def judge(cluster: Cluster, name: str, leader: str | None) -> None:
    """Raises PgctlError unless both names are right."""
    if name != cluster.scope:
        raise PgctlError(f'nothing was removed: "{name}" is not the cluster {cluster.scope}')
    if cluster.leader_name is not None and leader != cluster.leader_name:
        given = f'"{leader}" is not its leader' if leader else "it has a leader, whose name was not given"
        raise PgctlError(f"nothing was removed: {given}", hint="Is it really this cluster? Stop its agents first.")


def render(cluster: Cluster, count: int) -> Shown:
    living = sorted(member.name for member in cluster.members)
    warning = f"agents of {', '.join(living)} ran a moment ago: they write their keys again unless stopped"
    return Shown((f"Removed {cluster.scope}: {count} keys.",), Table(("Cluster", "Keys"), ((cluster.scope, str(count)),)),
                 {"cluster": cluster.scope, "keys_removed": count}, (warning,) if living else ())
