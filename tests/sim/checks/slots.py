"""Laws of replication slots: the log is kept for whoever will want it. Source: ha.md 6 (O2 to O7), 7.1."""

from tests.sim.checks.law import HELD, PRIMARIES, Law, Seen
from tests.sim.modes import GONE, KEPT, STRAY, Mode
from tests.sim.record import Record
from tests.sim.record_agents import SlotChanged, SlotMoved

LONG_AGO = 800
"""Records of some 40 s: a slot that nobody streams through is moved once a cycle, to what the leader told in its last."""


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
            yield HELD


def ignored_kept(record: Record) -> Seen:
    """A slot that `ignore_slots` matches is never dropped."""
    for event in record.events:
        if isinstance(event, SlotChanged) and event.slot == KEPT:
            yield HELD if event.there else f"at {event.at:.3f} {event.member} drops the slot {event.slot}"


def strays_dropped(record: Record) -> Seen:
    """In the end no slot is left of nobody, or of a member that has been gone for longer than its slot is retained."""
    assert record.end is not None
    made = {event.slot for event in record.events if isinstance(event, SlotChanged) and event.there}
    for server in record.end.servers:
        for name in sorted(made & {STRAY, GONE}):
            left = name in dict(server.slots)
            yield f"{server.member} still has the slot {name}" if left else HELD


def moved_no_further(record: Record) -> Seen:
    """A standby's logical slot is never asked to move past what the standby has replayed."""
    for event in record.events:
        if isinstance(event, SlotMoved):
            past = event.goal > event.replayed
            told = f"at {event.at:.3f} {event.member} moves {event.slot} to {event.goal}, and has replayed {event.replayed}"
            yield told if past else HELD


LAWS = (
    Law("INV30 moved no further", moved_no_further, modes=frozenset({Mode.LOGICAL})),
    Law("O2 log kept", log_kept, end=True, modes=PRIMARIES),
    Law("INV29 ignored kept", ignored_kept, modes=PRIMARIES),
    Law("LIV10 strays dropped", strays_dropped, end=True, modes=PRIMARIES),
)
