"""Which of thirteen situations a view is: the first that holds picks the table.

Who leads splits three of them in two: what a leader does about a pause, a server that is gone or a cluster without a
record has nothing in common with what others do. A standby cluster's leader keeps a standby, and so has a table of its own.
"""

from enum import StrEnum

from pgctl.agent.core import cluster_facts, remote
from pgctl.agent.core.view import View
from pgctl.model.server import Phase


class Situation(StrEnum):
    JOB = "job"
    CUT = "cut"
    PAUSED = "paused"
    RESTING = "resting"
    ALIEN = "alien"
    EMPTY = "empty"
    LAME = "lame"
    DOWN = "down"
    UNRECORDED = "unrecorded"
    RACE = "race"
    LEAD = "lead"
    STANDBY_LEAD = "standby_lead"
    FOLLOW = "follow"


MEANING = {
    Situation.JOB: "a long deed is under way",
    Situation.CUT: "the store cannot be read",
    Situation.PAUSED: "pause, and I hold the lease",
    Situation.RESTING: "pause, and I do not hold the lease",
    Situation.ALIEN: "another cluster's data",
    Situation.EMPTY: "no data directory",
    Situation.LAME: "I hold the lease, and my server does not run",
    Situation.DOWN: "the server does not run",
    Situation.UNRECORDED: "no leader, and no record of which cluster this is",
    Situation.RACE: "no leader",
    Situation.LEAD: "I hold the lease",
    Situation.STANDBY_LEAD: "I hold the lease of a standby cluster",
    Situation.FOLLOW: "somebody else holds the lease",
}
"""What holds there, when none before it does: for people."""


def situation(view: View) -> Situation:
    """Total: every view is exactly one of the thirteen."""
    cluster = view.cluster
    if view.job is not None and not view.job.ended:
        return Situation.JOB
    if cluster is None:
        return Situation.CUT
    leading = cluster.leader_name == view.me
    if cluster.settings.pause:
        return Situation.PAUSED if leading else Situation.RESTING
    if cluster_facts.alien(view):
        return Situation.ALIEN
    if view.server.phase is Phase.EMPTY:
        return Situation.EMPTY
    if not view.server.running:
        return Situation.LAME if leading else Situation.DOWN
    if cluster.leader is None:
        return Situation.RACE if cluster.known_identifier else Situation.UNRECORDED
    if not leading:
        return Situation.FOLLOW
    return Situation.LEAD if remote.section(view) is None else Situation.STANDBY_LEAD
