"""Laws of failsafe mode: a leader that leads on without the store does so by every member's promise. Source: ha.md 7.1."""

from tests.sim.checks.law import HELD, Law, Seen
from tests.sim.host_clock import TOLERATED
from tests.sim.modes import Mode
from tests.sim.record import Attempted, Opened, Prolonged, Promised, Record


def members_agreed(record: Record) -> Seen:
    """Who leads on without the store does so for no longer than every member has promised that might take the key."""
    promised: dict[str, float] = {}
    for event in record.events:
        match event:
            case Promised(member=member, until=until):
                promised[member] = max(until, promised.get(member, 0.0))
            case Prolonged(at=at, member=member, until=until, named=named):
                if member not in named:
                    yield f"at {at:.3f} {member} leads on, and is not in /failsafe"
                for other in sorted(named - {member}):
                    if promised.get(other, 0.0) < until - TOLERATED:
                        yield f"at {at:.3f} {member} leads on until {until:.3f} without a promise of {other}"
                yield HELD
            case _:
                pass


def promises_kept(record: Record) -> Seen:
    """Who has promised a leader without the store not to stand neither asks for the key nor is promoted."""
    promised: dict[str, float] = {}
    for event in record.events:
        match event:
            case Promised(member=member, until=until):
                promised[member] = max(until, promised.get(member, 0.0))
            case Attempted(at=at, member=member) | Opened(at=at, member=member, how="promoted"):
                if member in promised:
                    yield HELD
                if at < promised.get(member, 0.0) - TOLERATED:
                    yield f"at {at:.3f} {member} stands in spite of a promise until {promised[member]:.3f}"
            case _:
                pass


FAILSAFE = frozenset({Mode.FAILSAFE})
LAWS = (
    Law("INV6 members agreed", members_agreed, modes=FAILSAFE),
    Law("INV7 promises kept", promises_kept, modes=FAILSAFE),
)
