"""Laws of the data: branches of history, what is acknowledged, what may be removed. Source: ha.md 7.1, 3.6."""

from collections.abc import Iterable

from tests.sim.checks import standby
from tests.sim.checks.law import HELD, PRIMARIES, SYNCHRONOUS, Law, Seen, Stint, stints
from tests.sim.modes import Mode
from tests.sim.record import Followed, Handed, JobStarted, KeySet, Opened, Record, Removed, Struck
from tests.sim.record_agents import Alien, Rewound, Told

EXCUSED_FOR = 60.0
"""Seconds before a handover and after its successor's promotion in which a fault excuses what was lost."""
REMOVERS = {"follow.20", "follow.50", "down.22", "down.60", "resting.80"}
"""Rules that remove a data directory: by an order, or because it can neither follow nor be rewound."""


def same_branch(record: Record) -> Seen:
    """Nobody streams from a server whose log does not continue its own."""
    for event in record.events:
        if isinstance(event, Followed):
            yield f"at {event.at:.3f} {event.member} follows {event.upstream} on another branch"
        if isinstance(event, Opened) and event.how == "promoted":
            yield HELD  # whoever was ahead, or was left behind, now has to find its way


def rewound_in_order(record: Record) -> Seen:
    """pg_rewind runs on a stopped server, with one that takes writes and whose pg_control carries its timeline."""
    for event in record.events:
        if isinstance(event, Rewound):
            sound = event.stopped and event.writable and event.checkpointed
            yield HELD if sound else f"at {event.at:.3f} {event.member} is rewound with {event.source}: {event}"


def removed_by_rule(record: Record) -> Seen:
    """A data directory is removed only by an order or a rule that says so, and never while its member leads."""
    for event in record.events:
        if isinstance(event, Removed) and not event.leads and event.rule in REMOVERS:
            yield HELD
        elif isinstance(event, Removed):
            yield f"at {event.at:.3f} {event.member} removes its data by {event.rule}"


def one_cluster(record: Record) -> Seen:
    """Of clusters that were made only one was ever led; every server is of that one."""
    assert record.end is not None
    made = [stint.member for stint in stints(record) if stint.made and stint.ours]
    if len(made) > 1:
        yield f"{' and '.join(made)} made a cluster, and led it"
    for server in record.end.servers:
        if server.identifier not in (None, record.end.identifier):
            yield f"{server.member} is of cluster {server.identifier}, the store's is {record.end.identifier}"
    yield HELD


ON_ITS_WAY = 0.5
"""Seconds that a request may take to the store, where nothing delays it."""
MAY_TOUCH = frozenset({"cut.50", "resting.80"})
"""Rules whose deed may be done with another cluster's data."""


def alien_untouched(record: Record) -> Seen:
    """A data directory of another cluster is neither started nor promoted, and its member never leads.

    But an agent that has not yet read the store cannot know, and may start a standby to be read from (cut.50); and a request
    for the key may be on its way from the life that had the cluster's own data. In pause, where it is left in its place, an
    operator may order that it be built anew.
    """
    alien: dict[str, float] = {}
    for event in record.events:
        match event:
            case Alien(at=at, member=member, alien=True):
                alien[member] = at
                yield HELD
            case Alien(member=member):
                alien.pop(member, None)
                yield HELD
            case JobStarted(at=at, member=member, job=job, rule=rule) if member in alien and rule not in MAY_TOUCH:
                yield f"at {at:.3f} {member} does {job} with another cluster's data"
            case Opened(at=at, member=member) if member in alien:
                yield f"at {at:.3f} {member} takes writes with another cluster's data"
            case KeySet(at=at, holder=str(member)) if at > alien.get(member, at) + ON_ITS_WAY:
                yield f"at {at:.3f} {member} takes the key with another cluster's data"
            case _:
                pass


def timelines_unique(record: Record) -> Seen:
    """No timeline is opened twice."""
    opened: dict[int, str] = {}
    for event in record.events:
        if isinstance(event, Opened) and event.how == "promoted":
            if event.timeline in opened:
                yield f"at {event.at:.3f} {event.member} opens timeline {event.timeline}, as {opened[event.timeline]} did"
            elif opened:
                yield HELD
            opened[event.timeline] = event.member


def acknowledged_kept(record: Record) -> Seen:
    """What was acknowledged is lost only with a primary that was lost; never in a planned switchover, never when calm."""
    excuses = [event for event in record.events if isinstance(event, Struck) and _excuses(event)]
    yield from _changes(record)
    until = standby.renounced(record)
    for stint, lost in _losses(record):
        if stint.since >= until and (not excuses or (stint.handed and not any(_near(stint, event) for event in excuses))):
            yield f"{lost} records of {stint.member}, which ended at {stint.until:.3f} ({stint.how})"


def acknowledged_never_lost(record: Record) -> Seen:
    """In synchronous mode nothing that was acknowledged is lost, but by an order that accepts it, or with the data
    directory of the last who had it.
    """
    accepted = [event for event in record.events if isinstance(event, Struck) and event.order and _excuses(event)]
    yield from _changes(record)
    for stint, lost in _losses(record):
        if not any(_near(stint, event) for event in accepted):
            yield f"{lost} records of {stint.member}, which ended at {stint.until:.3f} ({stint.how})"


def handed_over_whole(record: Record) -> Seen:
    """A leader gives the key up for another only once somebody has all of its log, or by an order that accepts losses."""
    for event in record.events:
        if isinstance(event, Handed) and not event.accepted:
            missing = event.log - max(event.others)
            wrong = f"at {event.at:.3f} {event.member} hands over, and nobody has its last {missing} records"
            yield wrong if missing > 0 else HELD


def told_no_more(record: Record) -> Seen:
    """And tells of no position that a standby with all of its log cannot have."""
    for event in record.events:
        if isinstance(event, Handed):
            wrong = f"at {event.at:.3f} {event.member} tells of {event.told} records and has {event.log}"
            yield wrong if event.told > event.log else HELD


def told_as_it_is(record: Record) -> Seen:
    """A leader tells of its own log, and not of one that was given up: else all lag by that, and nobody may stand."""
    for event in record.events:
        if isinstance(event, Told):
            wrong = f"at {event.at:.3f} {event.member} tells of {event.told} records and has {event.log}"
            yield wrong if event.told > event.log else HELD


def _losses(record: Record) -> Iterable[tuple[Stint, int]]:
    """Stints, and how many records acknowledged in them the last primary lacks."""
    assert record.end is not None
    kept = next((set(server.log) for server in record.end.servers if server.writable), None)
    lost = [(at, member) for at, number, member in record.acknowledged if kept is not None and number not in kept]
    for stint in stints(record) if lost else []:
        count = sum(stint.covers(at, member) for at, member in lost) if stint.ours else 0
        if count:
            yield stint, count


def _changes(record: Record) -> Seen:
    """One occasion for each primary that another one followed: what it acknowledged could have been lost."""
    for stint in stints(record):
        if stint.taken < float("inf"):
            yield HELD


def _excuses(event: Struck) -> bool:
    return not event.order or event.kind in ("failover", "pause", "reinitialize", "replace data")


def _near(stint: Stint, event: Struck) -> bool:
    return event.at < stint.taken + EXCUSED_FOR and event.until > stint.until - EXCUSED_FOR


LAWS = (
    Law("INV13 acknowledged", acknowledged_kept, end=True, modes=frozenset(Mode) - SYNCHRONOUS),
    Law("INV13 acknowledged in synchronous mode", acknowledged_never_lost, end=True, modes=SYNCHRONOUS),
    Law("INV18 handed over whole", handed_over_whole, modes=PRIMARIES),
    Law("status is the leader's", told_as_it_is),
    Law("INV19 told no more", told_no_more, modes=PRIMARIES),
    Law("INV22 removed by rule", removed_by_rule),
    Law("INV23 one cluster", one_cluster, end=True),
    Law("INV23 alien untouched", alien_untouched),
    Law("INV24 rewound in order", rewound_in_order),
    Law("INV24 same branch", same_branch),
    Law("INV25 timelines unique", timelines_unique),
)
