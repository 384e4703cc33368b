"""Laws of an agent's cycles and deeds: what it sees it acts upon, one deed at a time, and what it says is so."""

from tests.sim.checks.law import HELD, Law, Seen
from tests.sim.record import JobStarted, Record
from tests.sim.record_agents import AgentBegan, Astray, JobEnded, Redecided, Said


def stops_without_key(record: Record) -> Seen:
    """Not paused, a cycle that sees its server take writes while the key is another's stops it in that cycle."""
    for event in record.events:
        if isinstance(event, Astray):
            yield HELD if event.stops else f"at {event.at:.3f} {event.member} lets its server take writes by {event.rule}"


def one_deed_at_a_time(record: Record) -> Seen:
    """No long deed begins while another one of the same life is under way."""
    under_way: dict[str, str] = {}
    for event in record.events:
        match event:
            case JobStarted(at=at, member=member, job=job):
                before = under_way.get(member)
                yield HELD if before is None else f"at {at:.3f} {member} begins {job} in the midst of {before}"
                under_way[member] = job
            case JobEnded(member=member) | AgentBegan(member=member):
                under_way.pop(member, None)
            case _:
                pass


def says_what_is(record: Record) -> Seen:
    """A standby is never published as primary; the checkpoint after a promotion is not told before pg_control has it."""
    for event in record.events:
        if not isinstance(event, Said) or event.role != "primary":
            continue
        if event.phase == "standby":
            yield f"at {event.at:.3f} {event.member} says primary, and its server is a standby"
        if event.phase == "primary" and not event.pending and not event.checkpointed:
            yield f"at {event.at:.3f} {event.member} keeps silent about a checkpoint that is still to come"
        yield HELD


def decides_by_view(record: Record) -> Seen:
    """Same view, same decision."""
    for event in record.events:
        if isinstance(event, Redecided):
            yield HELD if event.same else f"at {event.at:.3f} {event.member} decides otherwise than by {event.rule}"


LAWS = (
    Law("INV4 stops without the key", stops_without_key),
    Law("INV27 one deed at a time", one_deed_at_a_time),
    Law("INV31 says what is", says_what_is),
    Law("INV33 decides by the view", decides_by_view),
)
