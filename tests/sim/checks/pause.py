"""Laws of pause: the operator is at work. Source: ha.md 7.1."""

from tests.sim.checks.law import HELD, Law, Seen
from tests.sim.record import JobStarted, Record

ORDERED = {"paused.60", "paused.67", "paused.75", "resting.40", "resting.75", "resting.80", "resting.85"}
"""Rules that do what an order says, or bring back the server that an order stopped."""


def only_ordered(record: Record) -> Seen:
    """A paused agent starts no deed but those that were ordered."""
    for event in record.events:
        if isinstance(event, JobStarted) and event.paused:
            wrong = f"at {event.at:.3f} {event.member} starts {event.job} by {event.rule}"
            yield HELD if event.rule in ORDERED else wrong


LAWS = (Law("INV26 pause", only_ordered),)
