"""Deeds of a leader whose server is no primary: it waits for it, or stops it and lets somebody else lead.

Which of the two is `recovery`'s to say, or the watchdog's.
"""

from dataclasses import replace

from pgctl.agent.core import deeds, recovery, upkeep
from pgctl.agent.core.effects import CancelJob
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View
from pgctl.model.server import Phase


def wait_for_server(view: View) -> Plan:
    standing = view.server.phase is Phase.STANDBY and view.now < view.memory.retry_at
    return deeds.wait_for_retry(view) if standing else deeds.wait_soon(view)


def yield_lead(view: View) -> Plan:
    return replace(deeds.release(view), reason=recovery.why_over(view))


def step_down(view: View) -> Plan:
    """A primary is stopped without ceremony, and gives the lead up once it is; a standby gives it up now."""
    plan = deeds.stop_now(view) if view.server.phase is Phase.PRIMARY else deeds.release(view)
    return replace(plan, reason=view.host.watchdog_fault)


def stop_stuck(view: View) -> Plan:
    """One that starts has acknowledged nothing yet, so nothing is lost by being short with it."""
    plan = deeds.stop_now(view)
    if view.server.phase is not Phase.STARTING:
        return plan
    reason = recovery.why_over(view) or view.memory.last_failure
    return replace(plan, memory=replace(plan.memory or view.memory, yielding=True), reason=reason)


def cancel_to_yield(view: View) -> Plan:
    return replace(upkeep.add(upkeep.quiet(view), CancelJob("somebody else can lead")), reason=recovery.why_over(view))
