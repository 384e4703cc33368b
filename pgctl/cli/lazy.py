"""The table of commands, and a group that imports a command when it is called. Imports none at start."""

import difflib
from importlib import import_module
from types import ModuleType

import click

from pgctl.errors import UsageError

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("list:list_", "Show the members of a cluster."),
    "topology": ("topology:topology", "Show who replicates from whom."),
    "switchover": ("switchover:switchover", "Hand the leader's role to another member, without loss."),
    "failover": ("failover:failover", "Promote a member by force."),
    "restart": ("restart:restart", "Restart members, the leader last."),
    "reload": ("reload:reload", "Have members read their configuration file again."),
    "reinit": ("reinit:reinit", "Throw a member's data away and clone it anew."),
    "pause": ("pause:pause", "Stop acting by itself: maintenance mode."),
    "resume": ("pause:resume", "End maintenance mode."),
    "demote-cluster": ("standby_cluster:demote_cluster", "Have a whole cluster follow a primary elsewhere."),
    "promote-cluster": ("standby_cluster:promote_cluster", "Make a standby cluster take writes."),
    "history": ("history:history", "Show past leaders by timeline."),
    "show-config": ("show_config:show_config", "Print the cluster-wide settings."),
    "edit-config": ("edit_config:edit_config", "Change the cluster-wide settings."),
    "query": ("query:query", "Run SQL on a member."),
    "dsn": ("dsn:dsn", "Print how to connect to a member."),
    "explain": ("explain:explain", "Say why each member does what it does."),
    "version": ("version:version", "Show the version of this program, or of each member."),
    "flush": ("flush:flush", "Cancel what is scheduled."),
    "remove": ("remove:remove", "Remove a cluster from the store."),
    "demo": ("demo:demo", "Try it: a cluster of three on this host."),
}
"""Name → (room below `cli.commands` : the command in it, what it does in a line)."""


def room(name: str) -> ModuleType:
    """A room of the command line that only few calls need: one that speaks HTTP costs more than all of `list`."""
    return import_module(f"pgctl.cli.{name}")


class LazyGroup(click.Group):
    """A group whose commands live in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        room, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"pgctl.cli.commands.{room}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            raise UsageError(f'there is no command "{name}"',
                             hint=f"Did you mean {near[0]}?" if near else "`pgctl --help` lists them.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own words, so that help imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])
