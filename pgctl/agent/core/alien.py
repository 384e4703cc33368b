"""Deeds where the data directory is another cluster's: its server may not take writes that nobody guards; then the end."""

from dataclasses import replace

from pgctl.agent.core import deeds, handover
from pgctl.agent.core.effects import Quit
from pgctl.agent.core.job import Stop
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.conf import StopMode


def stop_alien(view: View) -> Plan:
    """In order: nobody here leads it, so nobody knows that it takes writes (ha.md INV4, S4)."""
    stop = Stop(mode=StopMode.FAST, timeout=handover.STOP_WITHIN)
    return replace(deeds.start(view, stop, keep_fence=True), reason=_foreign(view))


def quit_alien(view: View) -> Plan:
    return Plan((Quit(f"this data directory belongs to another cluster: {_foreign(view)}"),))


def _foreign(view: View) -> str:
    known = view.cluster.known_identifier if view.cluster else ""
    return f"its system identifier is {view.server.system_identifier}, the cluster's {known}"
