"""Which of nine situations a view is: the first that holds picks the table."""

from enum import StrEnum

from pgctl.agent.core.view import View
from pgctl.model.server import Phase


class Situation(StrEnum):
    JOB = "job"  # a long deed is under way
    CUT = "cut"  # the store cannot be read
    PAUSED = "paused"
    ALIEN = "alien"  # another cluster's data
    EMPTY = "empty"  # no data directory
    DOWN = "down"  # the server does not run
    RACE = "race"  # no leader
    LEAD = "lead"  # I hold the lease
    FOLLOW = "follow"  # someone does


def situation(view: View) -> Situation:
    """Total: every view is exactly one of the nine."""
    cluster = view.cluster
    if view.job is not None and not view.job.ended:
        return Situation.JOB
    if cluster is None:
        return Situation.CUT
    if cluster.settings.pause:
        return Situation.PAUSED
    known, own = cluster.known_identifier, view.server.system_identifier
    if known and own and known != own:
        return Situation.ALIEN
    if view.server.phase is Phase.EMPTY:
        return Situation.EMPTY
    if not view.server.running:
        return Situation.DOWN
    if cluster.leader is None:
        return Situation.RACE
    return Situation.LEAD if cluster.leader.name == view.me else Situation.FOLLOW
