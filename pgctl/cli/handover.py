"""Switchover and failover: look before, judge, say what will happen, ask; `carry_out` does the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pgctl.cli import ask, carry_out, choose, overview, peers, times
from pgctl.cli.carry_out import Ending
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, IntentRefused, PgctlError
from pgctl.model import lsn as lsns
from pgctl.model import objections
from pgctl.model.cluster import Cluster
from pgctl.model.intent import Intent
from pgctl.rest.client import Client
from pgctl.rest.schema import PeerStatus
from pgctl.units import show_bytes

_LOOK = 2.5
"""Seconds for members to say where they stand; a race gives them less."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. `failover` False: a switchover, from `leader` or whoever leads."""

    failover: bool
    leader: str | None = None
    candidate: str | None = None
    at: datetime | None = None
    force: bool = False
    wait: bool = True

    @property
    def deed(self) -> str:
        return "failover" if self.failover else "switchover"


def run(call: Call, cluster: Cluster, wish: Wish) -> ExitCode:
    """The whole of it."""
    client = peers.client(call)
    asked = gather(call, client, cluster)
    intent = Intent(None if wish.failover else wish.leader or cluster.leader_name, wish.candidate, wish.at)
    judge(cluster, intent, asked, wish, times.local(call.clock.wall()))
    for line in warnings(cluster, intent):
        call.warn(line)
    if not wish.force:
        call.say(overview.text(cluster))
        for line in plan(cluster, intent, asked):
            call.say(line)
        ask.confirm(f"{wish.deed.capitalize()} {cluster.scope}{f' at {times.shown(wish.at)}' if wish.at else ''}?")
    ordered = f"{wish.deed} of {cluster.scope}{f' at {times.shown(wish.at)}' if wish.at else ''}"
    call.ordered.append(ordered)
    awake = frozenset(name for name, status in asked.items() if status.body)
    ending = carry_out.run(call, client, cluster, intent, awake, failover=wish.failover, wait=wish.wait)
    call.show(render(cluster.scope, wish, intent, ending))
    return ending.code


def gather(call: Call, client: Client, cluster: Cluster) -> Mapping[str, PeerStatus]:
    """What each member says of itself, at once; the silent are shown as such."""
    named = [(member.name, member.api_url or "") for member in cluster.members if member.api_url]
    return {status.name: status for status in client.status(named, budget=call.left(call.deadline(_LOOK), _LOOK))}


def judge(cluster: Cluster, intent: Intent, asked: Mapping[str, PeerStatus], wish: Wish, now: datetime) -> None:
    """Raises IntentRefused with every objection. Where no agent answers only what the store says counts."""
    answered = any(status.body for status in asked.values())
    if not answered:
        _check_certificates(asked)
    found = objections.objections(cluster, intent, now=now, asked=asked if answered else None, failover=wish.failover)
    if found:
        known = [member.name for member in cluster.members]
        mistyped = [name for name in (intent.leader, intent.candidate) if name and name not in known]
        hints = [*(choose.nearest(name, known) for name in mistyped), *(each.hint for each in found)]
        goal = f"{wish.deed} to {intent.candidate}" if intent.candidate else wish.deed
        raise IntentRefused(f"no {goal}", detail="; ".join(each.text for each in found),
                            hint=" ".join(dict.fromkeys(filter(None, hints))))


def _check_certificates(asked: Mapping[str, PeerStatus]) -> None:
    """A wrong authority must not turn into an order past all agents. Raises PgctlError."""
    wrong = [status for status in asked.values() if "certificate" in status.problem.lower()]
    if wrong:
        raise PgctlError("the members' certificates cannot be verified", detail=wrong[0].problem,
                         hint="Set ctl.cacert in the configuration, or use -k.")


def warnings(cluster: Cluster, intent: Intent) -> tuple[str, ...]:
    """What may be lost or replaced."""
    found = []
    before = cluster.intent
    if before is not None and (before.scheduled_at or before.schedule_fault):
        found.append("this replaces the switchover that is scheduled"
                     + (f" at {before.scheduled_at.isoformat()}" if before.scheduled_at else ""))
    elif before is not None:
        found.append(f"this replaces a {'switchover' if before.switchover else 'failover'} that is under way")
    name = intent.candidate
    if name and cluster.settings.synchronous and cluster.sync.active and not cluster.sync.lists(name):
        found.append(f"{name} is not synchronous: transactions that were acknowledged may be lost")
    return tuple(found)


def plan(cluster: Cluster, intent: Intent, asked: Mapping[str, PeerStatus]) -> tuple[str, ...]:
    """What will happen, and where each possible successor stands."""
    leader = cluster.leader_name
    first = f"{leader} will be stopped and become a standby; " if leader else "The cluster has no leader; "
    names = [intent.candidate] if intent.candidate else [
        member.name for member in cluster.members if member.name != leader and not member.tags.nofailover]
    who = names[0] if len(names) == 1 else f"the most advanced of {', '.join(names)}"
    return (f"{first}{who} will be promoted.", *(_state(cluster, name, asked.get(name)) for name in names))


def _state(cluster: Cluster, name: str, status: PeerStatus | None) -> str:
    if status is None or not status.reachable:
        return f"  {name}: does not answer" + (f" ({status.problem})" if status and status.problem else "")
    behind = lsns.lag(cluster.status.optime, status.lsn)
    synchronous = ", synchronous" if cluster.sync.active and cluster.sync.is_standby(name) else ""
    return f"  {name}: {status.state}, {show_bytes(behind)} behind, timeline {status.timeline or 'unknown'}{synchronous}"


def render(scope: str, wish: Wish, intent: Intent, ending: Ending) -> Shown:
    """One line for people; for programs the same in parts."""
    value = {
        "cluster": scope, "action": wish.deed, "result": ending.result, "from": intent.leader, "to": ending.leader,
        "candidate": intent.candidate, "seconds": None if ending.seconds is None else round(ending.seconds, 1),
        "scheduled_at": times.shown(wish.at) if wish.at else None, "detail": ending.detail,
    }
    value = {name: cell for name, cell in value.items() if cell is not None}
    line = f"{wish.deed} of {scope}: {ending.result}" + (f", {ending.detail}" if ending.detail else "")
    table = Table(tuple(value), (tuple(map(str, value.values())),))
    if ending.code is ExitCode.DONE:
        return Shown((line,), table, value)
    return Shown((), table, value, (line,))
