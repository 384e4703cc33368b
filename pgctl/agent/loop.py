"""When to run a cycle, and what to do with its result. Never two at once; it does not read what a view says.

A cycle runs when the bell rings (a key changed, an order came in, a job ended, the lease was lost), when the postmaster
exits, and when the last decision said to wake. Rings during a cycle count once, after it. However often it is rung for,
there are no more than twenty cycles a second.

Law. Progress is noted only when a cycle came to its end; the heartbeat goes by it. So an error that no one foresaw does
not keep a leader in the lead: if it persists, the lease is lost, and the fence stops the server.
"""

import logging
import re
import select
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from pgctl.agent import cycle_log, lead, watcher
from pgctl.agent.bell import Bell
from pgctl.agent.core import cycle
from pgctl.agent.core.cycle import CycleResult, CycleStart
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Host
from pgctl.agent.driver import Driver
from pgctl.agent.hands import Hands
from pgctl.agent.heartbeat import Heartbeat, Pace
from pgctl.agent.inbox import Inbox, Order
from pgctl.agent.orders import Orders
from pgctl.agent.watcher import Watcher
from pgctl.errors import PgctlError
from pgctl.units import Instant

log = logging.getLogger(__name__)

MOST_A_SECOND = 20
_SHORTEST, _LONGEST = 0.05, 1.0


class Backoff:
    """Seconds to wait after a cycle that did not get to its end: none after the first, then 50 ms doubling to 1 s."""

    def __init__(self) -> None:
        self._failures = 0

    def failed(self) -> float:
        self._failures += 1
        return 0.0 if self._failures == 1 else min(_LONGEST, _SHORTEST * 2 ** min(self._failures - 2, 10))

    def worked(self) -> None:
        self._failures = 0


class Loop:
    """Runs in the main thread. `stop`, `ask_reload` and the bell may be used from anywhere, signal handlers too."""

    def __init__(self, hands: Hands, driver: Driver, orders: Orders, inbox: Inbox, bell: Bell, heartbeat: Heartbeat,
                 watch: Watcher, host: Host, reload: Callable[[], None]) -> None:
        self._hands = hands
        self._driver = driver
        self._orders = orders
        self._inbox = inbox
        self._bell = bell
        self._heartbeat = heartbeat
        self._watcher = watch
        self.host = host
        self._reload = reload
        self.memory = Memory(settings=driver.settings)
        self._progress = hands.clock.now()
        self._recent: deque[Instant] = deque(maxlen=MOST_A_SECOND)
        self._backoff = Backoff()
        self._wake_at = Instant(0)
        self._not_before = Instant(0)
        self._waiting: deque[Order] = deque()
        self._line = cycle_log.CycleLog()
        self._bug = ""
        self._stopped = False
        self._fence_told = False
        self._reload_asked = False

    def stop(self) -> None:
        self._stopped = True
        self._bell.ring()

    def ask_reload(self) -> None:
        """The configuration is read again before the next cycle."""
        self._reload_asked = True
        self._bell.ring()

    def run(self) -> str:
        """Cycles until `stop`, or until one has decided to end the agent: then why."""
        while not self._stopped and not self._driver.quitting:
            self._wait()
            if not self._stopped:
                self.turn()
        return self._driver.quitting

    def turn(self) -> None:
        """Sees to the fence, takes one order, and runs one cycle; further orders wait for the next."""
        self._bell.clear()
        now = self._hands.clock.now()
        self._recent.append(now)
        self._heartbeat.note(Pace(self._driver.settings, now, self._progress))
        self._see_to_fence()
        if self._reload_asked:
            self._read_configuration()
        view = self._hands.board.read().view
        self._waiting.extend(self._inbox.take())
        if self._waiting:
            self._orders.take(self._waiting.popleft(), view)
        self._orders.begin_scheduled(view)
        try:
            self._after(self._cycle())
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must go on; the lease goes by progress
            self._stumbled(error)

    def _wait(self) -> None:
        """Until something rings, the postmaster exits, or it is time."""
        now = self._hands.clock.now()
        earliest = self._not_before
        if len(self._recent) == MOST_A_SECOND:
            earliest = max(earliest, Instant(self._recent[0] + 1.0))
        if earliest > now:
            self._poll(earliest - now, self._bell.fileno() if self._stopped else None)
        left = self._wake_at - self._hands.clock.now()
        if left > 0 and not self._stopped:
            self._poll(left, self._bell.fileno(), self._hands.server.postmaster_fd())

    @staticmethod
    def _poll(seconds: float, *files: int | None) -> None:
        waiter = select.poll()
        for file in files:
            if file is not None:
                waiter.register(file, select.POLLIN)
        waiter.poll(seconds * 1000 + 1)

    def _see_to_fence(self) -> None:
        """A fence that died is put up again; without one nothing may become writable."""
        fence = self._hands.fence
        if fence.alive():
            self._fence_told = False
            return
        try:
            log.warning("the fence process is not alive: starting it")
            fence.start()
        except PgctlError as error:
            if not self._fence_told:
                log.error("%s  hint: %s", error, error.hint)
            self._fence_told = True

    def _read_configuration(self) -> None:
        self._reload_asked = False
        try:
            self._reload()
        except PgctlError as error:
            log.error("the configuration was not taken: %s  hint: %s", error, error.hint)

    def _cycle(self) -> CycleResult:
        """Drives one cycle to its end."""
        clock, jobs = self._hands.clock, self._hands.jobs
        self._driver.begin()
        fault = lead.see_to_watchdog(self._hands, self._driver.settings)
        host = replace(self.host, scheduled_restart=self._orders.scheduled, watchdog_fault=fault)
        start = CycleStart(clock.now(), clock.wall(), host, self.memory, self._hands.lease.read(), jobs.look(),
                           self._orders.asked, self._hands.promise.read(), self._hands.keeper.found(),
                           self._orders.config_order)
        steps = cycle.cycle(start)
        request = next(steps)
        while True:
            try:
                request = steps.send(self._driver.perform(request))
            except StopIteration as end:
                result: CycleResult = end.value
                jobs.forget(start.job)
                return result

    def _after(self, result: CycleResult) -> None:
        """Takes note of a cycle that came to its end, cut short or not."""
        view, decision, now = result.view, result.decision, self._hands.clock.now()
        self.memory = decision.memory
        self._progress = now
        self._hands.board.decide(view, decision, now)
        self._heartbeat.note(Pace(view.settings, now, now))
        self._line.write(view, decision, self._hands.lease.read().left(now), result.cut_short)
        self._orders.settle(view, decision, self._hands.jobs.look())
        state = self._hands.jobs.running
        self._watcher.note(watcher.interest(view, decision, self._hands.store.revision, state.job if state else None,
                                            asked=self._orders.waiting_for_members))
        self._wake_at, self._not_before = decision.wake_at, now
        if result.cut_short is not None:
            self._wake_at = self._not_before = Instant(now + self._backoff.failed())
        else:
            self._backoff.worked()
        lead_ended = view.lease.held and not self._hands.lease.read().held
        if lead_ended or self._waiting:
            self._wake_at = now
        scheduled = self._orders.wake_in()
        if scheduled is not None:
            self._wake_at = min(self._wake_at, Instant(now + scheduled))

    def _stumbled(self, error: Exception) -> None:
        """An error that nobody foresaw: told with its traceback once; no progress is noted."""
        text = re.sub(r"\d+", "#", repr(error))
        if text != self._bug:
            log.exception("a bug ended this cycle; the next one follows")
        else:
            log.error("the same bug ended this cycle: %r", error)
        self._bug = text
        now = self._hands.clock.now()
        self._wake_at = self._not_before = Instant(now + max(_SHORTEST, self._backoff.failed()))
