"""Orders a switchover or failover, and follows it through the store to its end.

The order goes to an agent that answered just now: the leader's, else the candidate's, else any. Where none did, the
intent is written to the store itself, and that is said. An order whose answer stays out is not given twice.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from pgctl.cli import follow, peers, times
from pgctl.cli.context import Call
from pgctl.cli.follow import Handover, Standing
from pgctl.cli.peers import GOOD, Outcome, Result
from pgctl.dcs.store import Rejected
from pgctl.errors import ExitCode, PgctlError, StoreUnreachable
from pgctl.model.cluster import Cluster
from pgctl.model.intent import Intent
from pgctl.rest import schema
from pgctl.rest.client import Call as Request
from pgctl.rest.client import Client, Pending
from pgctl.units import Instant, Seconds

_AT_ONCE = 0.1
"""Seconds in which a connection that is refused, and most other refusals, are known."""
_SLICE = 0.5
"""While an agent's answer is awaited the store is watched for so long at a time."""
_REJOIN = 60.0
"""Seconds for the standbys to stream again."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended; `detail` in words, `seconds` from the order to the new primary."""

    code: ExitCode
    result: str
    detail: str = ""
    leader: str | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Ordered:
    """An order that was given: to an agent whose answer may be out yet, or (`pending` None) to the store."""

    at: Instant
    pending: Pending | None = None
    answer: Result | None = None

    def look(self, wait: Seconds) -> Result | None:
        """The agent's answer, as soon as there is one."""
        if self.answer is None and self.pending is not None:
            found = self.pending.answer(wait)
            self.answer = peers.result(found) if found else None
        return self.answer

    @property
    def refusal(self) -> Result | None:
        known = self.answer
        return known if known is not None and known.outcome not in (*GOOD, Outcome.UNKNOWN) else None


def run(call: Call, client: Client, cluster: Cluster, intent: Intent, awake: Set[str], *, failover: bool,
        wait: bool) -> Ending:
    """`awake` are members whose agents answered just now. Raises PgctlError, StoreUnreachable."""
    ordered = _order(call, client, cluster, intent, awake, failover)
    if ordered.refusal is not None:
        return Ending(ExitCode.FAILED, "refused", ordered.refusal.text)
    if intent.scheduled_at is not None:
        return _scheduled(call, ordered, f"for {times.shown(intent.scheduled_at)}")
    if not wait:
        return Ending(ExitCode.DONE, "ordered", "not waited for")
    return _Following(call, cluster, intent, ordered).run()


def order_to(cluster: Cluster, intent: Intent, awake: Set[str]) -> tuple[str, ...]:
    """Members in the order in which to try them: leader, candidate, others."""
    first = (cluster.leader_name, intent.candidate)
    found = sorted(cluster.members, key=lambda member: (member.name != first[0], member.name != first[1], member.name))
    return tuple(member.name for member in found if member.name in awake)


def _order(call: Call, client: Client, cluster: Cluster, intent: Intent, awake: Set[str], failover: bool) -> Ordered:
    at = intent.scheduled_at
    fields = {"leader": intent.leader, "candidate": intent.candidate, "scheduled_at": at.isoformat() if at else None}
    body: dict[str, object] = {name: value for name, value in fields.items() if value is not None}
    patience = Seconds(2 * max(10.0, cluster.settings.loop_wait) + 5)
    for name in order_to(cluster, intent, awake):
        member = cluster.member(name)
        assert member is not None
        path = schema.FAILOVER if failover else schema.SWITCHOVER
        ordered = _post(call, client, peers.request(member, "POST", path, body), patience)
        if ordered.answer is not None and ordered.answer.status == 501:  # an old agent that knows only /failover
            ordered = _post(call, client, peers.request(member, "POST", schema.FAILOVER, body), patience)
        if ordered.answer is None or ordered.answer.outcome is not Outcome.UNREACHABLE:
            return ordered
    return _write(call, cluster, intent)


def _post(call: Call, client: Client, request: Request, patience: Seconds) -> Ordered:
    """Sent, and looked at for a moment; the rest is seen in the store."""
    ordered = Ordered(call.clock.now(), client.begin(request, budget=patience))
    ordered.look(Seconds(_AT_ONCE))
    return ordered


def _write(call: Call, cluster: Cluster, intent: Intent) -> Ordered:
    """The intent in the store itself. Raises PgctlError when somebody else wrote one meanwhile."""
    call.say("no agent answers: the order is written to the store itself")
    begun = call.clock.now()
    signed = intent._replace(by=f"{peers.asker()} (by the store)")
    written = call.store(cluster.scope).write_intent(signed, expect=cluster.revision("failover"), budget=call.budget())
    if isinstance(written, Rejected):
        raise PgctlError("not ordered: somebody else ordered something meanwhile", hint="`pgctl list` shows it.")
    return Ordered(begun)


def _scheduled(call: Call, ordered: Ordered, when: str) -> Ending:
    """Waits for the agent's word that it is written."""
    if ordered.pending is not None and ordered.look(call.budget()) is None:
        return Ending(ExitCode.UNKNOWN, "unknown", "the agent did not answer; `pgctl list` shows what is scheduled")
    if ordered.refusal is not None:
        return Ending(ExitCode.FAILED, "refused", ordered.refusal.text)
    return Ending(ExitCode.DONE, "scheduled", when)


@dataclass(slots=True)
class _Following:
    """One order, followed to its end."""

    call: Call
    cluster: Cluster
    intent: Intent
    ordered: Ordered
    seen: set[str] = field(default_factory=set)
    promoted_at: Instant | None = None

    def run(self) -> Ending:
        handover = follow.begin(self.cluster, self.intent.candidate)
        settings = self.cluster.settings
        patience = 2 * settings.ttl + 2 * max(10.0, settings.loop_wait) + settings.primary_stop_timeout + 30
        deadline = self.call.deadline(patience)
        intent_seen = self.ordered.pending is None
        while True:
            answer = self.ordered.look(Seconds(0.001))
            now = self._look(handover)
            standing = follow.standing(handover, now)
            intent_seen = intent_seen or now.intent is not None
            closed = now.intent is None and intent_seen
            if standing in (Standing.PROMOTED, Standing.COMPLETE) and self.promoted_at is None:
                self.promoted_at = self.call.clock.now()
                deadline = self.call.deadline(_REJOIN)
            if standing is Standing.COMPLETE:
                return self._won(handover, now)
            if standing is Standing.ORDERED and now.leader is not None and (self.ordered.refusal or closed):
                return self._lost(answer)
            if self.call.clock.now() >= deadline:
                return self._late(handover, now, standing)
            waits = self.ordered.pending is not None and answer is None
            self.call.changed(now, self.call.left(deadline, _SLICE if waits else 5.0))

    def _look(self, handover: Handover) -> Cluster:
        """A reading, and a line for each phase that is new; the last reading while the store cannot be read."""
        try:
            self.cluster = self.call.read(self.cluster.scope)
        except StoreUnreachable as error:
            self._tell(f"the store does not answer ({error}); waiting")
            return self.cluster
        for phase in follow.phases(handover, self.cluster):
            self._tell(phase)
        return self.cluster

    def _tell(self, line: str) -> None:
        if line not in self.seen:
            self.seen.add(line)
            self.call.say(f"{self.call.clock.now() - self.ordered.at:6.1f}s  {line}")

    def _seconds(self) -> float | None:
        return None if self.promoted_at is None else self.promoted_at - self.ordered.at

    def _won(self, handover: Handover, now: Cluster, more: str = "") -> Ending:
        """A promotion; of another than the one asked for it is no success."""
        leader = now.leader_name
        if handover.candidate not in (None, leader):
            detail = f"{leader} was promoted instead of {handover.candidate}{more}"
            return Ending(ExitCode.FAILED, "elsewhere", detail, leader, self._seconds())
        return Ending(ExitCode.DONE, "done", f"{leader} leads{more}", leader, self._seconds())

    def _lost(self, answer: Result | None) -> Ending:
        reason = answer.text if answer is not None else ""
        detail = reason or "the leader closed the order; `pgctl explain` says why"
        return Ending(ExitCode.FAILED, "failed", detail, self.cluster.leader_name)

    def _late(self, handover: Handover, now: Cluster, standing: Standing) -> Ending:
        missing = follow.waiting_for(handover, now)
        if standing is Standing.PROMOTED:
            return self._won(handover, now, f"; not yet streaming: {missing}")
        return Ending(ExitCode.UNKNOWN, "unknown", f"waited in vain for {missing}; it may still happen", now.leader_name)
