"""What must hold in every history. Pure: (record) → yes, no with what was seen, or unknown. Unknown never passes.

Replication is asynchronous in these histories: a primary that was lost may take acknowledged records with it. Invariants
and their names: see `CHECKERS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from tests.sim.record import (
    Attempted,
    Closed,
    Followed,
    Handed,
    JobStarted,
    LeadLost,
    Opened,
    Prolonged,
    Promised,
    Record,
    SetFree,
    Struck,
)

ORDERED_IN_PAUSE = {"paused.60", "paused.75", "resting.40", "resting.75", "resting.80", "resting.85"}
"""Rules that do what an order says, or bring back the server that an order stopped."""
EXCUSED_FOR = 60.0
"""Seconds before a handover and after its successor's promotion in which a fault excuses what was lost."""

LONG_AGO = 800
"""Records of some 40 s: a slot that nobody streams through is moved once a cycle, to what the leader told in its last."""


class Verdict(Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """`seen` is empty for yes."""

    law: str
    verdict: Verdict
    seen: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.law}: {self.verdict.value}: {'; '.join(self.seen)}"


Seen = Iterator[str]


def one_writable(record: Record) -> Seen:
    """Never two servers that take writes, but those that a paused agent has set free: in pause the operator guards them."""
    writable: set[str] = set()
    free: set[str] = set()
    for event in record.events:
        match event:
            case Opened(member=member):
                writable.add(member)
            case Closed(member=member):
                writable.discard(member)
            case SetFree(member=member, free=is_free):
                (free.add if is_free else free.discard)(member)
            case _:
                continue
        guarded = sorted(writable - free)
        if len(guarded) > 1:
            yield f"at {event.at:.3f} {' and '.join(guarded)} take writes"


def same_branch(record: Record) -> Seen:
    """Nobody streams from a server whose log does not continue its own."""
    for event in record.events:
        if isinstance(event, Followed):
            yield f"at {event.at:.3f} {event.member} follows {event.upstream} on another branch"


def nofailover_honoured(record: Record) -> Seen:
    """Who is tagged nofailover is never promoted."""
    for event in record.events:
        if isinstance(event, Opened) and event.how == "promoted" and event.member in record.barred:
            yield f"at {event.at:.3f} {event.member} is promoted"


def lease_believed(record: Record) -> Seen:
    """No holder believes in a lease for longer than the store promises it to the others."""
    for event in record.events:
        if isinstance(event, LeadLost):
            yield f"the key went at {event.at:.3f}, {event.member} believed in it until {event.believed:.3f}"


def pause_respected(record: Record) -> Seen:
    """A paused agent starts no deed but those that were ordered."""
    for event in record.events:
        if isinstance(event, JobStarted) and event.paused and event.rule not in ORDERED_IN_PAUSE:
            yield f"at {event.at:.3f} {event.member} starts {event.job} by {event.rule}"


def acknowledged_kept(record: Record) -> Seen:
    """What was acknowledged is lost only with a primary that was lost; never in a planned switchover, never when calm."""
    assert record.end is not None
    kept = next((set(server.log) for server in record.end.servers if server.writable), None)
    if kept is None:
        return
    excuses = [event for event in record.events if isinstance(event, Struck) and _excuses(event)]
    for stint in _stints(record):
        lost = [number for at, number, member in record.acknowledged if stint.covers(at, member) and number not in kept]
        if lost and (not excuses or (stint.handed and not any(stint.excused(event) for event in excuses))):
            yield f"{len(lost)} records of {stint.member}, which ended at {stint.until:.3f} ({stint.how})"


def _excuses(event: Struck) -> bool:
    return not event.order or event.kind in ("failover", "pause", "reinitialize")


@dataclass
class Stint:
    """One member's time as a primary."""

    member: str
    since: float
    until: float = float("inf")
    how: str = "goes on"
    handed: bool = False
    taken: float = float("inf")
    """When somebody else began to take writes."""

    def covers(self, at: float, member: str) -> bool:
        return member == self.member and self.since <= at <= self.until

    def excused(self, event: Struck) -> bool:
        return event.at < self.taken + EXCUSED_FOR and event.until > self.until - EXCUSED_FOR


def _stints(record: Record) -> list[Stint]:
    found: list[Stint] = []
    for event in record.events:
        match event:
            case Opened(at=at, member=member):
                for stint in found:
                    stint.taken = min(stint.taken, at) if stint.member != member else stint.taken
                found.append(Stint(member, at))
            case Closed(at=at, member=member, how=how):
                stint = next(each for each in reversed(found) if each.member == member)
                stint.until, stint.how = at, how
            case Handed(member=member):
                next(each for each in reversed(found) if each.member == member).handed = True
            case _:
                pass
    return found


def healed(record: Record) -> Seen:
    """Some time after the last fault: one primary, which holds the key, and everybody else streams."""
    assert record.end is not None
    writable = [server.member for server in record.end.servers if server.writable]
    if writable != [record.end.holder]:
        yield f"the key is held by {record.end.holder}, writes are taken by {', '.join(writable) or 'nobody'}"
    for server in record.end.servers:
        if not server.writable and not (server.phase == "standby" and server.streams):
            yield f"{server.member} does not stream: {server.phase}"


def log_kept(record: Record) -> Seen:
    """Whoever may lead next keeps the log for every other member: from where that one is, and not from long ago."""
    assert record.end is not None
    have = {server.member: len(server.log) for server in record.end.servers}
    for server in record.end.servers:
        slots = dict(server.slots)
        for member in have:
            if member == server.member or server.member in record.barred:
                continue
            kept = slots.get(member)
            if kept is None or kept > have[member] or kept < have[member] - LONG_AGO:
                yield f"{server.member} keeps the log for {member} from {kept}, who has {have[member]}"


def members_agreed(record: Record) -> Seen:
    """INV6: who leads on without the store does so for no longer than every member has promised that might take the key."""
    promised: dict[str, float] = {}
    for event in record.events:
        match event:
            case Promised(member=member, until=until):
                promised[member] = max(until, promised.get(member, 0.0))
            case Prolonged(at=at, member=member, until=until, named=named):
                if member not in named:
                    yield f"at {at:.3f} {member} leads on, and is not in /failsafe"
                for other in sorted(named - {member}):
                    if promised.get(other, 0.0) < until:
                        yield f"at {at:.3f} {member} leads on until {until:.3f} without a promise of {other}"
            case _:
                pass


def promises_kept(record: Record) -> Seen:
    """INV7: who has promised a leader without the store not to stand neither asks for the key nor is promoted."""
    promised: dict[str, float] = {}
    for event in record.events:
        match event:
            case Promised(member=member, until=until):
                promised[member] = max(until, promised.get(member, 0.0))
            case Attempted(at=at, member=member) | Opened(at=at, member=member, how="promoted"):
                if at < promised.get(member, 0.0):
                    yield f"at {at:.3f} {member} stands in spite of a promise until {promised[member]:.3f}"
            case _:
                pass


CHECKERS: dict[str, Callable[[Record], Seen]] = {
    "one writable": one_writable,
    "same branch": same_branch,
    "nofailover": nofailover_honoured,
    "lease": lease_believed,
    "pause": pause_respected,
    "agreed": members_agreed,
    "promises": promises_kept,
    "acknowledged": acknowledged_kept,
    "healed": healed,
    "log kept": log_kept,
}
NEED_THE_END = {"acknowledged", "healed", "log kept"}


def check(record: Record) -> list[Finding]:
    """Every law's finding."""
    return [_judge(law, checker, record) for law, checker in CHECKERS.items()]


def _judge(law: str, checker: Callable[[Record], Seen], record: Record) -> Finding:
    if law in NEED_THE_END and record.end is None:
        return Finding(law, Verdict.UNKNOWN, ("the history has no end",))
    if not record.acknowledged:
        return Finding(law, Verdict.UNKNOWN, ("nothing was ever written",))
    seen = tuple(dict.fromkeys(checker(record)))[:5]
    return Finding(law, Verdict.NO if seen else Verdict.YES, seen)
