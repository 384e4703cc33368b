"""`pgctl flush`: cancel what is scheduled."""

import click

from pgctl.cli import ask, choose, options, peers, target
from pgctl.cli.context import Call
from pgctl.cli.peers import Outcome, Result
from pgctl.dcs.store import Rejected
from pgctl.errors import ExitCode
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member
from pgctl.rest import schema


@click.command("flush")
@options.words
@click.argument("what", type=click.Choice(["restart", "switchover"]))
@options.role("any")
@options.force
@options.form()
@options.group
@options.pass_call
def flush(call: Call, words: tuple[str, ...], what: str, role: str, force: bool) -> ExitCode:
    """Cancel what is scheduled.

    The restarts of all members or of those named, or the cluster's switchover.
    """
    cluster, names = target.read(call, words)
    if what == "switchover":
        results: tuple[Result, ...] = (_switchover(call, cluster),)
    else:
        results = _restarts(call, choose.members(cluster, names, role), force)
    call.show(peers.render(results))
    return peers.code(results)


def _restarts(call: Call, found: tuple[Member, ...], force: bool) -> tuple[Result, ...]:
    idle = tuple(Result(each.name, Outcome.ALREADY, "no restart is scheduled")
                 for each in found if each.scheduled_restart is None)
    busy = [each for each in found if each.scheduled_restart is not None]
    if not busy:
        return idle
    if not force:
        ask.confirm(f"Cancel the scheduled restart of {', '.join(each.name for each in busy)}?")
    call.ordered.append("cancelling of scheduled restarts")
    requests = [peers.request(each, "DELETE", schema.RESTART) for each in busy]
    answers = peers.client(call).call_all(requests, budget=call.budget())
    return (*idle, *(_gone(peers.result(answer)) for answer in answers))


def _gone(result: Result) -> Result:
    """404: there is none any more."""
    return Result(result.member, Outcome.ALREADY, result.text, 404) if result.status == 404 else result


def _switchover(call: Call, cluster: Cluster) -> Result:
    """Through the leader's agent, then the others'; where none answers, in the store itself."""
    if cluster.intent is None or not (cluster.intent.scheduled_at or cluster.intent.schedule_fault):
        return Result(cluster.scope, Outcome.ALREADY, "no switchover is scheduled")
    client = peers.client(call)
    call.ordered.append(f"cancelling of the switchover of {cluster.scope}")
    asked = sorted(cluster.members, key=lambda member: member.name != cluster.leader_name)
    for member in asked:
        (answer,) = client.call_all([peers.request(member, "DELETE", schema.SWITCHOVER)], budget=call.budget(5.0))
        result = _gone(peers.result(answer))
        if result.outcome not in (Outcome.UNREACHABLE, Outcome.UNKNOWN):
            return Result(cluster.scope, result.outcome, result.text, result.status)
    written = call.store(cluster.scope).write_intent(None, expect=cluster.revision("failover"), budget=call.budget())
    if isinstance(written, Rejected):
        return Result(cluster.scope, Outcome.REFUSED, "the switchover changed meanwhile")
    return Result(cluster.scope, Outcome.DONE, "no agent answered: cancelled in the store itself")
