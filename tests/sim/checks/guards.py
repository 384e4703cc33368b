"""Laws of the kernel's watchdog, where every member requires one. Source: ha.md 2.16, 7.1; `pgctl.agent.watchdog`."""

from tests.sim.checks.law import HELD, Law, Seen, watched
from tests.sim.modes import Mode
from tests.sim.record import Opened, Record
from tests.sim.record_agents import Configured, Watched

SETTLES = 5.0
"""Seconds within which whoever made the cluster, or hears that a pause is over, has its device open."""


def closed_harmless(record: Record) -> Seen:
    """It stops counting only where no commit can be confirmed, or in pause."""
    for event in record.events:
        if isinstance(event, Watched) and not event.running:
            harmless = not event.confirms or event.paused
            yield HELD if harmless else f"at {event.at:.3f} the watchdog of {event.member} is closed, which takes writes"


def required_guards(record: Record) -> Seen:
    """Nobody is promoted without a watchdog that counts, and nobody confirms commits without one, but in pause."""
    running, excused_until, paused = set[str](), dict[str, float](), False
    acknowledged = iter(record.acknowledged)
    commit = next(acknowledged, None)
    for event, now in watched(record):
        while commit is not None and commit[0] < event.at:
            at, _, member = commit
            if member not in running and not paused and at > excused_until.get(member, 0.0):
                yield f"at {at:.3f} {member} confirms commits without a watchdog"
                return
            commit = next(acknowledged, None)
        for member in now.writable - running if paused else now.free | now.new:
            excused_until[member] = event.at + SETTLES
        match event:
            case Watched(member=member, running=True):
                running.add(member)
            case Watched(member=member):
                running.discard(member)
            case Configured(paused=now_paused):
                paused = now_paused
            case Opened(at=at, member=member, how="promoted") if not paused:
                excused = at <= excused_until.get(member, 0.0)
                guarded = member in running or excused
                yield HELD if guarded else f"at {at:.3f} {member} is promoted without a watchdog"
            case _:
                pass


WATCHED = frozenset({Mode.WATCHED})
LAWS = (
    Law("INV20 closed harmless", closed_harmless, modes=WATCHED),
    Law("INV21 required guards", required_guards, modes=WATCHED),
)
