"""Laws of a cluster's birth: what a bootstrap writes, and when. Source: ha.md 2.2, 7.1."""

from tests.sim.checks.law import HELD, PRIMARIES, Law, Seen
from tests.sim.record import JobStarted, KeySet, Record
from tests.sim.record_agents import AgentBegan, Claimed, Configured, JobEnded


def after_its_script(record: Record) -> Seen:
    """Neither `config` nor the leader key is written before a bootstrap, with the operator's script, has worked."""
    making = set[str]()
    for event in record.events:
        match event:
            case JobStarted(member=member, job="Bootstrap"):
                making.add(member)
            case JobEnded(member=member, job="Bootstrap", ok=True) | AgentBegan(member=member):
                making.discard(member)
            case Claimed(value=None):
                making.clear()  # a claim that is dropped, and whoever made it, count no more
            case Configured(at=at) if making:
                yield f"at {at:.3f} the settings are written, and {' and '.join(sorted(making))} has not made the cluster"
            case KeySet(at=at, holder=str(member)):
                yield f"at {at:.3f} {member} leads a cluster that it has not made" if member in making else HELD
                if member not in making:
                    return
            case _:
                pass


def failure_drops_claim(record: Record) -> Seen:
    """Once a bootstrap failed, `initialize` is removed before anybody claims it again or makes it true."""
    maker = failed = ""
    for event in record.events:
        match event:
            case JobStarted(member=member, job="Bootstrap"):
                maker = member
            case JobEnded(member=member, job="Bootstrap", ok=False) if member == maker:
                failed = member
            case Claimed(value=None):
                maker = ""  # what a frozen agent fails at afterwards is no longer behind a claim
                if failed:
                    yield HELD
                failed = ""
            case Claimed(at=at) if failed:
                yield f"at {at:.3f} initialize is written over the claim of {failed}, whose bootstrap failed"
            case _:
                pass


LAWS = (
    Law("INV32 written after the script", after_its_script, modes=PRIMARIES),
    Law("INV32 failure drops the claim", failure_drops_claim),
)
