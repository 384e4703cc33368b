"""`pgctl explain`: why each member does what it does."""

from collections.abc import Mapping, Sequence

import click

from pgctl.cli import away, choose, options, output, peers, target
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, StoreUnreachable
from pgctl.model import document
from pgctl.rest import schema
from pgctl.rest.client import Call as Request
from pgctl.rest.client import PeerAnswer
from pgctl.units import show_seconds

_COLUMNS = ("Member", "Role", "Rule", "Sentence", "Reason", "Since", "Facts")


@click.command("explain")
@options.words
@click.option("-v", "--verbose", is_flag=True, help="Name also the rules that were passed over, and what kept each.")
@options.form()
@options.pass_call
def explain(call: Call, words: tuple[str, ...], verbose: bool) -> ExitCode:
    """Say why each member does what it does.

    The rule that it followed last, and the facts that made it hold. Agents answer from memory: while the store is away
    this works too where the configuration is an agent's own, and ends with 4.
    """
    found, unreachable = gather(call, words)
    requests = [Request(name, api_url, "GET", schema.EXPLAIN) for name, api_url in found]
    told = [judge(answer) for answer in peers.client(call).call_all(requests, budget=call.budget(3.0))]
    call.show(render(told, verbose))
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
        found = away.addresses(away.ask(call) or {})
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


def render(told: Sequence[Mapping[str, object]], verbose: bool) -> Shown:
    rows = tuple(_row(each) for each in told)
    more = tuple(line for each in told for line in (*_job(each), *(_passed(each) if verbose else ())))
    shown = len(_COLUMNS) if any(row[-1] for row in rows) else -1
    pretty = Table(_COLUMNS[:shown], tuple(row[:shown] for row in rows))
    return Shown((pretty, *more), Table(_COLUMNS, rows), list(told))


def _row(each: Mapping[str, object]) -> tuple[str, ...]:
    since = each.get("since_s")
    listed = each.get("facts")
    facts = ", ".join(map(str, listed)) if isinstance(listed, list) else ""
    return (str(each["name"]), _text(each, "role"), _text(each, "rule"), _text(each, "sentence") or _text(each, "problem"),
            _text(each, "reason"), show_seconds(since) if isinstance(since, (int, float)) else "", facts)


def _text(each: Mapping[str, object], key: str) -> str:
    return str(each.get(key) or "")


def _job(each: Mapping[str, object]) -> tuple[str, ...]:
    """What a member is at, and what it failed at last."""
    lines = []
    job = document.mapping(each.get("job"))
    if job and not job.get("ended"):
        spent = job.get("for_s")
        time = f" for {show_seconds(spent)}" if isinstance(spent, (int, float)) else ""
        lines.append(f"{each['name']}: {job.get('name')}{time}: {job.get('progress') or 'under way'}")
    if each.get("last_failure"):
        lines.append(f"{each['name']}: last failure: {each['last_failure']}")
    if each.get("cut"):
        lines.append(f"{each['name']}: the store cannot be read: {each['cut']}")
    return tuple(lines)


def _passed(each: Mapping[str, object]) -> tuple[str, ...]:
    passed = each.get("passed_over")
    found = [document.mapping(item) or {} for item in passed] if isinstance(passed, list) else []
    return tuple(f"{each['name']}: not {item.get('rule')}: {item.get('failed')} does not hold" for item in found)
