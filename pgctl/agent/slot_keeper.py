"""The thread that works on logical slots, which can take minutes: the last plan given counts, one is worked on at a time.

It decides nothing. What it found is a cell of its own: the next cycle reads it. A failure is told once, and left to the
next plan.
"""

import logging
import threading
from collections.abc import Callable

from pgctl.errors import PgctlError
from pgctl.model.conf import LogicalFound, LogicalPlan
from pgctl.units import Seconds

log = logging.getLogger(__name__)

Work = Callable[[LogicalPlan, Callable[[], bool]], tuple[LogicalFound, tuple[str, ...]]]


class SlotKeeper:
    """`want` and `found` are the cycle thread's. The thread begins with the first plan; many servers never need one."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._wake = threading.Condition()
        self._plan: LogicalPlan | None = None
        self._leader = LogicalPlan().leader
        self._found = LogicalFound()
        self._stopped = False
        self._told: frozenset[str] = frozenset()
        self._thread: threading.Thread | None = None

    def want(self, plan: LogicalPlan) -> None:
        """Takes the place of a plan that has not begun. What another leader told of its slots no longer counts."""
        with self._wake:
            self._plan = plan
            if plan.leader != self._leader:
                self._leader, self._found = plan.leader, LogicalFound()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="slots", daemon=True)
                self._thread.start()
            self._wake.notify()

    def found(self) -> LogicalFound:
        return self._found

    def stop(self, longest: Seconds) -> None:
        """Ends after the statement under way; it may take `longest`."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(longest)

    def _run(self) -> None:
        while (plan := self._next()) is not None:
            try:
                found, failed = self._work(plan, lambda: self._stopped)
            except PgctlError as error:
                found, failed = LogicalFound(), (str(error),)
            except Exception:
                log.exception("a bug ended the work on logical slots; the next plan is tried")
                continue
            with self._wake:
                if plan.leader == self._leader:
                    self._found = found
            for line in failed:
                if line not in self._told:
                    log.warning("%s", line)
            self._told = frozenset(failed)

    def _next(self) -> LogicalPlan | None:
        with self._wake:
            while self._plan is None and not self._stopped:
                self._wake.wait()
            plan, self._plan = self._plan, None
            return None if self._stopped else plan
