"""`pgctl version`: of this program, and of each member."""

import click

import pgctl
from pgctl.cli import choose, lazy, options
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode
from pgctl.rest.schema import PeerStatus


@click.command("version")
@options.cluster
@click.argument("members", nargs=-1)
@options.form()
@options.group
@options.pass_call
def version(call: Call, cluster: str | None, members: tuple[str, ...]) -> ExitCode:
    """Show the version of this program, or of each member.

    With a cluster: that of each member's agent and server.
    """
    if cluster is None:
        call.show(Shown((f"pgctl version {pgctl.__version__}",),
                        Table(("Program", "Version"), (("pgctl", pgctl.__version__),)), {"pgctl": pgctl.__version__}))
        return ExitCode.DONE
    found = choose.members(call.read(call.scope(cluster)), members)
    client = lazy.room("peers").client(call)
    statuses = client.status([(member.name, member.api_url or "") for member in found], budget=call.budget(3.0))
    call.show(render(statuses))
    return ExitCode.DONE if all(status.body for status in statuses) else ExitCode.FAILED


def render(statuses: tuple[PeerStatus, ...]) -> Shown:
    """`a: Patroni 4.1.0 PostgreSQL 16.4`; ours are told apart."""
    columns = ("Member", "Agent", "PostgreSQL", "Problem")
    rows = tuple((each.name, agent(each), server(each.version), "" if each.body else each.problem) for each in statuses)
    lines = tuple(f"{name}: {problem or f'{software} PostgreSQL {number}'}" for name, software, number, problem in rows)
    return Shown(lines, Table(columns, rows), [dict(zip(columns, row, strict=True)) for row in rows])


def agent(status: PeerStatus) -> str:
    """The program beside the server."""
    own = status.body.get("pgctl")
    if isinstance(own, dict):
        return f"pgctl {own.get('version')} (Patroni {status.software})"
    return f"Patroni {status.software}" if status.software else ""


def server(number: int) -> str:
    """150004 as 15.4; `unknown` for 0."""
    if not number:
        return "unknown"
    if number < 100000:
        return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return f"{number // 10000}.{number % 10000}"
