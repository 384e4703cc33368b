"""What a leader that cannot reach the store asks of the members, and what a member that accepts has promised. Pure.

The document is the body of `POST /failsafe` (rest.md 14). Ours beside it is the key `pgctl`: the leader's TTL in seconds,
so that a member which has read another one promises for long enough. Who does not know the key passes over it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgctl.model import document
from pgctl.model.settings import Settings
from pgctl.units import Instant


@dataclass(frozen=True, slots=True)
class Ping:
    """`slots`: slot name → position in bytes on the leader, its own under its own name. `ttl` 0: it did not say."""

    name: str
    conn_url: str
    api_url: str
    slots: Mapping[str, int] = field(default_factory=dict)
    ttl: float = 0.0


@dataclass(frozen=True, slots=True)
class Promise:
    """This member does not take the lead before `until`.

    `ping` None: what it promised before `until` is not known, for the machine was started anew; any promise made then
    has run out a TTL later.
    """

    until: Instant
    ping: Ping | None = None

    def end(self, settings: Settings) -> Instant:
        if self.ping is not None:
            return self.until
        return Instant(self.until + settings.ttl) if settings.failsafe_mode else Instant(0)


def write(ping: Ping) -> dict[str, object]:
    """The body of the request."""
    own = {"name": ping.name, "conn_url": ping.conn_url, "api_url": ping.api_url, "slots": dict(ping.slots)}
    return {**own, "pgctl": {"ttl": ping.ttl}}


def read(body: Mapping[str, object]) -> Ping | None:
    """The ping in a body; None when it does not say who asks. Unusable slots and numbers are left out."""
    name, conn_url, api_url = (document.name(body.get(key)) for key in ("name", "conn_url", "api_url"))
    if not name or not conn_url or not api_url:
        return None
    slots = document.mapping(body.get("slots")) or {}
    positions = {slot: at for slot, value in slots.items() if (at := document.position(value)) is not None}
    ours = document.mapping(body.get("pgctl")) or {}
    ttl = ours.get("ttl")
    known = isinstance(ttl, (int, float)) and not isinstance(ttl, bool) and 0 < ttl < LONGEST
    return Ping(name, conn_url, api_url, positions, float(ttl) if known and isinstance(ttl, (int, float)) else 0.0)


LONGEST = 3600.0
"""Seconds: a promise for longer than any sensible TTL is not made."""
