"""Stretches of a history in which nothing keeps the agents from doing their part: liveness asks for no more than those."""

from tests.sim.record import Record, Struck
from tests.sim.record_agents import AgentBegan, Configured

LINGERS = 35.0
"""Seconds after its end in which a fault may still be felt: a lease, and what was put off meanwhile."""
HARMLESS = frozenset({"jump clock", "drift clock", "cancel commits"})
FAR = frozenset({"cut store from all", "elect store", "cut link", "cut way", "cut short", "ttl", "pause", "gone member"})
"""Acts that touch others than the member they name."""


def of(record: Record, member: str, since: float, until: float, own: frozenset[str] = frozenset()) -> bool:
    """No fault or order touches `member` from `since` to `until`, but those of the kinds `own`; nor is there a pause, but
    by one of those.
    """
    for event in record.events:
        match event:
            case Struck(kind=kind) if kind in HARMLESS or kind in own:
                continue
            case Struck(kind=kind, member=struck) if struck == member or kind in FAR:
                if event.at < until and event.until + LINGERS > since:
                    return False
            case AgentBegan(at=at, member=name) if name == member and since < at < until:
                return False
            case Configured(at=at, paused=True) if "pause" not in own and at < until and not _resumed(record, at, since):
                return False
            case _:
                pass
    return True


def but(record: Record, member: str | None, since: float, until: float) -> bool:
    """The same of every other member, one of whom at least may lead."""
    others = {event.member for event in record.events if isinstance(event, AgentBegan)} - {member}
    return bool(others - record.barred) and all(of(record, other, since, until) for other in others)


def _resumed(record: Record, paused: float, before: float) -> bool:
    found = (event.at for event in record.events if isinstance(event, Configured) and not event.paused)
    return any(paused < at < before - LINGERS for at in found)
