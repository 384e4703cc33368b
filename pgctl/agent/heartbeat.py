"""The thread that renews the lease, apart from the cycle: it drives `core.heartbeat`, and moves fence and watchdog.

Law. Each renewal that the store confirmed moves the fence (while the lead rests on the store: `lease`); no other one moves
it further, and one that asks for a lowered
TTL pulls it in before it is sent: the store may apply it and the answer be lost. The fence's sign that the agent is alive is
given whether or not renewals work, but only while the loop turns: an agent whose loop is stuck is as good as frozen.
"""

import logging
import threading
from dataclasses import dataclass

from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core import heartbeat
from pgctl.agent.core.effects import APPLIED, Answer, Outcome, RenewLease
from pgctl.agent.core.heartbeat import Pulse, Rest
from pgctl.agent.core.view import Lease
from pgctl.agent.fence import Fence
from pgctl.agent.lease import LeaseCell
from pgctl.agent.watchdog import Watchdog
from pgctl.clock import Clock
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.store import Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model import settings
from pgctl.model.settings import Settings
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """What the loop tells: `turned`, when it last went round; `progress`, when a cycle last came to its end."""

    settings: Settings
    turned: Instant
    progress: Instant


class Heartbeat:
    """`note` is the loop's, at every turn; one reference is swapped."""

    def __init__(self, store: ClusterStore, lease: LeaseCell, fence: Fence, watchdog: Watchdog, board: Board, bell: Bell,
                 clock: Clock, settings: Settings) -> None:
        self._store = store
        self._lease = lease
        self._fence = fence
        self._watchdog = watchdog
        self._board = board
        self._bell = bell
        self._clock = clock
        self._pace = Pace(settings, clock.now(), clock.now())
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self, longest: Seconds) -> None:
        """Ends the thread; a renewal under way may take `longest`."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(longest)

    def note(self, pace: Pace) -> None:
        """A TTL that changed is asked of the store at once: a lowered one must not wait for the old one's rhythm."""
        before, self._pace = self._pace, pace
        if pace.settings.ttl != before.settings.ttl:
            self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._drive()
            except Exception:
                log.exception("a bug ended the heartbeat; it begins anew")
                self._stopped.wait(heartbeat.SHORTEST)

    def _drive(self) -> None:
        beats = heartbeat.heartbeat()
        request = next(beats)
        while not self._stopped.is_set():
            match request:
                case Rest(seconds):
                    request = beats.send(self._rest(seconds))
                case RenewLease(ttl):
                    request = beats.send(self.renew(ttl))
                case _:
                    raise AssertionError(f"the heartbeat asked for {request}")

    def _rest(self, seconds: float) -> Pulse:
        self._tick()
        self._wake.wait(seconds)
        self._wake.clear()
        self._tick()
        return self._pulse()

    def _pulse(self) -> Pulse:
        pace, lease = self._pace, self._lease.read()
        ttl = pace.settings.ttl
        within = self._watchdog.within(ttl) if lease.held else ttl
        return Pulse(self._clock.now(), ttl, lease.held, lease.deadline, pace.progress, within)

    def _tick(self) -> None:
        if self._clock.now() - self._pace.turned <= self._pace.settings.ttl:
            self._fence.tick()

    def renew(self, ttl: float) -> Answer:
        """Asks the store once. Applied: lease, fence and board have the new deadline."""
        token, lasting = self._lease.token(), self._watchdog.within(ttl) if self._lease.read().held else ttl
        margin = settings.margin(lasting)
        budget = heartbeat.budget(self._pulse(), margin)
        self._note(self._lease.limit(Instant(self._clock.now() + lasting), margin))
        try:
            outcome = self._store.renew(Seconds(ttl), budget=budget)
        except (StoreUnreachable, OutcomeUnknown) as error:
            self._tell(str(error))
            return Answer(Outcome.UNKNOWN, str(error))
        if isinstance(outcome, Rejected):
            self._lost(token, outcome.reason)
            return Answer(Outcome.REJECTED, outcome.reason)
        self._failing = False
        if outcome.deadline is not None:
            deadline = self._watched(outcome.deadline, ttl)
            self._note(self._lease.extend(token, deadline, self._clock.now(), margin))
        return APPLIED

    def _watched(self, deadline: Instant, ttl: float) -> Instant:
        """Pings the watchdog of a lead that rests on the store. Until when the lead is to be believed."""
        lease, before = self._lease.read(), self._watchdog.open
        if not lease.held or lease.failsafe or not before:
            return deadline
        believed = self._watchdog.keep(deadline, ttl)
        if not self._watchdog.open:
            self._bell.ring()
        return believed

    def _note(self, lease: Lease | None) -> None:
        if lease is None:
            return
        if lease.held:
            margin = self._pace.settings.margin if lease.margin is None else lease.margin
            self._fence.move(lease.deadline, Seconds(margin))
        self._board.lease(lease)

    def _lost(self, token: int, reason: str) -> None:
        """The store does not know the lease. The cycle is called only where there had been one: at first there is none."""
        before, held = self._lease.session, self._lease.read().held
        if self._lease.lose(token):
            self._board.lease(self._lease.read())
            if held and not self._lease.read().held:
                log.warning("the lease is lost: %s", reason)
            if before:
                self._bell.ring()

    def _tell(self, why: str) -> None:
        """Once for each outage."""
        if not self._failing:
            left = self._lease.read().left(self._clock.now())
            log.warning("the lease could not be renewed: %s  left=%.1fs", why, left)
        self._failing = True
