"""Laws of how a cluster comes back: its leader's server, another leader, who was left behind. Source: ha.md 7.2.

Each speaks of quiet stretches alone; what must be so after the last fault is `liveness`.
"""

from collections.abc import Iterator
from typing import TypeVar

from tests.sim.checks import quiet
from tests.sim.checks.law import HELD, PRIMARIES, SYNCHRONOUS, Law, Seen
from tests.sim.modes import Mode
from tests.sim.record import Closed, JobStarted, KeySet, Opened, Record
from tests.sim.record_agents import AgentBegan, Configured, JobEnded, PauseSeen, Rewound

E = TypeVar("E")
AGAIN_WITHIN = 25.0
"""Seconds from a server's end, or a start that failed, to the next try: retries are put off by 10 s at most."""
STOPPED_WITHIN = 35.0
"""Seconds from the first refused write to the end of the deed that stops the server: after 30 s it is killed."""
LED_WITHIN = 20.0
"""Seconds from a free key to the next holder: a candidate's 10 s, two for silent members, and the race itself."""
FREE_WITHIN = 25.0
"""Seconds from the end of a leader's patience to a free key: a cycle, a start that is called off, and a stop."""
CYCLE = 20.0
"""Seconds within which every agent has had a cycle: loop_wait and the budgets of the store."""
OF_SERVER = frozenset({"crash server", "stop server", "fail jobs", "full disk", "slow disk", "slow stop", "kill backend"})
"""Faults of a leader's server that leave its agent and the store alone."""


def led_again(record: Record) -> Seen:
    """When the key is free, and nothing is in the way, somebody takes it."""
    former = None
    for event, later in _followed_by(record, KeySet):
        free = event.holder is None and not event.paused and _another(record, event, former)
        if free and quiet.but(record, former, event.at - 5, event.at + LED_WITHIN):
            taken = later is not None and later.at <= event.at + LED_WITHIN
            yield HELD if taken else f"at {event.at:.3f} the key is free, and nobody takes it"
        former = event.holder or former


def _another(record: Record, event: KeySet, former: str | None) -> bool:
    """Whether the store names another one that may take the key: with synchronous replication that is who is listed."""
    return record.mode not in SYNCHRONOUS or bool({*event.sync.standbys} - record.barred - {former})


def brought_back(record: Record) -> Seen:
    """A holder whose server is gone starts it, and again when that failed, for as long as it keeps the key.

    A server that is being stopped is not gone yet: what is asked of its holder begins with the end of that deed.
    """
    holder = None
    for event in record.events:
        match event:
            case KeySet(holder=now):
                holder = now
            case Closed(at=at, member=member) | JobEnded(at=at, member=member, job="StartPrimary", ok=False):
                until = _stopped(record, member, at) + AGAIN_WITHIN
                if member == holder and quiet.of(record, member, at, until, OF_SERVER):
                    acts = _acts(record, member, at, until)
                    yield HELD if acts else f"at {at:.3f} {member} holds the key, and leaves its server down"
            case _:
                pass


def key_set_free(record: Record) -> Seen:
    """A holder that cannot bring its server back in time frees the key, where others could take it."""
    holder, since = None, float("inf")
    for event in record.events:
        match event:
            case KeySet(holder=None) if since < float("inf"):
                yield HELD
                holder, since = None, float("inf")
            case KeySet(holder=now):
                holder, since = now, float("inf")
            case Opened(member=member) if member == holder:
                since = float("inf")
            case Closed(at=at, member=member, how="crashed" | "a full disk") if member == holder:
                since = at
                wrong = _keeps_key(record, member, at)
                if wrong:
                    yield wrong
            case _:
                pass


def _keeps_key(record: Record, member: str, at: float) -> str:
    until = at + record.patience + FREE_WITHIN
    over = record.end is None or record.end.at < until
    if over or not quiet.but(record, member, at - 5, until) or not quiet.of(record, member, at, until, OF_SERVER):
        return ""
    changed = any(at < event.at <= until and isinstance(event, KeySet) for event in record.events)
    opened = any(at < event.at <= until and isinstance(event, Opened) and event.member == member for event in record.events)
    return "" if changed or opened else f"at {at:.3f} the server of {member} is gone, and it keeps the key for all that"


def rejoins_once(record: Record) -> Seen:
    """Who was rewound follows: it is not rewound again onto the same leader, when nothing went wrong meanwhile."""
    last: dict[str, Rewound] = {}
    for event in record.events:
        match event:
            case Opened():
                last.clear()
            case Rewound(at=at, member=member, source=source):
                before = last.get(member)
                again = before is not None and before.source == source and quiet.of(record, member, before.at, at)
                yield f"at {at:.3f} {member} is rewound with {source} once more" if again else HELD
                last[member] = event
            case _:
                pass


def rejoins(record: Record) -> Seen:
    """And in the end it streams."""
    assert record.end is not None
    rewound = {event.member for event in record.events if isinstance(event, Rewound)}
    for server in record.end.servers:
        if server.member in rewound:
            there = server.streams or server.writable
            yield HELD if there else f"{server.member} was rewound, and does not stream"


def resumes(record: Record) -> Seen:
    """At the end of pause every agent goes by it within one cycle."""
    for event, later in _followed_by(record, Configured):
        if event.paused or (later is not None and later.paused and later.at < event.at + CYCLE):
            continue
        for member, paused in _pausing(record, event.at).items():
            if paused and quiet.of(record, member, event.at - 1, event.at + CYCLE, frozenset({"pause"})):
                seen = any(
                    isinstance(each, PauseSeen) and each.member == member and not each.paused
                    for each in record.events
                    if event.at <= each.at <= event.at + CYCLE
                )
                yield HELD if seen else f"{member} does not hear that pause ended at {event.at:.3f}"


def _pausing(record: Record, at: float) -> dict[str, bool]:
    """What each agent went by at that instant."""
    return {event.member: event.paused for event in record.events if isinstance(event, PauseSeen) and event.at <= at}


def _stopped(record: Record, member: str, at: float) -> float:
    """When the deed ended that the member had under way at that instant, if it had one; or when it should have."""
    latest, busy = at + STOPPED_WITHIN, False
    for event in record.events:
        match event:
            case JobStarted(member=name) if name == member and event.at <= at:
                busy = True
            case JobEnded(member=name) if name == member and busy and event.at >= at:
                return min(event.at, latest)
            case JobEnded(member=name) | AgentBegan(member=name) if name == member:
                busy = False
            case _:
                pass
    return latest if busy else at


def _acts(record: Record, member: str, since: float, until: float) -> bool:
    """Whether the member begins a deed or gives the key away, or its postmaster did it for it; or the history ends before
    it must.
    """
    if record.end is not None and record.end.at < until:
        return True
    found = (event for event in record.events if since <= event.at <= until)
    own = (JobStarted, Opened)
    return any(isinstance(each, KeySet) or (isinstance(each, own) and each.member == member) for each in found)


def _followed_by(record: Record, kind: type[E]) -> Iterator[tuple[E, E | None]]:
    """Each event of a kind, with the next one."""
    found = [event for event in record.events if isinstance(event, kind)]
    yield from zip(found, [*found[1:], None], strict=False)


LAWS = (
    Law("LIV1 led again", led_again, modes=PRIMARIES - {Mode.FAILSAFE}),
    Law("LIV2 brought back", brought_back, modes=PRIMARIES - {Mode.FAILSAFE}),
    Law("LIV3 key set free", key_set_free, modes=PRIMARIES - SYNCHRONOUS - {Mode.FAILSAFE}),
    Law("LIV6 rejoins once", rejoins_once, modes=PRIMARIES),
    Law("LIV6 rejoins", rejoins, end=True),
    Law("LIV11 resumes", resumes),
)
