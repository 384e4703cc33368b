"""Laws of a standby cluster: it takes writes only where an order made it none. Source: ha.md 2.12."""

from tests.sim.checks.law import HELD, Law, Seen
from tests.sim.modes import TURNS, Mode
from tests.sim.record import KeySet, Opened, Record, Struck

BEGUN = 40.0
"""Seconds after the end of an order in which what it began may still come about: a lease, and the longest promotion."""


def nobody_takes_writes(record: Record) -> Seen:
    """But by an order that took the section away; what that one began may still end after the next one."""
    ordered = [event for event in record.events if isinstance(event, Struck) and event.kind in TURNS]
    for event in record.events:
        if isinstance(event, KeySet) and event.holder is not None and event.phase == "standby":
            yield HELD
        if isinstance(event, Opened):
            before = [each for each in ordered if each.at <= event.at]
            if not before or (before[-1].kind == "demote cluster" and before[-1].at + BEGUN < event.at):
                yield f"at {event.at:.3f} {event.member} takes writes ({event.how})"


def renounced(record: Record) -> float:
    """Until when the operator gave up what a promoted standby cluster had acknowledged, for what the remote has."""
    demoted = [event.at for event in record.events if isinstance(event, Struck) and event.kind == "demote cluster"]
    return max(demoted) + BEGUN if demoted else 0.0


LAWS = (Law("Y4 nobody takes writes", nobody_takes_writes, modes=frozenset({Mode.STANDBY})),)
