"""What the event journal does not yet tell of this view: the leader's part, and nobody else writes it. Pure.

Law: `model.events`. It comes last in the upkeep of a leader, after everything that somebody waits for. What a leader
cannot see for itself, such as a member's rebuilding, that member says in its own key (`record`). When writes ended is
known from whoever stopped the server; until that member has said so, the event carries the bounds that its successor saw.
"""

from collections.abc import Container, Iterator
from dataclasses import replace

from pgctl.agent.core import record
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.own_keys import WriteJournal
from pgctl.agent.core.view import View
from pgctl.model import events
from pgctl.model.cluster import Cluster
from pgctl.model.document import moment
from pgctl.model.events import LEADING, Event, Journal, Refused, Seen
from pgctl.model.server import Phase

_DRIFT = 2.0
"""Seconds by which two hosts' clocks may differ before their times are not compared any more."""
_UNHEARD = 60.0
"""Seconds before a leader vanished in which a stop of its counts as the reason, when nobody knows better."""
STOPS = frozenset({"demotion", "stop"})


def told(view: View, memory: Memory) -> tuple[tuple[WriteJournal, ...], Memory]:
    """The write that brings the journal up to this view, if one is needed; and the settings it has told of."""
    cluster = view.cluster
    if cluster is None or not view.server.timeline:
        return (), memory
    if cluster.journal.known and events.digest(cluster.config) == cluster.journal.seen.config:
        memory = replace(memory, config_told=cluster.config)
    wanted = brought_up(view, cluster)
    if wanted == cluster.journal:
        return (), memory
    return (WriteJournal(wanted, cluster.revision("events")),), memory


def brought_up(view: View, cluster: Cluster) -> Journal:
    """The journal with all that it does not yet tell of."""
    before = cluster.journal
    news = [*_leadership(view, cluster), *_pause(view, cluster), *_config(view, cluster), *_members(view, cluster)]
    news += _deeds(view, cluster)
    # By time, for a member may tell late: whoever was cut off says only when it is back that it was promoted before.
    known = _settle(tuple(sorted((*before.events, *news), key=lambda event: event.at)))
    last = before.seen.members
    members = {name: deeds[-1].at if deeds else last.get(name, "") for name, deeds in _all_deeds(view, cluster)}
    seen = Seen(view.me, view.server.timeline or 0, view.settings.pause, events.digest(cluster.config), members)
    return Journal(events.trimmed(known), seen, True)


def _all_deeds(view: View, cluster: Cluster) -> Iterator[tuple[str, tuple[Event, ...]]]:
    """Of every member that reports, and of me, who may not have reported yet."""
    yield view.me, view.memory.deeds
    for member in cluster.members:
        if member.name != view.me:
            yield member.name, member.deeds


def _changed(view: View, cluster: Cluster) -> bool:
    """Another leader or timeline than the journal tells of."""
    seen = cluster.journal.seen
    return not cluster.journal.known or (seen.leader, seen.timeline) != (view.me, view.server.timeline)


def _own_ascents(view: View, told_of: Container[tuple[str, str, str]]) -> list[Event]:
    """My deeds that made me lead on the present timeline, newest first; a bootstrap before what followed it.

    Not those that are told of: a standby cluster comes back to a timeline on which it was led before.
    """
    there = (deed for deed in reversed(view.memory.deeds) if deed.timeline == view.server.timeline)
    mine = [deed for deed in there if deed.what in LEADING and (view.me, deed.at, deed.what) not in told_of]
    return sorted((deed for deed in mine if not deed.failed), key=lambda deed: deed.what != "bootstrap")


def _told_of(cluster: Cluster) -> set[tuple[str, str, str]]:
    """(member, time, what) of each event in the journal."""
    return {(event.member, event.at, event.what) for event in cluster.journal.events}


def _leadership(view: View, cluster: Cluster) -> list[Event]:
    """How I came to lead, and how those did who led since the journal was last written."""
    if not _changed(view, cluster):
        return []
    seen, timeline = cluster.journal.seen, view.server.timeline or 0
    ascents = _own_ascents(view, _told_of(cluster))
    if not cluster.journal.known:
        if ascents and ascents[0].what == "bootstrap":
            return [ascents[0]]
        return [Event(record.stamp(view), "recorded", view.me, "", view.me, timeline, why="the journal begins here")]
    # A standby cluster goes back to its remote's timeline after one of its own, which was told of and not missed.
    old = {event.timeline for event in cluster.journal.events if event.what in LEADING}
    missed = [
        Event(line.timestamp, "lead", line.leader, "", line.leader, line.timeline + 1, why="as the timeline history tells")
        for line in cluster.history.lines
        if line.timestamp and line.leader and seen.timeline < line.timeline + 1 < timeline and line.timeline + 1 not in old
    ]
    if ascents:
        return [*missed, ascents[0]]
    standby_leader = view.server.phase is Phase.STANDBY  # nobody opened the remote's timeline here
    if standby_leader and seen.leader == view.me:
        followed = "as the remote primary has moved to it"
        return [*missed, Event(record.stamp(view), "timeline", view.me, timeline=timeline, why=followed)]
    what = "lead" if seen.timeline == timeline or standby_leader else "promotion" if seen.leader == view.me else "failover"
    return [*missed, Event(record.stamp(view), what, view.me, seen.leader, view.me, timeline)]


def _ordered_by(view: View, cluster: Cluster) -> str:
    """Who ordered the present settings, if this agent was the one that they asked."""
    order = view.config_order
    return order.by if order is not None and order.document == cluster.config else ""


def _pause(view: View, cluster: Cluster) -> list[Event]:
    if view.settings.pause == cluster.journal.seen.pause:
        return []
    what = "pause" if view.settings.pause else "resume"
    return [Event(record.stamp(view), what, by=_ordered_by(view, cluster))]


def _config(view: View, cluster: Cluster) -> list[Event]:
    """Other settings than those told of; which ones, if this agent has seen them before."""
    if not cluster.journal.known or events.digest(cluster.config) == cluster.journal.seen.config:
        return []
    last = view.memory.config_told
    names = events.changes(last, cluster.config or {}) if last is not None else ()
    return [Event(record.stamp(view), "settings", by=_ordered_by(view, cluster), why=", ".join(names)[:200])]


def _members(view: View, cluster: Cluster) -> list[Event]:
    now, seen = {view.me, *(member.name for member in cluster.members)}, cluster.journal.seen.members.keys()
    came = [Event(record.stamp(view), "joined", name) for name in sorted(now - seen)]
    return came + [Event(record.stamp(view), "gone", name) for name in sorted(seen - now)]


def _deeds(view: View, cluster: Cluster) -> list[Event]:
    """What members did and the journal does not tell; how I came to lead is told elsewhere."""
    before, told_of = cluster.journal, _told_of(cluster)
    covered = _own_ascents(view, told_of) if _changed(view, cluster) else []
    found: list[Event] = []
    for name, deeds in _all_deeds(view, cluster):
        times = [deed.at for deed in deeds]
        last = before.seen.members.get(name)
        fresh = deeds[times.index(last) + 1 :] if last in times else deeds
        found += [deed for deed in fresh if (name, deed.at, deed.what) not in told_of and deed not in covered]
    return found


def _settle(known: tuple[Event, ...]) -> tuple[Event, ...]:
    """With the bounds of the last change of leader made exact, once its former leader has said when it stopped."""
    at = next((place for place in reversed(range(len(known))) if known[place].what in LEADING), None)
    refused = None if at is None else known[at].refused
    if at is None or refused is None or refused.least == refused.most:
        return known
    event = known[at]
    most = refused.most if refused.most is not None else refused.least + _UNHEARD
    for stop in reversed(known):
        spent = _between(stop.at, event.at) if stop.what in STOPS and stop.member == event.source else None
        if spent is not None and refused.least - _DRIFT <= spent <= most + _DRIFT:
            exact = event._replace(refused=Refused(max(0.0, spent), max(0.0, spent)))
            return (*known[:at], exact, *known[at + 1 :])
    return known


def _between(first: str, second: str) -> float | None:
    (start, _), (end, _) = moment(first), moment(second)
    return None if start is None or end is None else round((end - start).total_seconds(), 3)
