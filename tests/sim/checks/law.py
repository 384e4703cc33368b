"""What a law is: a name, a pure function from a record to what is seen against it, and where it applies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.sim.modes import Mode
from tests.sim.record import Closed, Event, Handed, KeySet, Opened, Record, SetFree

Seen = Iterator[str]
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

    def covers(self, at: float, member: str) -> bool:
        return member == self.member and self.since <= at <= self.until


def stints(record: Record) -> list[Stint]:
    """In the order of their beginning."""
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


@dataclass
class Watch:
    """What is so at one event of a record: who takes writes, whom pause has set free, who holds the key."""

    writable: set[str]
    free: set[str]
    holder: str | None = None

    @property
    def guarded(self) -> set[str]:
        return self.writable - self.free


def watched(record: Record) -> Iterator[tuple[Event, Watch]]:
    """Each event, with what is so after it."""
    now = Watch(set(), set())
    for event in record.events:
        match event:
            case Opened(member=member):
                now.writable.add(member)
            case Closed(member=member):
                now.writable.discard(member)
            case SetFree(member=member, free=free):
                (now.free.add if free else now.free.discard)(member)
            case KeySet(holder=holder):
                now.holder = holder
            case _:
                pass
        yield event, now
