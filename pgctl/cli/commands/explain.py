"""`pgctl explain`: why each member does what it does."""

from collections.abc import Mapping, Sequence

import click

from pgctl.cli import away, choose, explanation, options, output, peers, target
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, StoreUnreachable
from pgctl.rest import schema
from pgctl.rest.client import Call as Request
from pgctl.rest.client import PeerAnswer

_COLUMNS = ("Member", "Role", "Rule", "Sentence", "Reason", "Since", "Facts")
_SHORT = ("Member", "Role", "Rule", "Why", "Since")


@click.command("explain")
@options.words
@click.option("-v", "--verbose", is_flag=True, help="Each member in full, as when it is named.")
@options.form()
@options.pass_call
def explain(call: Call, words: tuple[str, ...], verbose: bool) -> ExitCode:
    """Say why each member does what it does.

    Above, if nobody leads: what holds each member back. A member that is named is shown in full: its rule, since when,
    what it waits for, and why each rule that was tried before did not hold. Agents answer from memory: while the store
    is away this works too where the configuration is an agent's own, and ends with 4.
    """
    found, unreachable = gather(call, words)
    requests = [Request(name, api_url, "GET", schema.EXPLAIN) for name, api_url in found]
    told = [judge(answer) for answer in peers.client(call).call_all(requests, budget=call.budget(3.0))]
    named = {str(each["name"]) for each in told} & set(words)
    call.show(render(told, verbose or bool(named)))
    if unreachable is not None:
        output.error(unreachable.message, detail=unreachable.detail, hint=unreachable.hint)
        return unreachable.exit_code
    return ExitCode.DONE if all("rule" in each for each in told) else ExitCode.FAILED


def gather(call: Call, words: Sequence[str]) -> tuple[list[tuple[str, str]], StoreUnreachable | None]:
    """(name, API URL) of whom to ask; from an agent's memory when the store does not answer, with that error."""
    try:
        cluster, names = target.read(call, words)
        return [(member.name, member.api_url or "") for member in choose.members(cluster, names)], None
    except StoreUnreachable as error:
        found = away.addresses(away.ask(call, call.scope(None)) or {})
        if not found:
            raise
        return [(name, url) for name, url in found.items() if name in words or not set(words) & found.keys()], error


def judge(answer: PeerAnswer) -> Mapping[str, object]:
    """The member's explanation; without a rule where it gave none, and then with a `problem`."""
    name = answer.call.name
    if answer.response is None:
        return {"name": name, "problem": answer.problem or "it has published no address of its API"}
    found = answer.response.document or {}
    if "sentence" in found:
        return {"name": name, **found}
    if "patroni" in found:
        return {"name": name, "role": found.get("role"), "state": found.get("state"),
                "problem": "it runs Patroni, which does not explain itself"}
    return {"name": name, "problem": f"answered {answer.response.status}"}


def render(told: Sequence[Mapping[str, object]], in_full: bool) -> Shown:
    """A line a member under the verdict; in full, each member's whole account."""
    rows = tuple(_row(each) for each in told)
    lines: tuple[Table | str, ...] = explanation.verdict(told)
    if in_full:
        lines += tuple(line for each in told for line in explanation.full(each))
    else:
        cells = tuple((*row[:3], explanation.why(each), row[5]) for row, each in zip(rows, told, strict=True))
        lines += (Table(_SHORT, cells), *(line for each in told for line in explanation.notes(each)))
    return Shown(lines, Table(_COLUMNS, rows), list(told))


def _row(each: Mapping[str, object]) -> tuple[str, ...]:
    listed, text = each.get("facts"), explanation.text
    facts = ", ".join(map(str, listed)) if isinstance(listed, list) else ""
    return (str(each["name"]), text(each, "role"), text(each, "rule"), text(each, "sentence") or text(each, "problem"),
            text(each, "reason"), explanation.seconds(each, "since_s"), facts)
