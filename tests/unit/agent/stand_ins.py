"""Stand-ins with the interfaces of the real hands: a clock that is set, a server that notes what it was told."""

import threading
import time
from collections.abc import Callable
from typing import Any

from pgctl.agent.fence import Adopted, Fence
from pgctl.agent.lease import LeaseCell
from pgctl.agent.promise import PromiseCell
from pgctl.agent.watchdog import Watchdog
from pgctl.clock import Clock
from pgctl.config.sections import BootstrapSection, WatchdogSection
from pgctl.errors import ServerError
from pgctl.model.conf import Conf, SlotPlan, StopMode, Upstream
from pgctl.model.failsafe import Promise
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData, Phase, ServerState
from pgctl.model.timeline import TimelineHistory
from pgctl.postgresql.server import Server
from pgctl.units import Instant, Seconds, Wall


class SetClock:
    """Moves when it is told, and by its own sleeping."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now

    def now(self) -> Instant:
        return Instant(self.time)

    def wall(self) -> Wall:
        return Wall(1_700_000_000.0 + self.time)

    def sleep(self, duration: Seconds) -> None:
        self.time += max(0.0, duration)


class NotedRecord:
    """Keeps a promise as the file in the run directory does; `kept` survives the cell."""

    def __init__(self, kept: Promise | None = None) -> None:
        self.kept = kept
        self.full = False

    def load(self) -> Promise | None:
        return self.kept

    def save(self, promise: Promise) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.kept = promise


def promises(lease: LeaseCell) -> PromiseCell:
    """A cell that has promised nothing, of an agent that did not just boot."""
    return PromiseCell(lease, NotedRecord(), lambda: False)


class NotedDevice:
    """A watchdog device: what it was told, in order; what it takes, and whether it fails, is set."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fault = ""
        self.broken = False
        self.takes: int | None = None

    def usable(self) -> str:
        return self.fault

    def open(self) -> None:
        self._tell("open")

    def set_timeout(self, seconds: int) -> int:
        self._tell(f"timeout {seconds}")
        return seconds if self.takes is None else self.takes

    def ping(self) -> None:
        self._tell("ping")

    def close(self) -> bool:
        self._tell("close")
        return True

    def abandon(self) -> None:
        self.told.append("abandon")

    def _tell(self, word: str) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")
        self.told.append(word)


class NotedWatchdog(Watchdog):
    """The real one over a noted device."""

    def __init__(self, device: NotedDevice, clock: Clock, run_dir: str, mode: str, margin: int) -> None:
        super().__init__(WatchdogSection(mode, "/dev/noted", safety_margin=margin), run_dir, clock)
        self._device = device


def watched(device: NotedDevice, clock: Clock, mode: str = "off", run_dir: str = "/nonexistent",
            margin: int = 5) -> NotedWatchdog:
    return NotedWatchdog(device, clock, run_dir, mode, margin)


def unwatched(clock: Clock) -> Watchdog:
    return Watchdog(WatchdogSection(mode="off"), "", clock)


class NotedFence(Fence):
    """A fence without a process: what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.lives = True
        self._armed = False

    def start(self) -> Adopted:
        self.told.append(("start",))
        self.lives = True
        return Adopted()

    def alive(self) -> bool:
        return self.lives

    @property
    def armed(self) -> bool:
        return self._armed

    def arm(self, deadline: Instant, margin: Seconds) -> None:
        self._armed = True
        self.told.append(("arm", deadline, margin))

    def move(self, deadline: Instant, margin: Seconds) -> None:
        self.told.append(("move", deadline, margin))

    def disarm(self) -> None:
        self._armed = False
        self.told.append(("disarm",))

    def tick(self) -> None:
        self.told.append(("tick",))


class NotedServer(Server):
    """A server that does what `fails` and `holds` say: calls are noted by name; none reaches a process."""

    def __init__(self, phase: Phase = Phase.DOWN) -> None:
        self.phase = phase
        self.stop_deadline: Instant | None = None
        self.calls: list[str] = []
        self.fails: dict[str, list[ServerError]] = {}
        self.holds: dict[str, threading.Event] = {}
        self.reason = ""
        self.history: TimelineHistory | None = None
        self.control = ControlData("shut down", "7000000000000000001", Lsn(1000), 1)
        self.bug: Exception | None = None

    def _do(self, verb: str) -> None:
        self.calls.append(verb)
        if verb in self.holds:
            assert self.holds[verb].wait(10)
        if self.fails.get(verb):
            raise self.fails[verb].pop(0)

    def is_running(self) -> bool:
        return self.probe(Seconds(1.0)).running

    def probe(self, budget: Seconds, known_timeline: int | None = None) -> ServerState:
        if self.bug is not None:
            raise self.bug
        up = self.phase in (Phase.PRIMARY, Phase.STANDBY)
        return ServerState(self.phase, control=None if up else self.control, lsn=Lsn(1000) if up else None,
                           system_identifier="7000000000000000001", timeline=1)

    def postmaster_fd(self) -> int | None:
        return None

    def rehearse(self, conf: Conf, *, copying: bool = False) -> None:
        self._do("rehearse")

    def use_dynamic(self, document: Any) -> None:
        self.calls.append("use_dynamic")

    def timeline_history(self, timeline: int) -> TimelineHistory | None:
        return self.history

    def upstream_history(self, upstream: Upstream, budget: Seconds) -> TimelineHistory:
        self._do("upstream_history")
        return TimelineHistory(1)

    def write_conf(self, conf: Conf, *, reload: bool) -> bool:
        self._do("write_conf")
        return True

    def set_slots(self, plan: SlotPlan) -> None:
        self._do("set_slots")

    def stir(self, budget: Seconds) -> None:
        self._do("stir")

    def run_callback(self, action: str, role: str) -> None:
        self._do(f"{action} {role}")

    def start(self, conf: Conf, *, deadline: Instant, cancelled: Callable[[], bool] = lambda: False,
              archive_first: bool = False) -> None:
        self._do("archive and start" if archive_first else "start")
        self.phase = Phase.STANDBY if conf.standby else Phase.PRIMARY

    def stop(self, mode: StopMode, *, checkpoint: bool, deadline: Instant | None,
             on_safe: Callable[[ControlData], None] | None = None, on_signal: Callable[[], None] = lambda: None,
             cancelled: Callable[[], bool] = lambda: False) -> ControlData | None:
        on_signal()
        self._do(f"stop {mode}")
        self.stop_deadline = deadline
        self.phase = Phase.DOWN
        return self.control

    def promote(self, *, timeline: int = 0, deadline: Instant, point_of_no_return: Callable[[], bool]) -> int:
        self._do("pre_promote")
        if not point_of_no_return():
            raise ServerError("the promotion was refused")
        self._do("promote")
        self.phase = Phase.PRIMARY
        return 2

    def bootstrap(self, section: BootstrapSection, conf: Conf, *, progress: Callable[[str], None] = lambda line: None,
                  cancelled: Callable[[], bool] = lambda: False) -> None:
        progress("running initdb")
        self._do("bootstrap")

    def clone(self, source: Upstream | None, conf: Conf, *, progress: Callable[[str], None] = lambda line: None,
              cancelled: Callable[[], bool] = lambda: False) -> None:
        progress("copied 1 of 2 MB")
        self._do("clone")

    def reach(self, source: Upstream | None, conf: Conf) -> None:
        if self.fails.get("reach"):
            raise self.fails["reach"].pop(0)

    def rewind(self, source: Upstream, conf: Conf, *, progress: Callable[[str], None] = lambda line: None,
               cancelled: Callable[[], bool] = lambda: False) -> None:
        self._do("rewind")

    def remove_data(self, reason: str) -> None:
        self.reason = reason
        self._do("remove_data")

    def close(self) -> None:
        self.calls.append("close")


def eventually(true: Callable[[], bool], within: float = 5.0) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
