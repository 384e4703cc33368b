"""Laws of orders: a wish is carried out once at most, and comes to an end. Source: ha.md 7.1, 7.2."""

from tests.sim.checks.law import HELD, Law, Seen
from tests.sim.record import Handed, IntentSet, Record


def carried_out_once(record: Record) -> Seen:
    """No revision of `/failover` makes a leader hand over twice, be it another leader."""
    open_, done = 0, set[int]()
    for event in record.events:
        if isinstance(event, IntentSet):
            open_ = event.revision
        if isinstance(event, Handed) and open_:
            yield f"at {event.at:.3f} {event.member} hands over again for the same wish" if open_ in done else HELD
            done.add(open_)


def come_to_an_end(record: Record) -> Seen:
    """When all is well again, no wish is left open."""
    assert record.end is not None
    if record.end.intent:
        yield "an intent is still open"
    if any(isinstance(event, IntentSet) for event in record.events):
        yield HELD


LAWS = (
    Law("INV28 carried out once", carried_out_once),
    Law("LIV4 orders end", come_to_an_end, end=True),
)
