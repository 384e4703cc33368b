"""Orders to several members one after another or at once, and what became of them. Sends; renders are pure."""

import os
import pwd
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode
from pgctl.model.member import Member
from pgctl.rest.client import Call as Request
from pgctl.rest.client import Client, PeerAnswer


class Outcome(StrEnum):
    DONE = "done"
    ALREADY = "already so"
    SCHEDULED = "scheduled"
    REFUSED = "refused"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNKNOWN = "outcome unknown"
    SKIPPED = "not tried"


GOOD = frozenset({Outcome.DONE, Outcome.ALREADY, Outcome.SCHEDULED})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an order to one member; `text` in words, the member's own where it answered."""

    member: str
    outcome: Outcome
    text: str = ""
    status: int | None = None


def client(call: Call) -> Client:
    """Raises ConfigError when a certificate cannot be used."""
    return Client(call.configuration().ctl, clock=call.clock, asker=asker())


def asker() -> str:
    """Whose prompt this is, for the cluster's event journal: `alice@db1`."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def request(member: Member, method: str, path: str, body: dict[str, object] | None = None) -> Request:
    return Request(member.name, member.api_url or "", method, path, body)


def result(answer: PeerAnswer) -> Result:
    """An answer as a result; 2xx is done, 202 scheduled, the rest refused or failed."""
    name = answer.call.name
    if not answer.call.api_url:
        return Result(name, Outcome.UNREACHABLE, "it has published no address of its API")
    if answer.response is None:
        return Result(name, Outcome.UNKNOWN if answer.unknown else Outcome.UNREACHABLE, answer.problem)
    status, text = answer.response.status, answer.response.text.strip().split("\n", 1)[0][:300]
    if status in (401, 403):
        return Result(name, Outcome.REFUSED, f"{text or status} (check ctl.authentication in the configuration)", status)
    if status == 202:
        return Result(name, Outcome.SCHEDULED, text, status)
    if status < 300:
        return Result(name, Outcome.DONE, text, status)
    return Result(name, Outcome.FAILED if status >= 500 else Outcome.REFUSED, text or f"answered {status}", status)


def code(results: Sequence[Result]) -> ExitCode:
    """1 when any was refused or failed, else 3 when any outcome is unknown, else 0."""
    outcomes = {each.outcome for each in results}
    if outcomes - GOOD - {Outcome.UNKNOWN}:
        return ExitCode.FAILED
    return ExitCode.UNKNOWN if Outcome.UNKNOWN in outcomes else ExitCode.DONE


def line(each: Result) -> str:
    """`a: done (restarted successfully)`."""
    return f"{each.member}: {each.outcome}" + (f" ({each.text})" if each.text and each.text != each.outcome else "")


def render(results: Sequence[Result], *, told: bool = False) -> Shown:
    """A line a member, unless each was `told` already; objects for programs; a warning that names those not done."""
    columns = ("Member", "Result", "Detail")
    rows = tuple((each.member, str(each.outcome), each.text) for each in results)
    value = [
        {"member": each.member, "result": str(each.outcome), "detail": each.text}
        | ({} if each.status is None else {"status": each.status})
        for each in results
    ]
    bad = [each for each in results if each.outcome not in GOOD]
    some = len(bad) < len(results) and len(results) > 1
    warning = (f"not done everywhere: {', '.join(line(each) for each in bad)}",) if bad and (told or some) else ()
    return Shown(() if told else tuple(map(line, results)), Table(columns, rows), value, warning)
