"""Laws of the data: branches of history, what is acknowledged, what may be removed. Source: ha.md 7.1, 3.6."""

from collections.abc import Iterable

from tests.sim.checks.law import PRIMARIES, SYNCHRONOUS, Law, Seen, Stint, stints
from tests.sim.modes import Mode
from tests.sim.record import Followed, Handed, Opened, Record, Removed, Struck

EXCUSED_FOR = 60.0
"""Seconds before a handover and after its successor's promotion in which a fault excuses what was lost."""
REMOVERS = {"follow.20", "follow.50", "down.22", "down.60", "resting.80"}
"""Rules that remove a data directory: by an order, or because it can neither follow nor be rewound."""


def same_branch(record: Record) -> Seen:
    """Nobody streams from a server whose log does not continue its own."""
    for event in record.events:
        if isinstance(event, Followed):
            yield f"at {event.at:.3f} {event.member} follows {event.upstream} on another branch"


def removed_by_rule(record: Record) -> Seen:
    """A data directory is removed only by an order or a rule that says so, and never while its member leads."""
    for event in record.events:
        if isinstance(event, Removed) and (event.leads or event.rule not in REMOVERS):
            yield f"at {event.at:.3f} {event.member} removes its data by {event.rule}"


def one_cluster(record: Record) -> Seen:
    """A cluster is made once; every server is of that cluster."""
    assert record.end is not None
    made = [event for event in record.events if isinstance(event, Opened) and event.how == "made"]
    if len(made) > 1:
        yield f"{' and '.join(event.member for event in made)} made a cluster"
    for server in record.end.servers:
        if server.identifier not in (None, record.end.identifier):
            yield f"{server.member} is of cluster {server.identifier}, the store's is {record.end.identifier}"


def timelines_unique(record: Record) -> Seen:
    """No timeline is opened twice."""
    opened: dict[int, str] = {}
    for event in record.events:
        if isinstance(event, Opened) and event.how == "promoted":
            if event.timeline in opened:
                yield f"at {event.at:.3f} {event.member} opens timeline {event.timeline}, as {opened[event.timeline]} did"
            opened[event.timeline] = event.member


def acknowledged_kept(record: Record) -> Seen:
    """What was acknowledged is lost only with a primary that was lost; never in a planned switchover, never when calm."""
    excuses = [event for event in record.events if isinstance(event, Struck) and _excuses(event)]
    for stint, lost in _losses(record):
        if not excuses or (stint.handed and not any(_near(stint, event) for event in excuses)):
            yield f"{lost} records of {stint.member}, which ended at {stint.until:.3f} ({stint.how})"


def acknowledged_never_lost(record: Record) -> Seen:
    """In synchronous mode nothing that was acknowledged is lost, but by an order that accepts it, or with the data
    directory of the last who had it.
    """
    accepted = [event for event in record.events if isinstance(event, Struck) and event.order and _excuses(event)]
    for stint, lost in _losses(record):
        if not any(_near(stint, event) for event in accepted):
            yield f"{lost} records of {stint.member}, which ended at {stint.until:.3f} ({stint.how})"


def handed_over_whole(record: Record) -> Seen:
    """A leader gives the key up for another only once somebody has all of its log, and says no more than it has."""
    for event in record.events:
        if not isinstance(event, Handed):
            continue
        missing = event.log - max(event.others)
        if missing > 0:
            yield f"at {event.at:.3f} {event.member} hands over, and nobody has its last {missing} records"
        if event.told > event.log:
            yield f"at {event.at:.3f} {event.member} tells of {event.told} records and has {event.log}"


def _losses(record: Record) -> Iterable[tuple[Stint, int]]:
    """Stints, and how many records acknowledged in them the last primary lacks."""
    assert record.end is not None
    kept = next((set(server.log) for server in record.end.servers if server.writable), None)
    lost = [(at, member) for at, number, member in record.acknowledged if kept is not None and number not in kept]
    for stint in stints(record) if lost else []:
        count = sum(stint.covers(at, member) for at, member in lost)
        if count:
            yield stint, count


def _excuses(event: Struck) -> bool:
    return not event.order or event.kind in ("failover", "pause", "reinitialize")


def _near(stint: Stint, event: Struck) -> bool:
    return event.at < stint.taken + EXCUSED_FOR and event.until > stint.until - EXCUSED_FOR


LAWS = (
    Law("INV13 acknowledged", acknowledged_kept, end=True, modes=frozenset(Mode) - SYNCHRONOUS),
    Law("INV13 acknowledged in synchronous mode", acknowledged_never_lost, end=True, modes=SYNCHRONOUS),
    Law("INV18 handed over whole", handed_over_whole, modes=PRIMARIES),
    Law("INV22 removed by rule", removed_by_rule),
    Law("INV23 one cluster", one_cluster, end=True),
    Law("INV24 same branch", same_branch),
    Law("INV25 timelines unique", timelines_unique),
)
