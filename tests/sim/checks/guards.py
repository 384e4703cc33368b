"""Laws of the kernel's watchdog, where every member requires one. Source: ha.md 2.16, 7.1; `pgctl.agent.watchdog`."""

from dataclasses import dataclass, field

from tests.sim.checks.law import HELD, Law, Seen, watched
from tests.sim.modes import Mode
from tests.sim.record import Opened, Record
from tests.sim.record_agents import Configured, PauseSeen, Watched

SETTLES = 5.0
"""Seconds within which whoever made the cluster, or hears that a pause is over, has its device open."""


@dataclass
class _Excused:
    """Whom a pause excuses: everybody while the store says so, and each whose own agent last read so; and until when those
    are whom something else excuses.
    """

    until: dict[str, float] = field(default_factory=dict)
    paused: bool = False
    pausing: set[str] = field(default_factory=set)
    """Agents that know of a pause: one that is cut off does not hear of its end."""

    def at(self, at: float, member: str) -> bool:
        return self.paused or member in self.pausing or at <= self.until.get(member, 0.0)

    def hears(self, at: float, member: str, paused: bool) -> None:
        if not paused and member in self.pausing:
            self.until[member] = at + SETTLES
        (self.pausing.add if paused else self.pausing.discard)(member)


def closed_harmless(record: Record) -> Seen:
    """It stops counting only where no commit can be confirmed, or in pause."""
    for event in record.events:
        if isinstance(event, Watched) and not event.running:
            harmless = not event.confirms or event.paused
            yield HELD if harmless else f"at {event.at:.3f} the watchdog of {event.member} is closed, which takes writes"


def required_guards(record: Record) -> Seen:
    """Nobody is promoted without a watchdog that counts, and nobody confirms commits without one, but in pause."""
    running, excused = set[str](), _Excused()
    acknowledged = iter(record.acknowledged)
    commit = next(acknowledged, None)
    for event, now in watched(record):
        while commit is not None and commit[0] < event.at:
            at, _, member = commit
            if member not in running and not excused.at(at, member):
                yield f"at {at:.3f} {member} confirms commits without a watchdog"
                return
            commit = next(acknowledged, None)
        for member in now.writable - running if excused.paused else now.free | now.new:
            excused.until[member] = event.at + SETTLES
        match event:
            case Watched(member=member, running=True):
                running.add(member)
            case Watched(at=at, member=member, paused=paused):
                running.discard(member)
                excused.hears(at, member, paused)
            case Configured(paused=paused):
                excused.paused = paused
            case PauseSeen(at=at, member=member, paused=paused):
                excused.hears(at, member, paused)
            case Opened(at=at, member=member, how="promoted") if not excused.paused:
                guarded = member in running or excused.at(at, member)
                yield HELD if guarded else f"at {at:.3f} {member} is promoted without a watchdog"
            case _:
                pass


WATCHED = frozenset({Mode.WATCHED})
LAWS = (
    Law("INV20 closed harmless", closed_harmless, modes=WATCHED),
    Law("INV21 required guards", required_guards, modes=WATCHED),
)
