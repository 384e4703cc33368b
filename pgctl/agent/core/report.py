"""My member key, and the status document, as this view says they should be. Pure. Source: dcs.md 3.4 and 3.6."""

from pgctl.agent.core import divergence, duty, remote, slots
from pgctl.agent.core.job import (
    Bootstrap,
    Clone,
    CopySlots,
    Job,
    Promote,
    Rebuild,
    Restart,
    Rewind,
    StartPrimary,
    StartStandby,
    Stop,
)
from pgctl.agent.core.view import View
from pgctl.model.cluster import Status
from pgctl.model.member import Member, Role, State
from pgctl.model.server import Phase

_OF_JOB: dict[type[Job], State] = {
    Bootstrap: State.INITIALIZING,
    Clone: State.CREATING_REPLICA,
    Rebuild: State.CREATING_REPLICA,
    Rewind: State.STOPPED,
    StartStandby: State.STARTING,
    StartPrimary: State.STARTING,
    Restart: State.RESTARTING,
    CopySlots: State.RESTARTING,
    Stop: State.STOPPING,
}

_OF_PHASE = {
    Phase.PRIMARY: State.RUNNING,
    Phase.STANDBY: State.RUNNING,
    Phase.HUNG: State.RUNNING,
    Phase.STARTING: State.STARTING,
    Phase.STOPPING: State.STOPPING,
}


def running_job(view: View) -> Job | None:
    return view.job.job if view.job is not None and not view.job.ended else None


def problem(view: View) -> str:
    """What is wrong with my server; nothing while its data directory is being made: it is not whole then, as it must be."""
    making = isinstance(running_job(view), Bootstrap | Clone | Rebuild | Rewind)
    return "" if making and not view.server.running else view.server.problem


def state(view: View) -> State:
    """The state text of my member key."""
    job = running_job(view)
    if job is not None and type(job) in _OF_JOB:
        return _OF_JOB[type(job)]
    if view.server.phase in _OF_PHASE:
        return _OF_PHASE[view.server.phase]
    if view.memory.start_failures and view.server.phase is Phase.DOWN:
        return State.START_FAILED
    control = view.server.control
    return (
        State.CRASHED if control is not None and control.state in ("in production", "in archive recovery") else State.STOPPED
    )


def role(view: View) -> Role:
    """The role of my member key: what the server is, or was before it stopped."""
    if isinstance(running_job(view), Promote):
        return Role.PROMOTED
    phase = view.server.phase
    if phase is Phase.PRIMARY:
        return Role.PRIMARY
    if phase is Phase.EMPTY:
        return Role.UNINITIALIZED
    control = view.server.control
    leads = view.cluster is not None and view.cluster.leader_name == view.me
    if leads and remote.section(view) is not None and not divergence.was_primary(control):
        return Role.STANDBY_LEADER
    unread = control is None and not view.server.standby_signal
    if phase is not Phase.STANDBY and leads and (unread or divergence.was_primary(control)):
        return Role.PRIMARY
    return Role.DEMOTED if divergence.was_primary(control) else Role.REPLICA


def member(view: View) -> Member:
    """The whole document."""
    host, server = view.host, view.server
    up = server.phase in (Phase.PRIMARY, Phase.STANDBY)
    standby = server.phase is Phase.STANDBY
    return Member(
        name=host.name,
        conn_url=host.conn_url,
        api_url=host.api_url,
        state=state(view),
        role=role(view),
        version=host.version,
        timeline=server.timeline,
        xlog_location=server.lsn if up else None,
        receive_lsn=server.receive_lsn if standby else None,
        replay_lsn=server.replay_lsn if standby else None,
        replication_state=server.replication_state if standby else None,
        tags=duty.leaving(host.tags) if view.memory.leaving_since is not None else host.tags,
        pending_restart=bool(server.pending_restart),
        pending_restart_reason=server.pending_restart,
        scheduled_restart=host.scheduled_restart,
        pause=view.settings.pause,
        checkpoint_pending=_checkpoint_pending(view),
        proxy_url=host.proxy_url,
        deeds=view.memory.deeds,
    )


def _checkpoint_pending(view: View) -> bool:
    """Whether pg_control has yet to carry the timeline that my primary is on.

    A primary that hangs has got no further than it was when I last said so; where I never have, since it hangs from its
    promotion on, its checkpoint is still to come.
    """
    server = view.server
    if server.phase is Phase.HUNG:
        said = view.memory.published or (view.cluster.member(view.me) if view.cluster else None)
        untold = said is None or said.role is not Role.PRIMARY
        return role(view) is Role.PRIMARY and (untold or (said is not None and said.checkpoint_pending))
    known = server.phase is Phase.PRIMARY and server.checkpoint_timeline is not None
    return known and server.checkpoint_timeline != server.timeline


def status(view: View) -> Status:
    """`/status` as the leader should write it."""
    before = view.cluster.status if view.cluster else Status()
    return Status(
        optime=view.server.lsn or before.optime,
        slots=slots.positions(view),
        retain_slots=slots.retained(view).names,
    )


def final_status(view: View) -> Status:
    """`/status` after a clean stop: the shutdown checkpoint is what a successor must have received (ha.md M17)."""
    before = view.cluster.status if view.cluster else Status()
    control = view.server.control
    return Status(control.checkpoint_lsn if control else before.optime, before.slots, before.retain_slots)
