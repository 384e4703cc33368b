"""Laws of orders: a wish is carried out once at most, and comes to an end. Source: ha.md 7.1, 7.2."""

from tests.sim.checks.law import Law, Seen
from tests.sim.record import Handed, IntentSet, Record


def carried_out_once(record: Record) -> Seen:
    """Nobody hands over twice for one revision of `/failover`.

    Another may: who took over in place of a candidate that was silent makes way for it once it answers.
    """
    open_, done = 0, set[tuple[str, int]]()
    for event in record.events:
        if isinstance(event, IntentSet):
            open_ = event.revision
        if isinstance(event, Handed) and open_:
            if (event.member, open_) in done:
                yield f"at {event.at:.3f} {event.member} hands over again for the same wish"
            done.add((event.member, open_))


def come_to_an_end(record: Record) -> Seen:
    """When all is well again, no wish is left open."""
    assert record.end is not None
    if record.end.intent:
        yield "an intent is still open"


LAWS = (
    Law("INV28 carried out once", carried_out_once),
    Law("LIV4 orders end", come_to_an_end, end=True),
)
