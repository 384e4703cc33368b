"""The one long deed, in a thread: one slot, its state for the view, its outcome once. Reads no view, chooses nothing.

Law. A deed after which the server accepts writes asks for the lease once more right before its point of no return
(`may_write`): what the driver saw when it started the deed may be long ago. A deed that was refused there has changed
nothing but a stopped server. When a deed ends, for whatever reason, the bell rings.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from pgctl.agent.bell import Bell
from pgctl.agent.core.job import (
    Bootstrap,
    Clone,
    CopySlots,
    Job,
    Promote,
    Rebuild,
    Restart,
    Rewind,
    StartPrimary,
    StartStandby,
    Stop,
)
from pgctl.agent.core.view import JobState
from pgctl.clock import Clock
from pgctl.config.sections import BootstrapSection
from pgctl.errors import PgctlError, ServerError, SourceAway
from pgctl.model.conf import Conf, StopMode, Upstream
from pgctl.postgresql.server import Server
from pgctl.units import Instant, Seconds, show_seconds

log = logging.getLogger(__name__)

STANDBY_WITHIN = 60.0
"""A standby that is not up by then goes on starting, watched by the cycle, which may have to point it elsewhere."""
PROMOTE_WITHIN = 300.0
CLEAR_WITHIN = 10.0
"""Children of a killed postmaster hold its shared memory for a moment."""
_AGAIN = Seconds(0.05)


class Jobs:
    """`start`, `look`, `forget` and `cancel` are the cycle thread's; the deed has a thread of its own."""

    def __init__(self, server: Server, bootstrap: BootstrapSection | None, clock: Clock, bell: Bell,
                 may_write: Callable[[], bool]) -> None:
        self._server = server
        self._bootstrap = bootstrap
        self._clock = clock
        self._bell = bell
        self._may_write = may_write
        self._state: JobState | None = None
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, job: Job) -> str:
        """Begins a deed; empty, or why not."""
        busy = self.running
        if busy is not None:
            return f"{busy.job.name} already in progress"
        self._cancelled = threading.Event()
        self._state = JobState(job, self._clock.now())
        log.info("%s starts  rule=%s", job.name, job.rule)
        self._thread = threading.Thread(target=self._run, args=(job, self._cancelled), name="job", daemon=True)
        self._thread.start()
        return ""

    @property
    def running(self) -> JobState | None:
        state = self._state
        return state if state is not None and not state.ended else None

    def look(self) -> JobState | None:
        """The deed under way, or the one that ended and has not been taken note of (`forget`)."""
        return self._state

    def forget(self, seen: JobState | None) -> None:
        """A cycle has decided on this outcome; another deed that began meanwhile stays."""
        if seen is not None and seen.ended and self._state is seen:
            self._state = None

    def cancel(self, why: str) -> None:
        """Asks the deed to end; it does so where that is safe."""
        if self.running is not None and not self._cancelled.is_set():
            log.info("%s is called off: %s", self.running.job.name, why)
            self._cancelled.set()

    def wait(self, longest: Seconds) -> bool:
        """Waits for the deed's end; False when it goes on."""
        if self._thread is not None:
            self._thread.join(longest)
        return self.running is None

    # --- the deed's thread --------------------------------------------------------------------------------------------

    def _run(self, job: Job, cancelled: threading.Event) -> None:
        begun = self._clock.now()
        ok, message, unreached = False, "an unforeseen error, see the log", False
        try:
            message = self._do(job, cancelled.is_set) or job.name
            ok = True
            log.info("%s done  took=%s%s", job.name, show_seconds(self._clock.now() - begun),
                     f" {message}" if message != job.name else "")
        except PgctlError as error:
            message, unreached = str(error), isinstance(error, SourceAway)
            log.log(logging.INFO if cancelled.is_set() else logging.ERROR, "%s failed: %s%s", job.name, error,
                    f"  hint: {error.hint}" if error.hint else "")
        except Exception:
            log.exception("%s failed, which it must not do in this way", job.name)
        finally:
            self._note(ended=True, ok=ok, message=message, unreached=unreached)
            self._bell.ring()

    def _note(self, **changes: object) -> None:
        if self._state is not None:
            self._state = replace(self._state, **changes)  # type: ignore[arg-type]

    def _progress(self, line: str) -> None:
        self._note(message=line)

    def _do(self, job: Job, cancelled: Callable[[], bool]) -> str:
        """Does the deed; what it did, where the name does not say it. Raises PgctlError."""
        match job:
            case Bootstrap():
                if self._bootstrap is None:
                    raise ServerError("this member has no bootstrap section")
                self._server.bootstrap(self._bootstrap, job.conf, progress=self._progress, cancelled=cancelled)
            case Clone():
                return self._clone(job.source, job.conf, cancelled)
            case Rebuild():
                self._server.reach(job.source, job.conf)
                self._server.stop(StopMode.IMMEDIATE, checkpoint=False, deadline=self._after(10.0), cancelled=cancelled)
                if not cancelled():
                    self._server.remove_data(f"{job.rule}: {job.why}")
                return self._clone(job.source, job.conf, cancelled)
            case Rewind():
                if job.source is None:
                    raise ServerError("there is no server to rewind with")
                self._server.rewind(job.source, job.conf, progress=self._progress, cancelled=cancelled)
                return self._start_standby(job.conf, cancelled)
            case StartStandby():
                return self._start_standby(job.conf, cancelled, archive_first=job.archive_first)
            case StartPrimary():
                self._start_primary(job.conf, self._after(job.timeout), cancelled)
            case Restart():
                return self._restart(job, cancelled)
            case CopySlots():
                self._server.rehearse(job.conf, copying=True)
                return self._restart(Restart(conf=job.conf, timeout=job.timeout), cancelled)
            case Stop():
                deadline = self._after(job.timeout) if job.timeout > 0 else None
                found = self._server.stop(job.mode, checkpoint=job.checkpoint, deadline=deadline, cancelled=cancelled,
                                          on_signal=self._cut_off)
                return f"state={found.state!r}" if found else ""
            case Promote():
                line = self._server.promote(timeline=job.timeline, deadline=self._after(PROMOTE_WITHIN),
                                            point_of_no_return=lambda: self._committed(cancelled))
                return f"timeline={line}"
            case _:
                raise AssertionError(f"no deed for {job}")
        return ""

    def _clone(self, source: Upstream | None, conf: Conf, cancelled: Callable[[], bool]) -> str:
        if cancelled():
            raise ServerError("cloning was cancelled")
        self._server.clone(source, conf, progress=self._progress, cancelled=cancelled)
        return self._start_standby(conf, cancelled)

    def _start_standby(self, conf: Conf, cancelled: Callable[[], bool], *, archive_first: bool = False) -> str:
        deadline = self._after(STANDBY_WITHIN)
        try:
            self._start_clear(conf, deadline, cancelled, archive_first=archive_first)
        except ServerError:
            if cancelled() or not self._server.is_running():
                raise
            return "it is still starting"
        return ""

    def _start_primary(self, conf: Conf, deadline: Instant, cancelled: Callable[[], bool]) -> None:
        if not self._may_write():
            raise ServerError("the server was not started as a primary", detail="the lease is nearly out")
        self._start_clear(conf, deadline, cancelled)

    def _start_clear(self, conf: Conf, deadline: Instant, cancelled: Callable[[], bool], *,
                     archive_first: bool = False) -> None:
        """Starts; waits for what a killed postmaster left in memory to vanish."""
        patience = self._after(CLEAR_WITHIN)
        while True:
            try:
                return self._server.start(conf, deadline=deadline, cancelled=cancelled, archive_first=archive_first)
            except ServerError as error:
                now = self._clock.now()
                if "is still in use" not in str(error) or now > min(deadline, patience) or cancelled():
                    raise
                self._clock.sleep(_AGAIN)

    def _restart(self, job: Restart, cancelled: Callable[[], bool]) -> str:
        deadline = self._after(job.timeout)
        self._server.rehearse(job.conf)
        stopped = min(deadline, self._after(job.stop_timeout))
        self._server.stop(StopMode.FAST, checkpoint=True, deadline=stopped, cancelled=cancelled, on_signal=self._cut_off)
        if job.primary:
            self._start_primary(job.conf, deadline, cancelled)
            return ""
        self._start_clear(job.conf, deadline, cancelled)
        return ""

    def _committed(self, cancelled: Callable[[], bool]) -> bool:
        """A promotion's point of no return: the lease once more, and from here on nobody calls it off."""
        if cancelled() or not self._may_write():
            return False
        self._note(irrevocable=True)
        return not cancelled()

    def _cut_off(self) -> None:
        self._note(cut_off=self._clock.now())

    def _after(self, seconds: float) -> Instant:
        return Instant(self._clock.now() + seconds)
