"""Whether my data lies on the leader's branch of history. Pure. Theory: `model.timeline`. Source: ha.md G10 to G17."""

from pgctl.agent.core.view import View
from pgctl.model import timeline as timelines
from pgctl.model.server import ControlData, Phase

_WAS_PRIMARY = ("shut down", "shutting down", "in production", "in crash recovery")


def was_primary(control: ControlData | None) -> bool:
    """Whether a stopped server last ran as a primary."""
    return control is not None and control.state in _WAS_PRIMARY


def diverged(view: View) -> bool | None:
    """True or False once the leader's history is known; None while it is not.

    A crashed primary's last position is unknown until crash recovery: on another timeline than the leader it counts
    as diverged, and pg_rewind, which recovers first, says if nothing has to be done.
    """
    history, server = view.upstream_history, view.server
    if history is None:
        return None
    if server.phase is Phase.STANDBY:
        if server.timeline is None or server.replay_lsn is None:
            return None
        return not timelines.can_follow(history, server.timeline, server.replay_lsn)
    control = server.control
    if control is None:
        return None
    if control.state == "shut down":
        # The checkpoint record starts at checkpoint_lsn and ends beyond it.
        end = type(control.checkpoint_lsn)(control.checkpoint_lsn + 1)
        return not timelines.can_follow(history, control.checkpoint_timeline, end)
    if was_primary(control):
        return control.checkpoint_timeline != history.timeline
    reached, line = control.minimum_recovery_lsn, control.minimum_recovery_timeline
    if not reached or not line:
        return not timelines.can_follow(history, control.checkpoint_timeline, control.checkpoint_lsn)
    return not timelines.can_follow(history, line, reached)
