"""The effects of rows that mend or replace the data: copy, rewind, build anew, and a restart for slots that must be copied.

One function a deed: (view) → plan. None removes anything that a rule did not allow. The rest: `deeds`.
"""

from dataclasses import replace

from pgctl.agent.core import deeds, divergence, follow_target, logical_slots
from pgctl.agent.core.job import Clone, CopySlots, Rebuild, Rewind
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import ReinitOrder, View


def copy_slots(view: View) -> Plan:
    """A restart for the sake of logical slots, which this version of PostgreSQL reads only as it starts."""
    timeout = view.settings.primary_start_timeout or 300
    plan = deeds.start(view, CopySlots(conf=follow_target.standby_conf(view), timeout=timeout))
    return replace(plan, reason=", ".join(logical_slots.to_copy(view)))


def clone(view: View) -> Plan:
    origin = follow_target.source(view)
    plan = deeds.start(view, Clone(source=origin, conf=follow_target.standby_conf(view)))
    return replace(plan, reason=f"from {origin.name}" if origin else "")


def rewind(view: View) -> Plan:
    origin = follow_target.rewind_source(view)
    plan = deeds.start(view, Rewind(source=origin, conf=follow_target.standby_conf(view)))
    return replace(plan, reason=f"with {origin.name}" if origin else "")


def rebuild(view: View) -> Plan:
    """Removes the data directory and clones it anew; says why, and only where a rule allows it."""
    origin = follow_target.source(view)
    why = "ordered by an operator" if isinstance(view.order, ReinitOrder) else _why_rebuild(view)
    plan = deeds.start(view, Rebuild(source=origin, conf=follow_target.standby_conf(view), why=why))
    return replace(plan, reason=f"{why}; from {origin.name}" if origin else why)


def _why_rebuild(view: View) -> str:
    if divergence.diverged(view) is True:
        cause = "pg_rewind failed" if view.memory.rewind_failed else "pg_rewind cannot be used"
        return f"its data lies on another branch of history and {cause}"
    return f"it failed to start {view.memory.start_failures} times: {view.memory.last_failure}"
