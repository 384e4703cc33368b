"""What a law is: a name, a pure function from a record to what is seen for and against it, and where it applies.

A law's function yields `HELD` for each occasion that put the law to the test and passed it, and a sentence for each that
broke it. One that yields nothing says that nothing in this history put the law to the test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.sim.modes import Mode
from tests.sim.record import Closed, Event, Handed, KeySet, Opened, Record, SetFree

Seen = Iterator[str]
HELD = ""
EVERYWHERE = frozenset(Mode)
SYNCHRONOUS = frozenset({Mode.SYNCHRONOUS, Mode.STRICT, Mode.QUORUM})
PRIORITY = frozenset({Mode.SYNCHRONOUS, Mode.STRICT})
PRIMARIES = EVERYWHERE - {Mode.STANDBY}
"""Modes whose leader takes writes."""


@dataclass(frozen=True)
class Law:
    """`end`: needs to see how the history ended, and is unknown without."""

    name: str
    seen: Callable[[Record], Seen]
    end: bool = False
    modes: frozenset[Mode] = EVERYWHERE


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
    made: bool = False
    ours: bool = True
    """False for a server that was made anew and never led: another one's data became the cluster's."""

    def covers(self, at: float, member: str) -> bool:
        return member == self.member and self.since <= at <= self.until


def stints(record: Record) -> list[Stint]:
    """In the order of their beginning."""
    found: list[Stint] = []
    leads: str | None = None
    for event in record.events:
        match event:
            case Opened(at=at, member=member, how=how):
                for stint in found:
                    stint.taken = min(stint.taken, at) if stint.member != member else stint.taken
                found.append(Stint(member, at, made=how == "made", ours=how != "made" or leads == member))
            case KeySet(holder=holder):
                leads = holder
                for stint in found:
                    stint.ours = stint.ours or (stint.member == leads and stint.until == float("inf"))
            case Closed(at=at, member=member, how=how):
                stint = next(each for each in reversed(found) if each.member == member)
                stint.until, stint.how = at, how
            case Handed(member=member):
                next(each for each in reversed(found) if each.member == member).handed = True
            case _:
                pass
    return found


@dataclass
class Watch:
    """What is so at one event of a record: who takes writes, whom pause has set free, who holds the key."""

    writable: set[str]
    free: set[str]
    holder: str | None = None
    new: set[str] = field(default_factory=set)
    """Who takes writes as a cluster of its own making, and has not led yet."""

    @property
    def guarded(self) -> set[str]:
        return self.writable - self.free - self.new


def watched(record: Record) -> Iterator[tuple[Event, Watch]]:
    """Each event, with what is so after it."""
    now = Watch(set(), set())
    for event in record.events:
        match event:
            case Opened(member=member, how=how):
                now.writable.add(member)
                if how == "made" and now.holder != member:
                    now.new.add(member)
            case Closed(member=member):
                now.writable.discard(member)
                now.new.discard(member)
            case SetFree(member=member, free=free):
                (now.free.add if free else now.free.discard)(member)
            case KeySet(holder=holder):
                now.holder = holder
                now.new.discard(holder or "")
            case _:
                pass
        yield event, now
