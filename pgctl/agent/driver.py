"""One function per request: calls a hand, and answers applied, rejected or unknown. Never chooses, retries or skips.

Law. What can make the server writable (`may_write`) is refused unless a live fence is armed and more than the margin is
left of the lease; taking the lead arms the fence before anything else is done. A write without an answer is answered
`unknown`: the next reading of the store tells.

All of one cycle's requests share a third of the TTL, so that a slow store or server cannot keep a leader from its loop.
"""

import logging
import re
from typing import Any, TypeVar

from pgctl.agent import lead, store_effects
from pgctl.agent.core.effects import (
    APPLIED,
    Answer,
    AskMembers,
    AskPeers,
    CancelJob,
    HoldLease,
    KeepLogical,
    MoveFence,
    Outcome,
    Peer,
    Prolong,
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
    StirStandbys,
    Unreadable,
    WriteConf,
)
from pgctl.agent.core.job import Job, Restart
from pgctl.agent.core.view import ShowView
from pgctl.agent.hands import Hands
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
        self._until = Instant(min(until, lease.deadline - 2 * lead.margin(lease, self._settings)) if lease.held else until)

    def may_write(self) -> bool:
        """Whether a server may be made writable now. Any thread may ask."""
        return lead.may_write(self._hands, self._settings)

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
            case AskMembers():
                return lead.ask_members(self._hands, request, self._budget(self._answer_within()))
            case ReadUpstreamHistory():
                return self._read_history(request)
            case KeepLogical(plan):
                hands.keeper.want(plan)
                return APPLIED
            case HoldLease() | ReclaimLease():
                return lead.take(hands, request, self._settings, self._budget())
            case ReleaseLease():
                return lead.release(hands, request, self._budget())
            case StartJob() | CancelJob() | MoveFence() | Prolong() | Quit():
                return self._order(request)
            case WriteConf() | StirStandbys() | SetSlots() | RunCallback():
                return self._change_server(request)
            case _:
                return store_effects.perform(hands, request, Seconds(self._settings.ttl), self._budget())

    def _budget(self, most: float | None = None) -> Seconds:
        """What is left of the cycle's time, at most the settings' retry_timeout."""
        left = max(_LEAST, self._until - self._hands.clock.now())
        return Seconds(min(left, self._settings.retry_timeout if most is None else most))

    def _answer_within(self) -> float:
        """Seconds that another member has for its answer."""
        return 1.0 if self._settings.ttl <= 10 else 2.0

    # --- readings -----------------------------------------------------------------------------------------------------

    def _read_cluster(self) -> Cluster | Unreadable:
        try:
            cluster = self._hands.store.read(budget=self._reading())
        except StoreUnreachable as error:
            return Unreadable(str(error))
        self._settings = cluster.settings
        self._note(self._hands.store.notes)
        if cluster.config is not None:
            self._hands.server.use_dynamic(cluster.settings.postgresql)
        lead.compare(self._hands, cluster.leader)
        return cluster

    def _reading(self) -> Seconds:
        """A leader that may have to ask the members keeps half of the cycle's time for that."""
        asks = self._settings.failsafe_mode and self._hands.lease.read().held
        return self._budget(min(self._settings.retry_timeout, self._settings.ttl / 6) if asks else None)

    def _note(self, notes: tuple[str, ...]) -> None:
        """What is wrong in the store, once for each change."""
        for note in notes:
            if note not in self._noted:
                log.warning("in the store: %s", note)
        self._noted = notes

    def _ask_peers(self, request: AskPeers) -> tuple[Peer, ...]:
        budget = self._budget(self._answer_within())
        found = self._hands.client.status(request.members, budget=budget, optional=request.optional)
        return tuple(
            Peer(peer.name, peer.reachable, peer.primary, peer.lsn, peer.timeline, peer.tags, peer.watchdog_failed,
                 peer.looked, peer.failsafe, peer.problem, peer.state)
            for peer in found
        )  # fmt: skip

    def _read_history(self, request: ReadUpstreamHistory) -> TimelineHistory | None:
        try:
            return self._hands.server.upstream_history(request.upstream, self._budget(2.0))
        except ServerError as error:
            log.debug("the history of %s cannot be asked: %s", request.upstream.name, error)
            return None

    # --- jobs, fence, process -----------------------------------------------------------------------------------------

    def _order(self, request: StartJob | CancelJob | MoveFence | Prolong | Quit) -> Answer:
        match request:
            case StartJob(job):
                return self._start(job)
            case CancelJob(why):
                self._hands.jobs.cancel(why)
            case MoveFence(armed):
                return lead.move_fence(self._hands, self._settings, armed=armed)
            case Prolong():
                return lead.prolong(self._hands, request, self._settings)
            case Quit(reason):
                self.quitting = reason
        return APPLIED

    def _start(self, job: Job) -> Answer:
        if writes(job) and not self.may_write():
            return Answer(Outcome.REJECTED, "lease has less than the margin left, or the fence is not alive")
        refusal = self._hands.jobs.start(job)
        return Answer(Outcome.REJECTED, refusal) if refusal else APPLIED

    # --- the server ---------------------------------------------------------------------------------------------------

    def _change_server(self, request: WriteConf | StirStandbys | SetSlots | RunCallback) -> Answer:
        """A slot that cannot be made is told and left to the next cycle: it must not keep the rest from being done."""
        server = self._hands.server
        try:
            match request:
                case WriteConf(conf):
                    server.write_conf(conf, reload=True)
                case StirStandbys():
                    server.stir(self._budget(1.0))
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
