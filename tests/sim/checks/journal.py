"""The law of the event journal: each thing that happened is told, and told once. Source: `pgctl.model.events`."""

from collections import Counter

from pgctl.model.events import LEADING
from tests.sim.checks.law import HELD, Law, Seen
from tests.sim.record import Record


def told(record: Record) -> Seen:
    """The journal tells of the leader there is, of each promotion once, and of nothing twice."""
    assert record.end is not None
    journal = record.end.journal
    if journal.seen.leader != record.end.holder:
        yield f"the journal tells of {journal.seen.leader or 'nobody'}, the key is held by {record.end.holder}"
    leading = [event for event in journal.events if event.what in LEADING]
    if leading and record.end.holder not in {event.target or event.member for event in leading}:
        yield f"it tells of no change by which {record.end.holder} leads"
    opened = (event for event in leading if event.what in ("switchover", "failover", "promotion") and not event.failed)
    promoted = Counter(event.timeline for event in opened)
    yield HELD
    yield from (f"timeline {timeline} began {times} times" for timeline, times in promoted.items() if times > 1)
    same = Counter((event.member, event.at, event.what, event.timeline) for event in journal.events)
    yield from (f"{name} {what} at {at} is told {times} times" for (name, at, what, _), times in same.items() if times > 1)


LAWS = (Law("told", told, end=True),)
