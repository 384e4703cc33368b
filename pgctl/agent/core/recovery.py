"""How long a leader waits for its own server before somebody else may lead, and when it has crashed too often. Pure.

A crashed primary that comes back in place loses nothing, and others can only take over what they have received. So it is
started at once, and others get the lead when that has not helped (ha.md WK3):

* it failed to start MAX_STARTS times, or crashed CRASHES times within SPAN: to try again is no plan;
* it is not up within `primary_start_timeout` (0: do not even try);
* with synchronous replication nothing is lost by a failover, so there it has QUICK seconds at most.

In each case only if somebody can take over; else waiting goes on, for there is nothing better. Source: ha.md D3, D4, D10.
"""

from dataclasses import replace

from pgctl.agent.core.job import Rebuild, Restart, Rewind, Stop
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import View
from pgctl.model.server import Phase
from pgctl.units import show_seconds

MAX_STARTS = 3
CRASHES, SPAN = 3, 300.0
QUICK = 10.0
AWAY = (Phase.DOWN, Phase.STARTING)


def note(view: View, memory: Memory) -> Memory:
    """The memory with what this look at the server adds: since when it is away, and when it crashed.

    Only while I lead: what a standby does is nobody's outage. A server that is stopped by a deed did not crash.
    """
    leading = view.lease.held or (view.cluster is not None and view.cluster.leader_name == view.me)
    if not leading:
        return replace(memory, primary_up=False, away_since=None, crashes=(), yielding=False)
    phase = view.server.phase
    if phase not in AWAY:
        up = phase is Phase.PRIMARY or (memory.primary_up and phase in (Phase.HUNG, Phase.STOPPING))
        return replace(memory, primary_up=up, away_since=None, yielding=memory.yielding and phase is not Phase.PRIMARY)
    deliberate = view.job is not None and isinstance(view.job.job, Stop | Restart | Rewind | Rebuild)
    crashes = tuple(at for at in memory.crashes if view.now - at <= SPAN)
    if memory.primary_up and not deliberate:
        crashes = (*crashes, view.now)
    away = memory.away_since if memory.away_since is not None else view.now
    return replace(memory, primary_up=False, away_since=away, crashes=crashes)


def allowance(view: View) -> float:
    """Seconds that the server has to come up."""
    limit = view.settings.primary_start_timeout
    return min(limit, QUICK) if view.settings.synchronous else limit


def late(view: View) -> bool:
    """It should be up by now."""
    since = view.memory.away_since
    return since is not None and view.now - since >= allowance(view)


def why_over(view: View) -> str:
    """Why somebody else should lead, if somebody can; empty while waiting is better."""
    memory = view.memory
    if memory.start_failures >= MAX_STARTS:
        return f"it failed to start {memory.start_failures} times: {memory.last_failure}"
    if len(memory.crashes) >= CRASHES:
        return f"it crashed {len(memory.crashes)} times within {show_seconds(view.now - memory.crashes[0])}"
    if late(view):
        return f"it is not up within {show_seconds(allowance(view))}"
    return "it did not come up in time" if memory.yielding else ""
