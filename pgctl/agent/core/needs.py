"""Which further readings this view asks for. Says what; never fetches."""

from pgctl.agent.core import divergence, facts, follow_target, handover, intents, ranking, remote
from pgctl.agent.core.effects import AskPeers, ReadUpstreamHistory
from pgctl.agent.core.situation import Situation, situation
from pgctl.agent.core.view import View
from pgctl.model.member import Role
from pgctl.model.server import Phase


def peers(view: View) -> AskPeers | None:
    """Whom to ask for their status: everybody in a race; possible successors when a handover is at hand."""
    where = situation(view)
    if where is Situation.RACE and view.server.phase is Phase.STANDBY and not view.host.tags.nofailover:
        former = view.memory.former_leader
        return AskPeers(ranking.electorate(view), frozenset({former} if former else ()))
    if where in (Situation.LAME, Situation.PAUSED) and facts.handing_over(view) and facts.cleanly_stopped(view):
        return handover.question(view)
    intent = intents.open_intent(view)
    if where in (Situation.LEAD, Situation.STANDBY_LEAD, Situation.PAUSED) and intent is not None:
        return AskPeers(ranking.electorate(view)) if intents.wait_for(view, intent) == 0 else None
    failing = view.memory.start_failures >= 1 or facts.patience_over(view)
    starting = where is Situation.LEAD and facts.starting_too_long(view)
    recovering = where is Situation.JOB and facts.leader_is_me(view) and facts.recovering_too_long(view)
    if (where is Situation.LAME and failing) or starting or recovering:
        return AskPeers(ranking.electorate(view))
    return None


def upstream_history(view: View) -> ReadUpstreamHistory | None:
    """The leader's history, when mine may lie elsewhere: after a stop, or while I run without streaming."""
    where = situation(view)
    cluster = view.cluster
    if cluster is None or cluster.leader is None:
        return None
    if cluster.leader.name == view.me:
        return _remote_history(view, where)
    upstream = follow_target.leader_upstream(view)
    leader = cluster.leader_member
    if upstream is None or leader is None or leader.role not in (Role.PRIMARY, Role.PROMOTED, "master", Role.STANDBY_LEADER):
        return None
    if where is Situation.DOWN and (divergence.was_primary(view.server.control) or view.memory.start_failures):
        return ReadUpstreamHistory(upstream)
    if where is Situation.FOLLOW and view.server.phase is Phase.STANDBY:
        streaming = view.server.replication_state == "streaming" and view.server.timeline == leader.timeline
        return None if streaming else ReadUpstreamHistory(upstream)
    return None


def _remote_history(view: View, where: Situation) -> ReadUpstreamHistory | None:
    """A standby cluster's leader compares itself with the remote primary, in the same cases."""
    upstream = remote.upstream(view)
    stopped = where is Situation.LAME and (divergence.was_primary(view.server.control) or view.memory.start_failures)
    unfed = where is Situation.STANDBY_LEAD and remote.unfed(view)
    return ReadUpstreamHistory(upstream) if upstream is not None and (stopped or unfed) else None
