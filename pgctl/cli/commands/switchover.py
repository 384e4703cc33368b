"""`pgctl switchover`: hand the leader's role to another member, without loss."""

import click

from pgctl.cli import complete, handover, options, times
from pgctl.cli.context import Call
from pgctl.cli.handover import Wish
from pgctl.errors import ExitCode

no_wait = click.option("--no-wait", is_flag=True, help="Return once it is ordered.")


@click.command("switchover")
@options.cluster
@click.option("--leader", "--primary", "leader", metavar="NAME", help="Who must be leading now.",
              shell_complete=complete.members)
@click.option("--candidate", metavar="NAME", help="Who is to lead; the most advanced standby unless told.",
              shell_complete=complete.members)
@click.option("--scheduled", metavar="TIME", help="When: 18:00, +30min, 2030-01-31T18:00+01:00.  [default: now]")
@no_wait
@options.force
@options.form()
@options.group
@options.pass_call
def switchover(call: Call, cluster: str | None, leader: str | None, candidate: str | None, scheduled: str | None,
               no_wait: bool, force: bool) -> ExitCode:
    """Hand the leader's role to another member, without loss.

    The leader stops first and the candidate receives all of its WAL. Followed until everyone streams again. It counts as
    failed when another member than the candidate was promoted.
    """
    at = times.parse(scheduled, times.local(call.clock.wall()))
    found = call.read(call.scope(cluster))
    return handover.run(call, found, Wish(False, leader, candidate, at, force, not no_wait))
