"""One line a cycle: INFO when the rule or its reason changes, WARNING if it alarms, DEBUG else. Decides nothing."""

import logging
import re

from pgctl.agent.core import report
from pgctl.agent.core.effects import Answer
from pgctl.agent.core.view import Decision, View
from pgctl.model import lsn as lsns
from pgctl.model import settings
from pgctl.units import show_seconds

log = logging.getLogger(__name__)


class CycleLog:
    """Remembers what was said last. Numbers in a reason do not make it another one."""

    def __init__(self) -> None:
        self._last = ""
        self._idle: tuple[str, ...] = ()

    def write(self, view: View, decision: Decision, lease_left: float, cut_short: Answer | None) -> None:
        said = f"{decision.rule} {re.sub(r'[0-9.]+', '#', decision.reason)} {cut_short is not None}"
        level = logging.DEBUG if said == self._last else logging.WARNING if decision.alarm else logging.INFO
        self._last = said
        self._tell_idle(settings.without_effect(view.settings))
        log.log(level, "%s", line(view, decision, lease_left, cut_short), extra={"cycle": True})

    def _tell_idle(self, names: tuple[str, ...]) -> None:
        """Names settings that this version accepts and does not act on, once for each change."""
        if names and names != self._idle:
            log.warning("these settings have no effect yet: %s", ", ".join(names))
        self._idle = names


def line(view: View, decision: Decision, lease_left: float, cut_short: Answer | None = None) -> str:
    """`lead.90 all is well  lsn=0/5000060 lease=27s`."""
    text = f"{decision.rule} {decision.sentence}"
    if decision.reason:
        text += f": {decision.reason}"
    problem = report.problem(view)
    found = {
        "lsn": lsns.show(view.server.lsn) if view.server.lsn is not None else "",
        "timeline": view.server.timeline or "",
        "lease": show_seconds(lease_left) if view.lease.held else "",
        "job": view.job.job.name if view.job is not None and not view.job.ended else "",
        "cut": view.cut,
        "problem": "" if problem in decision.reason else problem,
        "ended": f"{cut_short.outcome} ({cut_short.reason})" if cut_short is not None else "",
    }
    values = " ".join(f"{name}={value}" for name, value in found.items() if value)
    return f"{text}  {values}" if values else text
