"""`pgctl reload`: have members read their configuration file again."""

import click

from pgctl.cli import ask, choose, options, overview, peers, target
from pgctl.cli.context import Call
from pgctl.cli.peers import Outcome, Result
from pgctl.errors import ExitCode
from pgctl.rest import schema


@click.command("reload")
@options.words
@options.role("any")
@options.force
@options.form()
@options.group
@options.pass_call
def reload(call: Call, words: tuple[str, ...], role: str, force: bool) -> ExitCode:
    """Have members read their configuration file again.

    All members, or those named, at once.
    """
    cluster, names = target.read(call, words)
    chosen = choose.members(cluster, names, role)
    if not force:
        call.say(overview.text(cluster))
        ask.confirm(f"Reload {', '.join(member.name for member in chosen)}?")
    client = peers.client(call)
    requests = [peers.request(member, "POST", schema.RELOAD) for member in chosen]
    call.ordered.append(f"reload of {', '.join(member.name for member in chosen)}")
    results = tuple(judge(peers.result(answer)) for answer in client.call_all(requests, budget=call.budget()))
    call.show(peers.render(results))
    return peers.code(results)


def judge(result: Result) -> Result:
    """202 is the good answer; a member that has nothing to apply may say 200."""
    if result.outcome is Outcome.SCHEDULED:
        return Result(result.member, Outcome.DONE, "reads its file again now", result.status)
    return result
