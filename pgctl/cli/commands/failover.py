"""`pgctl failover`: promote a member by force."""

import click

from pgctl.cli import complete, handover, options
from pgctl.cli.commands.switchover import no_wait
from pgctl.cli.context import Call
from pgctl.cli.handover import Wish
from pgctl.errors import ExitCode


@click.command("failover")
@options.cluster
@click.option("--candidate", metavar="NAME", help="Who is to lead.", shell_complete=complete.members)
@no_wait
@options.force
@options.form()
@options.group
@options.pass_call
def failover(call: Call, cluster: str | None, candidate: str | None, no_wait: bool, force: bool) -> ExitCode:
    """Promote a member by force.

    For a cluster without leader, or where a member must lead that a switchover would refuse: it may miss transactions.
    A leader that is alive is stopped in order first.
    """
    found = call.read(call.scope(cluster))
    return handover.run(call, found, Wish(True, None, candidate, None, force, not no_wait))
