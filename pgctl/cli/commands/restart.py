"""`pgctl restart`: restart members one after another, standbys first and the leader last."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from pgctl.cli import ask, choose, options, overview, peers, target, times
from pgctl.cli.context import Call
from pgctl.cli.output import Format
from pgctl.cli.peers import GOOD, Outcome, Result
from pgctl.errors import ExitCode, UsageError
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member
from pgctl.rest import schema
from pgctl.units import parse_int, parse_seconds

_SHARED = frozenset({"max_connections", "max_locks_per_transaction", "max_prepared_transactions", "max_wal_senders",
                     "max_worker_processes"})
"""A standby must not have less of these than its primary."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Filters and conditions as given."""

    role: str
    any_one: bool
    at: datetime | None
    version: str | None
    pending: bool
    timeout: str | None
    force: bool


@click.command("restart")
@options.words
@options.role("any")
@click.option("--any", "any_one", is_flag=True, help="Only one of those chosen: a standby if there is any.")
@click.option("--scheduled", metavar="TIME", help="When: 18:00, +30min, 2030-01-31T18:00+01:00.  [default: now]")
@click.option("--pg-version", "version", metavar="X.Y", help="Only servers older than this version.")
@click.option("--pending", is_flag=True, help="Only servers that wait for a restart.")
@click.option("--timeout", metavar="SECONDS", help="How long a server may take to start.")
@options.force
@click.option("-v", "--verbose", is_flag=True, help="With --pending --force: say also what went well.")
@options.form()
@options.group
@options.pass_call
def restart(call: Call, words: tuple[str, ...], role: str, any_one: bool, scheduled: str | None, version: str | None,
            pending: bool, timeout: str | None, force: bool, verbose: bool) -> ExitCode:
    """Restart members, the leader last.

    All members, or those named, one after another: standbys first.
    A member that does not answer is passed over and named at the end. When a server does not come up again, those that
    would follow are left alone. For cron: `pgctl restart --pending --force` says nothing unless something went wrong.
    """
    _check_timeout(timeout)
    wish = Wish(role, any_one, times.parse(scheduled, times.local(call.clock.wall())), version, pending, timeout, force)
    cluster, names = target.read(call, words)
    chosen = judge(cluster, choose.members(cluster, names, role), wish)
    quiet = pending and force and not verbose and call.form is Format.PRETTY and not sys.stdout.isatty()
    if not chosen:
        if not quiet:
            call.say("No restart is pending." if pending else f"{cluster.scope} has no member of the role {role}.")
        call.show(peers.render((), told=True))
        return ExitCode.DONE if pending else ExitCode.FAILED
    if not force:
        call.say(overview.text(cluster))
        ask.confirm(question(chosen, wish))
    results = tuple(_restart(call, cluster, chosen, wish, quiet))
    call.show(peers.render(results, told=True))
    return peers.code(results)


def _check_timeout(text: str | None) -> None:
    try:
        good = text is None or parse_seconds(text) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError("--timeout must be a positive number of seconds", hint="Such as 60, 60s or 5min.")


def judge(cluster: Cluster, found: Sequence[Member], wish: Wish) -> tuple[Member, ...]:
    """Whom to restart, in the order in which to do it. Raises UsageError for a time in maintenance mode."""
    if wish.at is not None and cluster.settings.pause:
        raise UsageError("a restart cannot be scheduled in maintenance mode", hint="Resume the cluster first.")
    # for a later time the agent looks then whether a restart is pending
    wanted = [member for member in found if member.pending_restart or not wish.pending or wish.at is not None]
    ordered = order(cluster, wanted)
    return ordered[:1] if wish.any_one else ordered


def order(cluster: Cluster, found: Sequence[Member]) -> tuple[Member, ...]:
    """Standbys by name, then the leader; the leader first where a setting shrinks that no standby may have less of."""
    last = sorted(found, key=lambda member: (member.name == cluster.leader_name, member.name))
    leader = cluster.leader_member
    if leader is None or not any(_shrinks(reason.name, reason.old, reason.new) for reason in leader.pending_restart_reason):
        return tuple(last)
    return tuple(sorted(last, key=lambda member: member.name != leader.name))


def _shrinks(name: str, old: str, new: str) -> bool:
    try:
        return name in _SHARED and parse_int(new) < parse_int(old)
    except ValueError:
        return False


def question(chosen: Sequence[Member], wish: Wish) -> str:
    """What will happen, in one sentence."""
    names = ", ".join(member.name for member in chosen)
    when = f" at {times.shown(wish.at)}" if wish.at else ""
    limits = " if a restart is pending then" if wish.pending and wish.at else ""
    limits += f" if older than {wish.version}" if wish.version else ""
    return f"Restart {names}{' in this order' if len(chosen) > 1 and not wish.at else ''}{when}{limits}?"


def _restart(call: Call, cluster: Cluster, chosen: Sequence[Member], wish: Wish, quiet: bool) -> list[Result]:
    """One after another; a line each as it is done."""
    client = peers.client(call)
    settings = cluster.settings
    start = parse_seconds(wish.timeout) if wish.timeout else settings.primary_start_timeout
    patience = max(start, settings.ttl) + max(settings.primary_stop_timeout, 60.0) + 10.0
    results: list[Result] = []
    broken = ""
    for member in chosen:
        if broken:
            each = Result(member.name, Outcome.SKIPPED, f"because {broken} did not come up again")
        else:
            call.ordered.append(f"restart of {member.name}")
            if wish.force and wish.at and member.scheduled_restart:
                client.call_all([peers.request(member, "DELETE", schema.RESTART)], budget=call.budget())
            asked = peers.request(member, "POST", schema.RESTART, body(wish))
            (answer,) = client.call_all([asked], budget=call.left(call.deadline(patience), patience))
            each = answered(peers.result(answer), wish)
            broken = member.name if came_down(each) else ""
        results.append(each)
        if not quiet and not (wish.force and wish.pending and each.outcome not in GOOD):
            call.say(peers.line(each))
    return results


def body(wish: Wish) -> dict[str, object]:
    """Source: rest.md 11."""
    fields = {
        "restart_pending": True if wish.pending else None,
        "postgres_version": wish.version,
        "schedule": wish.at.isoformat() if wish.at else None,
        "timeout": wish.timeout,
    }
    return {name: value for name, value in fields.items() if value is not None}


def answered(result: Result, wish: Wish) -> Result:
    """The answer in better words. Conditions that are not met leave nothing to do: that is no failure."""
    if result.outcome is Outcome.SCHEDULED and wish.at:
        return Result(result.member, Outcome.SCHEDULED, f"restarts at {times.shown(wish.at)}", result.status)
    if result.status == 503 and "conditions are not satisfied" in result.text:
        return Result(result.member, Outcome.ALREADY, "nothing to do: the conditions are not met", result.status)
    if result.status == 409:
        return Result(result.member, Outcome.REFUSED, "another restart is scheduled; --force replaces it", result.status)
    return result


def came_down(result: Result) -> bool:
    """The server was stopped and is not up again, as far as is known."""
    failed = result.outcome is Outcome.FAILED and ("restart failed" in result.text or "still starting" in result.text)
    return failed or result.outcome is Outcome.UNKNOWN
