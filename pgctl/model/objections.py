"""Every objection to a switchover or failover, in the order in which peers check them: a table, pure.

`text` and `status` are those of the REST API; `hint` says more, in whole sentences. Nothing here asks a member:
answers to status requests are given. Source: rest.md 13 (the numbers in the table are its rows), ha.md 2.8.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pgctl.model import document
from pgctl.model.cluster import Cluster
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, Tags
from pgctl.model.settings import SyncMode
from pgctl.units import show_bytes


class Answer(Protocol):
    """What is looked at in a member's answer to a status request. An `lsn` of 0 is not known.

    `live`: its position is of the moment it was asked; else of the member's last look, and may be outrun since.
    """

    @property
    def reachable(self) -> bool: ...

    @property
    def problem(self) -> str: ...

    @property
    def live(self) -> bool: ...

    @property
    def lsn(self) -> Lsn: ...

    @property
    def timeline(self) -> int | None: ...

    @property
    def tags(self) -> Tags: ...

    @property
    def watchdog_failed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an intent cannot be honoured: the status and text that the REST API answers, and a hint for people."""

    status: int
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Case:
    cluster: Cluster
    intent: Intent
    now: datetime
    asked: Mapping[str, Answer] | None
    failover: bool
    """Which of the two was asked for; with a leader given a failover is judged as a switchover all the same."""

    @property
    def action(self) -> str:
        return "switchover" if self.intent.switchover else "failover"

    @property
    def scheduled(self) -> bool:
        return self.intent.scheduled_at is not None or bool(self.intent.schedule_fault)

    @property
    def plain_sync(self) -> bool:
        """Synchronous mode without quorum: only listed members may be promoted by a switchover."""
        settings = self.cluster.settings
        wanted = settings.synchronous and settings.synchronous_mode is SyncMode.ON
        # A leader that keeps no synchronous standbys has cleared the list: then any standby is as good as another.
        return wanted and self.cluster.sync.active

    @property
    def others(self) -> tuple[Member, ...]:
        """Members but the leader that can be asked."""
        leader = self.cluster.leader_name
        return tuple(member for member in self.cluster.members if member.name != leader and member.api_url)

    @property
    def candidates(self) -> tuple[Member, ...]:
        """Those of `others` that may be promoted: the named one, else the synchronous ones, else all."""
        if self.intent.candidate:
            return tuple(member for member in self.others if member.name == self.intent.candidate)
        sync = self.cluster.sync
        return tuple(member for member in self.others if not self.plain_sync or sync.is_standby(member.name))


def objections(cluster: Cluster, intent: Intent, *, now: datetime, asked: Mapping[str, Answer] | None = None,
               failover: bool | None = None) -> tuple[Objection, ...]:
    """All that stands against `intent`, most basic first; empty when nothing does.

    `now` carries its zone. `asked` holds answers by member name; a candidate without one is unreachable. None: nobody
    was asked, and only what the store says counts. `failover` is what was asked for; None: as the intent reads.
    """
    case = _Case(cluster, intent, now, asked, not intent.switchover if failover is None else failover)
    found = [row.objection(case) for row in _ANY_TIME if row.holds(case)]
    if not case.scheduled:
        found.extend(row.objection(case) for row in _AT_ONCE if row.holds(case))
    if not found and not case.scheduled and not any(_unfit(case, member) == "" for member in case.candidates):
        text = f"{case.action} is not possible: no good candidates have been found"
        found.append(Objection(412, text, _reasons(case)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    status: int
    text: str
    holds: Callable[[_Case], bool]
    hint: Callable[[_Case], str] = lambda case: ""

    def objection(self, case: _Case) -> Objection:
        return Objection(self.status, self.text.format(action=case.action), self.hint(case))


def _zoneless(case: _Case) -> bool:
    at = case.intent.scheduled_at
    return case.intent.schedule_fault.endswith(document.NO_ZONE) or at is not None and at.tzinfo is None


def _past(case: _Case) -> bool:
    at = case.intent.scheduled_at
    return at is not None and at.tzinfo is not None and at < case.now


def _leader_is(case: _Case) -> str:
    name = case.cluster.leader_name
    return f"The leader is {name}." if name else "The cluster has no leader now."


def _sync_are(case: _Case) -> str:
    names = ", ".join(case.cluster.sync.standbys)
    return f"Synchronous standbys are {names}." if names else "There is no synchronous standby now."


def _known(case: _Case) -> str:
    names = ", ".join(member.name for member in case.cluster.members if member.name != case.cluster.leader_name)
    return f"Other members are {names}." if names else "The cluster has no other member."


_ANY_TIME = (
    _Row(3, 400, "Failover could be performed only to a specific candidate",
         lambda case: case.failover and not case.intent.candidate, _known),
    _Row(4, 400, "Switchover could be performed only from a specific leader",
         lambda case: not case.failover and not case.intent.leader, _leader_is),
    _Row(5, 400, "Failover can't be scheduled", lambda case: case.failover and case.scheduled,
         lambda case: "Schedule a switchover instead."),
    _Row(6, 400, "Can't schedule switchover in the paused state",
         lambda case: not case.failover and case.scheduled and case.cluster.settings.pause,
         lambda case: "Resume the cluster first."),
    _Row(7, 400, "Timezone information is mandatory for the scheduled switchover", _zoneless,
         lambda case: "Add an offset, such as +00:00."),
    _Row(8, 422, "Cannot schedule switchover in the past", _past,
         lambda case: f"It is {case.now.isoformat(timespec='seconds')} now."),
    _Row(9, 422, "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601",
         lambda case: bool(case.intent.schedule_fault) and not _zoneless(case)),
    _Row(10, 400, "Switchover is possible only to a specific candidate in a paused state",
         lambda case: case.cluster.settings.pause and case.intent.switchover and not case.intent.candidate, _known),
    _Row(12, 400, "Switchover target and source are the same",
         lambda case: case.intent.switchover and case.intent.leader == case.intent.candidate, _known),
)

_AT_ONCE = (
    _Row(13, 412, "leader name does not match",
         lambda case: case.intent.switchover and case.intent.leader != case.cluster.leader_name, _leader_is),
    _Row(14, 412, "candidate name does not match with sync_standby",
         lambda case: case.intent.switchover and case.plain_sync and bool(case.intent.candidate)
         and not case.cluster.sync.is_standby(case.intent.candidate or ""), _sync_are),
    _Row(15, 412, "candidate does not exists",
         lambda case: bool(case.intent.candidate) and not case.cluster.member(case.intent.candidate or ""), _known),
    _Row(16, 412, "{action} is not possible: can not find sync_standby",
         lambda case: case.plain_sync and not case.intent.candidate and not any(
             case.cluster.sync.is_standby(member.name) for member in case.cluster.members), _sync_are),
    _Row(17, 412, "{action} is not possible: cluster does not have members except leader",
         lambda case: not case.others, _leader_is),
)


def _reasons(case: _Case) -> str:
    """Row 18: a sentence a candidate."""
    if case.intent.candidate and case.intent.candidate == case.cluster.leader_name:
        return f"{case.intent.candidate} is the leader already."
    reasons = [f"{member.name} {_unfit(case, member)}." for member in case.candidates]
    return " ".join(reasons) or f"{case.intent.candidate or 'No candidate'} has published no address of its API."


def _unfit(case: _Case, member: Member) -> str:
    """Why a candidate is not healthy; empty when it is. Lag and timeline count where the leader will look at them.

    And where the answer is live: an older one is no ground to refuse, for the leader sees how far its standbys are. Where
    nobody leads, nobody comes to another timeline meanwhile.
    """
    answer = case.asked.get(member.name) if case.asked is not None else None
    if (answer.tags if answer else member.tags).nofailover:
        return "has the tag nofailover"
    if case.asked is None:
        return ""
    if answer is None or not answer.reachable:
        return f"does not answer ({answer.problem})" if answer and answer.problem else "does not answer"
    if answer.watchdog_failed:
        return "has no working watchdog, which it requires"
    if not answer.live and case.cluster.leader_name:
        return ""
    behind = case.cluster.status.optime - answer.lsn if answer.lsn else 0
    if case.intent.switchover and behind > case.cluster.settings.maximum_lag_on_failover:
        return f"is {show_bytes(behind)} behind, more than maximum_lag_on_failover"
    timeline = case.cluster.history.timeline
    settings = case.cluster.settings
    if settings.check_timeline and settings.standby_cluster is None and (answer.timeline or 0) < timeline:
        return f"is on timeline {answer.timeline}, and the cluster on {timeline}"
    return ""
