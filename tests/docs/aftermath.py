"""Where a rule leads: the view once its effects have worked, and the view after something has happened meanwhile. Pure.

Only what picks a situation is changed: who leads, what the record says, in which phase the server is. A long deed counts
as done, and as having worked: what failed is looked at afresh, and the tables say what comes of it.
"""

from collections.abc import Callable
from dataclasses import replace

from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.agent.core.situation import Situation, situation
from pgctl.agent.core.view import Decision, Lease, View
from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.member import MemberName
from pgctl.model.server import Phase

ENDS_IN: dict[type[j.Job], Phase] = {
    j.Bootstrap: Phase.PRIMARY,
    j.Clone: Phase.STANDBY,
    j.Rebuild: Phase.STANDBY,
    j.Rewind: Phase.STANDBY,
    j.StartStandby: Phase.STANDBY,
    j.StartPrimary: Phase.PRIMARY,
    j.CopySlots: Phase.STANDBY,
    j.Stop: Phase.DOWN,
    j.Promote: Phase.PRIMARY,
}
"""A restart ends as it began."""


def after(view: View, decision: Decision) -> Situation | None:
    """The situation once this decision's effects have worked; None: the agent has ended."""
    for effect in decision.effects:
        if isinstance(effect, e.Quit):
            return None
        view = _done(view, effect)
    if view.job is not None and not view.job.ended:
        view = _deed(view, view.job.job)
    return situation(replace(view, job=None))


def _done(view: View, effect: object) -> View:
    match effect:
        case e.HoldLease() | e.ReclaimLease():
            return _led_by(view, view.me)
        case e.ReleaseLease():
            return _led_by(view, None)
        case e.WriteInitialize(value) if view.cluster is not None:
            return replace(view, cluster=replace(view.cluster, initialize=value))
        case e.DeleteInitialize() if view.cluster is not None:
            return replace(view, cluster=replace(view.cluster, initialize=None))
        case e.CancelJob():
            return replace(view, job=None)
        case e.StartJob(job):
            return _deed(view, job)
    return view


def _deed(view: View, job: j.Job) -> View:
    """A copy of the data has the identifier of what it is a copy of; a new cluster its own."""
    known = view.cluster.known_identifier if view.cluster else None
    copied = isinstance(job, j.Clone | j.Rebuild | j.Bootstrap)
    identifier = (known or view.server.system_identifier) if copied else view.server.system_identifier
    phase = ENDS_IN.get(type(job), view.server.phase)
    return replace(view, job=None, server=replace(view.server, phase=phase, system_identifier=identifier))


def _led_by(view: View, name: MemberName | None) -> View:
    if view.cluster is None:
        return view
    leader = Leader(name, Revision(1), name == view.me) if name else None
    lease = Lease(held=True, deadline=type(view.now)(view.now + 30)) if name == view.me else Lease()
    return replace(view, cluster=replace(view.cluster, leader=leader), lease=lease)


def _server_ends(view: View) -> View:
    return replace(view, server=replace(view.server, phase=Phase.DOWN)) if view.server.running else view


def _nobody_leads(view: View) -> View:
    return _led_by(view, None)


def _another_leads(view: View) -> View:
    return _led_by(view, MemberName("somebody else"))


def _store_is_back(view: View) -> View:
    """It says what it said last, or else no more than that I lead, if by my lease I do."""
    if view.cluster is not None:
        return view
    known = view.memory.cluster or Cluster("", initialize=view.server.system_identifier)
    back = replace(view, cluster=replace(known, settings=view.memory.settings))
    return _led_by(back, view.me) if view.lease.held else back


def _pause_ends(view: View) -> View:
    if view.cluster is None:
        return view
    return replace(view, cluster=replace(view.cluster, settings=replace(view.cluster.settings, pause=False)))


EVENTS: dict[str, Callable[[View], View]] = {
    "the server ends": _server_ends,
    "the leader key ends": _nobody_leads,
    "another takes the lead": _another_leads,
    "the store can be read": _store_is_back,
    "pause ends": _pause_ends,
}
"""What happens without a rule. Left out: that pause begins, or the store is gone, for that leads away from everywhere."""
