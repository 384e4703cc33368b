"""How an order ended, as far as a view shows it: the answers whose asker waits. Pure. Source: rest.md 11 to 13."""

from pgctl.agent.core.job import Clone, Rebuild, Restart
from pgctl.agent.core.view import JobState, Order, RestartOrder, View
from pgctl.agent.inbox import Reply
from pgctl.model.intent import Intent
from pgctl.model.member import Role
from pgctl.units import Instant


def result(view: View, closed: str, intent: Intent, former: str | None) -> Reply | None:
    """How a switchover or failover ended, as far as this view shows it; None while it does not. `closed`: why it was."""
    cluster = view.cluster
    if cluster is None or cluster.leader is None:
        return None
    deed, past = ("Switchover", "switched") if intent.switchover else ("Failover", "failed")
    leader = cluster.leader.name
    if leader == former:
        if cluster.intent is not None:
            return None
        return Reply(503, f"{deed} failed: {closed}" if closed else f"{deed} failed")
    member = cluster.leader_member
    if member is None or (cluster.settings.standby_cluster is None and member.role != Role.PRIMARY):
        return None
    if intent.candidate in (None, leader):
        return Reply(200, f'Successfully {past} over to "{leader}"')
    return Reply(200, f'{past.capitalize()} over to "{leader}" instead of "{intent.candidate}"')


def restarted(job: JobState | None, number: int) -> Reply | None:
    """The answer to an order to restart, once its deed has ended."""
    if job is None or not job.ended or not isinstance(job.job, Restart) or job.job.order != number:
        return None
    if job.ok:
        return Reply(200, "restarted successfully")
    starting = "still starting" in job.message
    return Reply(503, "postgres is still starting" if starting else f"restart failed: {job.message}")


def rebuilding(job: JobState | None, since: Instant) -> Reply | None:
    """The answer to an order to reinitialize, once its deed has begun."""
    begun = job is not None and isinstance(job.job, Rebuild | Clone) and job.started >= since
    return Reply(200, "reinitialize started") if begun else None


def taken_up(asked: Order, job: JobState | None) -> bool:
    """Whether the deed that was ordered is under way, so that no later cycle does it again."""
    if job is None:
        return False
    if isinstance(asked, RestartOrder):
        return isinstance(job.job, Restart) and job.job.order == asked.id
    return isinstance(job.job, Rebuild | Clone) and not job.ended
