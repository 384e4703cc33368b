"""One function per request: calls a hand, and answers applied, rejected or unknown. Never chooses, retries or skips.

Law. What can make the server writable (`may_write`) is refused unless a live fence is armed and more than the margin is
left of the lease; taking the lead arms the fence before anything else is done. A write without an answer is answered
`unknown`: the next reading of the store tells.

All of one cycle's requests share a third of the TTL, so that a slow store or server cannot keep a leader from its loop.
"""

import logging
import re
from typing import Any, TypeVar

from pgctl.agent import store_effects
from pgctl.agent.core.effects import (
    APPLIED,
    Answer,
    AskPeers,
    CancelJob,
    HoldLease,
    MoveFence,
    Outcome,
    Peer,
    Quit,
    ReadCluster,
    ReadServer,
    ReadUpstreamHistory,
    ReclaimLease,
    ReleaseLease,
    Request,
    RunCallback,
    SetSlots,
    StartJob,
    Unreadable,
    WriteConf,
)
from pgctl.agent.core.job import Job, Restart
from pgctl.agent.core.view import Lease, ShowView
from pgctl.agent.hands import Hands
from pgctl.dcs.store import Applied
from pgctl.errors import ServerError, StoreUnreachable
from pgctl.model.cluster import Cluster
from pgctl.model.settings import Settings
from pgctl.model.timeline import TimelineHistory
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

A = TypeVar("A")

_POSITION = re.compile(r"[0-9A-F]+/[0-9A-F]+")
_LEAST = 0.5
"""Seconds that a request gets even when the cycle's time is used up."""


class Driver:
    """Drives one cycle after the other, in the loop's thread. `quitting` is set once a cycle has decided to end."""

    def __init__(self, hands: Hands, settings: Settings) -> None:
        self._hands = hands
        self._settings = settings
        self._until = Instant(0)
        self._told: dict[str, str] = {}
        self._noted: tuple[str, ...] = ()
        self.quitting = ""

    @property
    def settings(self) -> Settings:
        """Those of the last reading of the store."""
        return self._settings

    def begin(self) -> None:
        """A cycle begins: its requests share a third of the TTL, a leader's end in time for an orderly stop."""
        lease, until = self._hands.lease.read(), self._hands.clock.now() + self._settings.ttl / 3
        self._until = Instant(min(until, lease.deadline - 2 * self._margin(lease)) if lease.held else until)

    def may_write(self) -> bool:
        """Whether a server may be made writable now. Any thread may ask."""
        hands = self._hands
        lease = hands.lease.read()
        return lease.left(hands.clock.now()) >= self._margin(lease) and hands.fence.alive()

    def _margin(self, lease: Lease) -> Seconds:
        """By the TTL that was granted; the settings may have changed since."""
        return Seconds(self._settings.margin if lease.margin is None else lease.margin)

    def perform(self, request: Request[A]) -> A:
        """The answer to any request of a cycle."""
        return self._perform(request)  # type: ignore[no-any-return]

    def _perform(self, request: Request[Any]) -> Any:
        hands = self._hands
        match request:
            case ReadCluster():
                return self._read_cluster()
            case ReadServer():
                return hands.server.probe(self._budget(5.0), request.known_timeline)
            case ShowView():
                return hands.board.show(request.view)
            case AskPeers():
                return self._ask_peers(request)
            case ReadUpstreamHistory():
                return self._read_history(request)
            case HoldLease() | ReclaimLease() | ReleaseLease():
                return self._lead(request)
            case StartJob() | CancelJob() | MoveFence() | Quit():
                return self._order(request)
            case WriteConf() | SetSlots() | RunCallback():
                return self._change_server(request)
            case _:
                return store_effects.perform(hands, request, Seconds(self._settings.ttl), self._budget())

    def _budget(self, most: float | None = None) -> Seconds:
        """What is left of the cycle's time, at most the settings' retry_timeout."""
        left = max(_LEAST, self._until - self._hands.clock.now())
        return Seconds(min(left, self._settings.retry_timeout if most is None else most))

    # --- readings -----------------------------------------------------------------------------------------------------

    def _read_cluster(self) -> Cluster | Unreadable:
        try:
            cluster = self._hands.store.read(budget=self._budget())
        except StoreUnreachable as error:
            return Unreadable(str(error))
        self._settings = cluster.settings
        self._note(self._hands.store.notes)
        if cluster.config is not None:
            self._hands.server.use_dynamic(cluster.settings.postgresql)
        if self._hands.lease.read().held and not (cluster.leader and cluster.leader.mine):
            log.warning("the leader key no longer hangs on this agent's lease")
            self._drop_lead()
        return cluster

    def _note(self, notes: tuple[str, ...]) -> None:
        """What is wrong in the store, once for each change."""
        for note in notes:
            if note not in self._noted:
                log.warning("in the store: %s", note)
        self._noted = notes

    def _drop_lead(self) -> None:
        self._hands.lease.give_up()
        self._hands.board.lease(self._hands.lease.read())

    def _ask_peers(self, request: AskPeers) -> tuple[Peer, ...]:
        budget = self._budget(1.0 if self._settings.ttl <= 10 else 2.0)
        found = self._hands.client.status(request.members, budget=budget, optional=request.optional)
        return tuple(
            Peer(peer.name, peer.reachable, peer.primary, peer.lsn, peer.timeline, peer.tags, peer.watchdog_failed,
                 peer.looked, peer.problem)
            for peer in found
        )  # fmt: skip

    def _read_history(self, request: ReadUpstreamHistory) -> TimelineHistory | None:
        try:
            return self._hands.server.upstream_history(request.upstream, self._budget(2.0))
        except ServerError as error:
            log.debug("the history of %s cannot be asked: %s", request.upstream.name, error)
            return None

    # --- the lead -----------------------------------------------------------------------------------------------------

    def _lead(self, request: HoldLease | ReclaimLease | ReleaseLease) -> Answer:
        if isinstance(request, ReleaseLease):
            return self._release(request)
        if not self._hands.fence.alive():
            return Answer(Outcome.REJECTED, "the fence process is not alive")
        store, name, ttl, budget = self._hands.store, self._hands.name, Seconds(self._settings.ttl), self._budget()
        taken: list[Applied] = []
        if isinstance(request, HoldLease):
            guard = request.guard
            answer = store_effects.written(lambda: store.hold_leader(name, ttl=ttl, guard=guard, budget=budget), taken)
        else:
            revision = request.revision
            answer = store_effects.written(lambda: store.reclaim_leader(name, revision, ttl=ttl, budget=budget), taken)
        if not taken:
            return answer
        deadline = taken[0].deadline or self._hands.lease.session
        lease = self._hands.lease.hold(deadline, self._settings.margin)
        if request.arm:
            self._hands.fence.arm(deadline, self._margin(lease))
        self._hands.board.lease(lease)
        return answer

    def _release(self, request: ReleaseLease) -> Answer:
        """After a lost answer, too, the lead counts as given up: others may have it by now."""
        budget = self._budget()
        answer = store_effects.written(lambda: self._hands.store.release_leader(request.revision, budget=budget))
        if answer.outcome is not Outcome.REJECTED:
            self._drop_lead()
        return answer

    # --- jobs, fence, process -----------------------------------------------------------------------------------------

    def _order(self, request: StartJob | CancelJob | MoveFence | Quit) -> Answer:
        match request:
            case StartJob(job):
                return self._start(job)
            case CancelJob(why):
                self._hands.jobs.cancel(why)
            case MoveFence(armed):
                return self._move_fence(armed)
            case Quit(reason):
                self.quitting = reason
        return APPLIED

    def _start(self, job: Job) -> Answer:
        if writes(job) and not self.may_write():
            return Answer(Outcome.REJECTED, "lease has less than the margin left, or the fence is not alive")
        refusal = self._hands.jobs.start(job)
        return Answer(Outcome.REJECTED, refusal) if refusal else APPLIED

    def _move_fence(self, armed: bool) -> Answer:
        fence, lease = self._hands.fence, self._hands.lease.read()
        if not armed:
            fence.disarm()
        elif lease.left(self._hands.clock.now()) <= 0:
            return Answer(Outcome.REJECTED, "there is no lease to guard")
        else:
            fence.arm(lease.deadline, self._margin(lease))
        return APPLIED

    # --- the server ---------------------------------------------------------------------------------------------------

    def _change_server(self, request: WriteConf | SetSlots | RunCallback) -> Answer:
        """A slot that cannot be made is told and left to the next cycle: it must not keep the rest from being done."""
        server = self._hands.server
        try:
            match request:
                case WriteConf(conf):
                    server.write_conf(conf, reload=True)
                case SetSlots(plan):
                    for note in plan.notes:
                        self._tell(note, note)
                    server.set_slots(plan)
                case RunCallback(action, role):
                    server.run_callback(action, role)
        except ServerError as error:
            self._tell(type(request).__name__, str(error))
            return Answer(Outcome.REJECTED, str(error)) if isinstance(request, WriteConf) else Answer(reason=str(error))
        self._told.pop(type(request).__name__, None)
        return APPLIED

    def _tell(self, what: str, text: str) -> None:
        """Once for each text, whatever positions it names."""
        same = _POSITION.sub("", text)
        if self._told.get(what) != same:
            self._told[what] = same
            log.warning("%s", text)


def writes(job: Job) -> bool:
    """Whether a deed can make the server writable."""
    return job.writes or (isinstance(job, Restart) and job.primary)
