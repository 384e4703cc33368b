"""`pgctl reinit`: throw a member's data away and clone it anew."""

from collections.abc import Mapping, Sequence

import click

from pgctl.cli import ask, choose, options, overview, peers, rebuild, target
from pgctl.cli.context import Call
from pgctl.cli.peers import Outcome, Result
from pgctl.cli.rebuild import Look, Progress
from pgctl.errors import ExitCode, PgctlError, StoreUnreachable, UsageError
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member
from pgctl.rest import schema
from pgctl.rest.client import Client
from pgctl.rest.schema import PeerStatus
from pgctl.units import Instant, Seconds

_SILENCE = 60.0
"""Seconds without an answer, or without beginning, after which waiting is given up."""
_EVERY = 1.0
_PATIENCE = 7 * 86400.0


@click.command("reinit")
@options.words
@options.force
@click.option("--from-leader", is_flag=True, help="Clone from the leader, even if another member is tagged for it.")
@options.wait
@options.form()
@options.group
@options.pass_call
def reinit(call: Call, words: tuple[str, ...], force: bool, from_leader: bool, wait: bool) -> ExitCode:
    """Throw a member's data away and clone it anew.

    With --force nothing is asked, and what the member is doing now is cancelled.
    """
    cluster, names = target.read(call, words)
    chosen = judge(cluster, names)
    if not force:
        call.say(overview.text(cluster))
        listed = ", ".join(member.name for member in chosen)
        ask.confirm(f"All data of {listed} will be lost, and copied anew. Reinitialize {listed}?")
    client = peers.client(call)
    before = {status.name: status for status in _ask(call, client, chosen)}
    results = _order(call, client, chosen, {"force": force, "from_leader": from_leader})
    if wait:
        begun = [member for member, result in zip(chosen, results, strict=True) if result.outcome in peers.GOOD]
        ended = _Waiting(call, client, cluster.scope, before).run(begun)
        results = tuple(ended.get(result.member, result) for result in results)
    call.show(peers.render(results))
    return peers.code(results)


def judge(cluster: Cluster, names: Sequence[str]) -> tuple[Member, ...]:
    """Whom: never all by default, never the leader. Raises PgctlError, UnknownMember."""
    standbys = [member.name for member in choose.members(cluster, role="replica")]
    if not names:
        raise UsageError("which member?", hint=f"Standbys of {cluster.scope}: {', '.join(standbys) or 'none'}.")
    chosen = choose.members(cluster, names)
    if any(member.name == cluster.leader_name for member in chosen):
        raise PgctlError(f"{cluster.leader_name} is the leader: its data cannot be thrown away",
                         hint="Switch over first.")
    return chosen


def _ask(call: Call, client: Client, found: Sequence[Member]) -> tuple[PeerStatus, ...]:
    return client.status([(member.name, member.api_url or "") for member in found], budget=call.budget(3.0))


def _order(call: Call, client: Client, chosen: Sequence[Member], body: dict[str, object]) -> tuple[Result, ...]:
    call.ordered.append(f"reinitialization of {', '.join(member.name for member in chosen)}")
    requests = [peers.request(member, "POST", schema.REINITIALIZE, body) for member in chosen]
    results = [peers.result(answer) for answer in client.call_all(requests, budget=call.budget(35.0))]
    return tuple(_answered(result) for result in results)


def _answered(result: Result) -> Result:
    if result.outcome is Outcome.FAILED and result.text.endswith("already in progress"):
        return Result(result.member, Outcome.REFUSED, f"{result.text}; --force cancels it", result.status)
    return result


class _Waiting:
    """Waits for copies to be complete, and tells of each what it is doing."""

    def __init__(self, call: Call, client: Client, scope: str, before: Mapping[str, PeerStatus]) -> None:
        self._call = call
        self._client = client
        self._scope = scope
        self._before = before
        self._told: dict[str, str] = {}
        self._moved: dict[str, Instant] = {}

    def run(self, members: Sequence[Member]) -> dict[str, Result]:
        """Member → how it ended. Ends when all have, or with the deadline."""
        deadline = self._call.deadline(_PATIENCE)
        waiting = {str(member.name): member for member in members}
        ended: dict[str, Result] = {}
        while waiting:
            for name, look in self._looks(list(waiting.values())).items():
                self._tell(name, look)
                result = self._ended(name, look)
                if result is not None:
                    ended[name] = result
                    del waiting[name]
            if self._call.clock.now() >= deadline:
                return ended | {name: Result(name, Outcome.UNKNOWN, self._told[name]) for name in waiting}
            if waiting:
                self._until_changed(Seconds(self._call.left(deadline, _EVERY)))
        return ended

    def _until_changed(self, longest: Seconds) -> None:
        """A change in the store may be the member's; without the store its agent is asked all the same."""
        try:
            self._call.changed(self._call.read(self._scope), longest)
        except StoreUnreachable:
            self._call.clock.sleep(longest)

    def _looks(self, members: Sequence[Member]) -> dict[str, Look]:
        statuses = _ask(self._call, self._client, members)
        asked = [peers.request(member, "GET", schema.EXPLAIN) for member in members]
        answers = self._client.call_all(asked, budget=Seconds(2.0))
        told = [(answer.response.document or {}) if answer.response else {} for answer in answers]
        return {status.name: rebuild.judge(self._before[status.name], status, explained)
                for status, explained in zip(statuses, told, strict=True)}

    def _tell(self, name: str, look: Look) -> None:
        if self._told.get(name) != look.words:
            self._told[name] = look.words
            self._call.say(f"{name}: {look.words}")

    def _ended(self, name: str, look: Look) -> Result | None:
        now = self._call.clock.now()
        if look.progress is Progress.BUSY:
            self._moved[name] = now
        if look.progress is Progress.DONE:
            return Result(name, Outcome.DONE, look.words)
        if look.progress is Progress.FAILED:
            return Result(name, Outcome.FAILED, look.words)
        if now - self._moved.setdefault(name, now) > _SILENCE:
            return Result(name, Outcome.UNKNOWN, look.words)
        return None
