"""When to renew the lease: a generator that knows neither store nor clock, driven by the agent's thread or a simulator.

Law. A lease is renewed only on behalf of an agent that works: while it leads, a loop that has not ended a cycle for a
TTL is not covered, so a stuck leader loses the lead within two. (A follower's lease carries its member key alone, and
that is harmless.) What a renewal brings is the driver's to note; here only the rhythm is decided.

Rhythm: every quarter of the TTL, so that three may be missed; sooner after one without an answer, within what is left.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from pgctl.agent.core.cycle import ask
from pgctl.agent.core.effects import Answer, Outcome, RenewLease, Request
from pgctl.units import Instant, Seconds

SHORTEST = 0.25

Beats = Generator[Request[Any], Any, None]


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a beat depends on. `deadline` of the lead, if `leading`; `progress`: when a cycle last came to its end."""

    now: Instant
    ttl: float
    leading: bool = False
    deadline: Instant = Instant(0)
    progress: Instant = Instant(0)
    within: float = 0.0
    """Seconds that a lead lasts after it was prolonged, where a watchdog makes that less than the ttl."""

    @property
    def lasting(self) -> float:
        return self.within or self.ttl


@dataclass(frozen=True, slots=True)
class Rest(Request[Pulse]):
    """Wait so long, show that the agent is alive, and tell how things are."""

    seconds: float


def heartbeat() -> Beats:
    """Rests and renewals, for ever."""
    pulse = yield from ask(Rest(0.0))
    while True:
        if withheld(pulse):
            pulse = yield from ask(Rest(soon(pulse.ttl)))
            continue
        answer: Answer = yield from ask(RenewLease(pulse.ttl))
        pulse = yield from ask(Rest(pause(answer, pulse.lasting)))


def withheld(pulse: Pulse) -> bool:
    """Whether this leader's loop is stuck, so that it must not be kept in the lead."""
    return pulse.leading and pulse.now - pulse.progress > pulse.ttl


def pause(answer: Answer, ttl: float) -> float:
    """Seconds until the next renewal. A lease that is gone is the cycle's to make again."""
    return soon(ttl) if answer.outcome is Outcome.UNKNOWN else max(SHORTEST, ttl / 4)


def soon(ttl: float) -> float:
    return max(SHORTEST, ttl / 16)


def budget(pulse: Pulse, margin: float) -> Seconds:
    """Seconds that one renewal may take: less as the end nears, so that the fence sees the agent tick meanwhile."""
    longest = max(SHORTEST, pulse.lasting / 5)
    if not pulse.leading:
        return Seconds(longest)
    return Seconds(min(longest, max(margin / 2, (pulse.deadline - pulse.now - margin) / 2)))
