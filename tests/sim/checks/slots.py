"""Laws of replication slots: the log is kept for whoever will want it. Source: ha.md 6 (O2 to O7), 7.1."""

from tests.sim.checks.law import PRIMARIES, Law, Seen
from tests.sim.record import Record

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


LAWS = (Law("O2 log kept", log_kept, end=True, modes=PRIMARIES),)
