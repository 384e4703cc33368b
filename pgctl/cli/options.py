"""Options and arguments that commands share. They have no defaults of their own beyond "not given"."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pgctl.cli import choose, complete
from pgctl.cli.context import Call
from pgctl.cli.output import Format
from pgctl.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

pass_call = click.make_pass_decorator(Call)


def _set_format(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Known before the command runs, so that errors and progress keep out of a program's stdout."""
    call = ctx.find_object(Call)
    if call is not None and value is not None:
        call.form = Format.YAML if value == "yml" else Format(value)
    return value


def form(default: str = "pretty", name: str = "-f") -> Callable[[F], F]:
    """`-f`, `--format`."""
    names = ("--format",) if not name else (name, "--format")
    return click.option(*names, "form", type=click.Choice(["pretty", "tsv", "json", "yaml", "yml"]), default=default,
                        callback=_set_format, expose_value=False, show_default=True, help="How to show the result.")


def _no_groups(_ctx: click.Context, _: click.Parameter, value: int | None) -> None:
    if value is not None:
        raise UsageError("Citus groups are not supported", hint="Leave out --group.")


group = click.option("--group", type=int, callback=_no_groups, expose_value=False, hidden=True)
cluster = click.argument("cluster", required=False, metavar="[CLUSTER]", shell_complete=complete.clusters)
clusters = click.argument("clusters", nargs=-1, metavar="[CLUSTER]...", shell_complete=complete.clusters)
words = click.argument("words", nargs=-1, metavar="[CLUSTER] [MEMBER]...", shell_complete=complete.clusters_and_members)
force = click.option("--force", is_flag=True, help="Do it without being asked.")
wait = click.option("--wait", is_flag=True, help="Wait until it is done.")


def role(default: str | None) -> Callable[[F], F]:
    return click.option("-r", "--role", type=click.Choice(choose.ROLES), default=default, show_default=default is not None,
                        help="Only members of this role.")


def watching(command: F) -> F:
    """`-W`, `-w SECONDS`: show it again whenever something changes."""
    often = click.option("-w", "--watch", "seconds", type=click.FloatRange(min=0.1), metavar="SECONDS",
                         help="Show it again on every change, at the latest after so many seconds.")
    return often(click.option("-W", "often", is_flag=True, help="The same as -w 2.")(command))
