"""Names for the shell, within half a second; nothing rather than an error."""

import click
from click.shell_completion import CompletionItem

from pgctl.cli.context import Call
from pgctl.errors import PgctlError
from pgctl.units import Seconds

BUDGET = Seconds(0.5)


def clusters(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Clusters in the store."""
    call = _call(ctx)
    return _offered(_clusters(call), incomplete) if call else []


def members(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Members of the named cluster, else of the configured one."""
    call = _call(ctx)
    named = ctx.params.get("cluster")
    return _offered(_members(call, named if isinstance(named, str) else None), incomplete) if call else []


def clusters_and_members(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What may follow: first a cluster or a member of the configured one, then members."""
    call = _call(ctx)
    if call is None:
        return []
    words = ctx.params.get("words")
    if isinstance(words, (list, tuple)) and words:
        here = _members(call, None)
        return _offered(here if words[0] in here else _members(call, str(words[0])), incomplete)
    return _offered((*_clusters(call), *_members(call, None)), incomplete)


def _call(ctx: click.Context) -> Call | None:
    call = ctx.find_object(Call)
    if call is not None:
        call.configure(ctx.find_root().params)
    return call


def _offered(names: tuple[str, ...], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _clusters(call: Call) -> tuple[str, ...]:
    try:
        return call.clusters(BUDGET)
    except PgctlError:
        return ()


def _members(call: Call, scope: str | None) -> tuple[str, ...]:
    try:
        cluster = call.store(call.scope(scope)).read(budget=BUDGET)
    except PgctlError:
        return ()
    return tuple(sorted(member.name for member in cluster.members))
