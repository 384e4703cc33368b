"""`pgctl demote-cluster` and `pgctl promote-cluster`: a whole cluster follows a remote primary, or no longer does."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import click

from pgctl.cli import ask, options, overview, settings_order
from pgctl.cli.context import Call
from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, IntentRefused, StoreUnreachable, UsageError
from pgctl.model import settings
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member, Role, State

_STOP = 300.0
"""Seconds that a primary may take to stop in order."""
_SLICE = 5.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What is wanted: the section of a standby cluster, or None for a cluster of its own."""

    section: Mapping[str, object] | None

    @property
    def deed(self) -> str:
        return "promotion" if self.section is None else "demotion"

    @property
    def role(self) -> Role:
        return Role.PRIMARY if self.section is None else Role.STANDBY_LEADER

    @property
    def word(self) -> str:
        return "primary" if self.section is None else "standby leader"


@click.command("demote-cluster")
@options.cluster
@click.option("--host", metavar="HOST", help="Where the remote primary is; of several the one that takes writes.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.  [default: 5432]")
@click.option("--primary-slot-name", metavar="SLOT", help="A physical slot that exists there.")
@click.option("--restore-command", metavar="COMMAND", help="How to fetch WAL from the archive.")
@options.force
@options.form()
@options.group
@options.pass_call
def demote_cluster(call: Call, cluster: str | None, host: str | None, port: int | None, primary_slot_name: str | None,
                   restore_command: str | None, force: bool) -> ExitCode:
    """Have a whole cluster follow a primary elsewhere.

    Its primary is stopped in order and comes back as the standby leader; nobody takes writes until `promote-cluster`.
    """
    given = {"host": host, "port": port, "primary_slot_name": primary_slot_name, "restore_command": restore_command}
    section = {key: value for key, value in given.items() if value is not None}
    if not (host or port or restore_command):
        raise UsageError("whom is it to follow?", hint="Give --host, --port or --restore-command.")
    return run(call, cluster, Turn(section), force)


@click.command("promote-cluster")
@options.cluster
@options.force
@options.form()
@options.group
@options.pass_call
def promote_cluster(call: Call, cluster: str | None, force: bool) -> ExitCode:
    """Make a standby cluster take writes.

    Its leader is promoted on the lease that it holds. The primary that it followed is not stopped by this.
    """
    return run(call, cluster, Turn(None), force)


def run(call: Call, name: str | None, turn: Turn, force: bool) -> ExitCode:
    cluster = call.read(call.scope(name))
    if already(cluster, turn):
        call.show(render(cluster, turn, "already so", ""))
        return ExitCode.DONE
    judge(cluster, turn)
    if not force:
        call.say(overview.text(cluster))
        for line in plan(cluster, turn):
            call.say(line)
        ask.confirm(f"{turn.deed.capitalize()} of {cluster.scope}?")
    begun = call.clock.now()
    how = settings_order.change(call, cluster, {"standby_cluster": turn.section}, f"{turn.deed} of {cluster.scope}")
    now, missing = _follow(call, cluster, turn)
    seconds = f"{call.clock.now() - begun:.1f} s"
    if missing:
        detail = f"after {seconds} still missing: {', '.join(missing)}; `pgctl explain` says why, and it may still happen"
        call.show(render(now, turn, "unknown", detail))
        return ExitCode.UNKNOWN
    told = f"{now.leader_name} is {turn.word} after {seconds}"
    call.show(render(now, turn, "done", f"{told}, {how}" if how else told))
    return ExitCode.DONE


def already(cluster: Cluster, turn: Turn) -> bool:
    """Whether the settings say so already: for a demotion, with this very section."""
    wanted = settings.read({"standby_cluster": turn.section})[0].standby_cluster
    return cluster.settings.standby_cluster == wanted


def judge(cluster: Cluster, turn: Turn) -> None:
    """Raises IntentRefused."""
    before = cluster.settings.standby_cluster
    no = f"no {turn.deed} of {cluster.scope}"
    if turn.section is not None and before is not None:
        now = ", ".join(f"{key} {value}" for key, value in asdict(before).items() if value)
        raise IntentRefused(no, detail=f"it is a standby cluster already, with {now}",
                            hint="Change its standby_cluster with `pgctl edit-config`.")
    if cluster.leader is None:
        raise IntentRefused(no, detail="it has no leader", hint="`pgctl explain` says why.")
    if cluster.settings.pause:
        raise IntentRefused(no, detail="it is paused: nobody would act", hint="`pgctl resume` first.")


def plan(cluster: Cluster, turn: Turn) -> tuple[str, ...]:
    """What will happen."""
    leader = cluster.leader_name
    if turn.section is None:
        remote = cluster.settings.standby_cluster
        where = f" ({remote.host}:{remote.port or 5432})" if remote is not None and remote.host else ""
        found = [f"{leader} will be promoted. The primary that it follows{where} is not stopped: see to it that it takes no "
                 "more writes."]
        member = cluster.leader_member
        if member is not None and member.replication_state != "streaming":
            found.append(f"{leader} does not stream now: what was written there since is missing here.")
        return tuple(found)
    where = ", ".join(f"{key} {value}" for key, value in turn.section.items())
    return (f"{leader} will be stopped and come back as the standby leader, with {where}. Nobody takes writes then.",
            "What this cluster has and that one has not is given up: it is rewound where it must be.")


def _follow(call: Call, cluster: Cluster, turn: Turn) -> tuple[Cluster, tuple[str, ...]]:
    """The last reading, and what is not there yet; a line for each phase that is new."""
    begun, told = call.clock.now(), set[str]()
    deadline = call.deadline(2 * cluster.settings.ttl + 30 + (_STOP if turn.section is not None else 0))
    expected = frozenset(member.name for member in cluster.members if streams(member) and member.name != cluster.leader_name)
    while True:
        try:
            cluster = call.read(cluster.scope)
        except StoreUnreachable as error:
            call.say(f"the store does not answer ({error}); waiting")
        for line in phases(cluster, turn):
            if line not in told:
                told.add(line)
                call.say(f"{call.clock.now() - begun:6.1f}s  {line}")
        left = missing(cluster, turn, expected)
        if not left or call.clock.now() >= deadline:
            return cluster, left
        call.changed(cluster, call.left(deadline, _SLICE))


def phases(cluster: Cluster, turn: Turn) -> tuple[str, ...]:
    """Sentences that hold now. A sentence is told once."""
    leader = cluster.leader_member
    if leader is None:
        return ("nobody holds the lease",)
    if turned(leader, turn):
        return (f"{leader.name} is {turn.word} on timeline {leader.timeline or 'unknown'}",
                *(f"{member.name} follows {leader.name}" for member in cluster.members
                  if member.name != leader.name and streams(member) and member.timeline == leader.timeline))
    return (f"{leader.name} is {leader.state}",) if leader.state != State.RUNNING else ()


def missing(cluster: Cluster, turn: Turn, expected: frozenset[str]) -> tuple[str, ...]:
    """What is not there yet, in words; nothing when all is done. `expected` streamed before."""
    leader = cluster.leader_member
    if leader is None or not turned(leader, turn):
        return (f"a {turn.word}",)
    members: dict[str, Member] = {member.name: member for member in cluster.members}
    late = [name for name in sorted(expected - {leader.name})
            if name not in members or not streams(members[name]) or members[name].timeline != leader.timeline]
    return tuple(f"{name} following {leader.name}" for name in late)


def turned(leader: Member, turn: Turn) -> bool:
    return leader.role == turn.role and leader.state == State.RUNNING


def streams(member: Member) -> bool:
    return member.state == State.RUNNING and member.replication_state == "streaming"


def render(cluster: Cluster, turn: Turn, result: str, detail: str) -> Shown:
    line = f"{turn.deed} of {cluster.scope}: {result}" + (f", {detail}" if detail else "")
    found = (("cluster", cluster.scope), ("action", turn.deed), ("result", result), ("leader", cluster.leader_name))
    shown = {key: cell for key, cell in (*found, ("detail", detail)) if cell}
    table = Table(tuple(shown), (tuple(map(str, shown.values())),))
    return Shown((), table, shown, (line,)) if result == "unknown" else Shown((line,), table, shown)
