"""Restarts of this member: their conditions, judged against a view, and the one that is scheduled. Pure but for its slot.

Conditions: a role, a version that the server must be below, a pending restart. Source: rest.md 11, ha.md R1 to R9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pgctl.agent.core.view import View
from pgctl.model import document
from pgctl.model.member import ScheduledRestart
from pgctl.model.server import Phase, ServerState
from pgctl.units import Wall

STALE = 1.5
"""Loops after which a scheduled restart that was missed is dropped (ha.md H30)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a scheduled restart: begin it, or drop it with a reason; neither: it waits."""

    begin: bool = False
    drop: str = ""


def from_body(body: Mapping[str, object], view: View) -> ScheduledRestart:
    """The order as a value; `schedule` is empty for one that is to happen now."""
    postmaster = view.server.postmaster
    return ScheduledRestart(
        schedule=document.text(body.get("schedule")) or "",
        postmaster_start_time=postmaster.start_time if postmaster else None,
        role=document.text(body.get("role")),
        postgres_version=document.text(body.get("postgres_version")),
        restart_pending=bool(body.get("restart_pending")),
        timeout=document.seconds(body.get("timeout")),
    )


def unmet(restart: ScheduledRestart, view: View) -> str:
    """The condition that does not hold, in words; empty when all hold."""
    server = view.server
    if restart.role and restart.role != role(view):
        return f"the role is {role(view)}, not {restart.role}"
    if restart.postgres_version and server.version >= version_number(restart.postgres_version):
        return f"the server's version is not below {restart.postgres_version}"
    if restart.restart_pending and not server.pending_restart:
        return "no restart is pending"
    return ""


def judge(restart: ScheduledRestart, view: View, wall: Wall) -> Verdict:
    """A scheduled restart against the clock and the view. Pause holds it back, until it is stale."""
    late = wall - instant(restart)
    if replaced(restart, view.server):
        return Verdict(drop="the server was restarted meanwhile")
    if late < 0:
        return Verdict()
    if late > STALE * view.settings.loop_wait:
        return Verdict(drop=f"it was missed by {late:.0f} s")
    if view.settings.pause:
        return Verdict()
    why = unmet(restart, view)
    return Verdict(drop=why) if why else Verdict(begin=True)


def instant(restart: ScheduledRestart) -> Wall:
    """When it is due; long ago when its time cannot be read."""
    found, _ = document.moment(restart.schedule)
    return Wall(found.timestamp() if isinstance(found, datetime) else 0.0)


def replaced(restart: ScheduledRestart, server: ServerState) -> bool:
    """Whether another postmaster runs than when the restart was scheduled."""
    now = server.postmaster.start_time if server.postmaster else None
    return bool(restart.postmaster_start_time and now and restart.postmaster_start_time != now)


def role(view: View) -> str:
    """The role that orders mean: `primary`, `standby_leader` or `replica`."""
    if view.server.phase is Phase.PRIMARY:
        return "primary"
    leads = view.cluster is not None and view.cluster.leader_name == view.me
    return "standby_leader" if leads and view.settings.standby_cluster is not None else "replica"


def version_number(text: str) -> int:
    """`15.4` as 150004, `9.6.12` as 90612; 0 when it is none."""
    try:
        parts = [int(part) for part in text.split(".")]
    except ValueError:
        return 0
    if parts[0] >= 10:
        return parts[0] * 10000 + sum(parts[1:2])
    return sum(part * size for part, size in zip(parts, (10000, 100, 1), strict=False))
