"""The lease in Consul against a stand-in for the agent, which answers as late as it is told to."""

from collections.abc import Callable

import pytest

from pgctl.dcs.consul_lease import ConsulLease
from pgctl.dcs.store import Applied, Rejected
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds
from tests.unit.dcs.hand_clock import HandClock

TTL = Seconds(10)
SOON = Seconds(5)


class Agent:
    """Grants whatever it is asked for, `late` seconds after the question."""

    def __init__(self, clock: HandClock) -> None:
        self.clock, self.late = clock, 0.0
        self.destroyed: list[str] = []
        self.meanwhile: Callable[[], object] | None = None
        self._made = 0

    def create_session(self, body: object, *, end: Instant) -> str:
        self._made += 1
        return f"session {self._made}"

    def prove_leader(self, session: str, *, end: Instant) -> None:
        """It leads."""

    def renew_session(self, session: str, *, end: Instant) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self.clock.time += self.late

    def destroy_session(self, session: str, *, end: Instant) -> None:
        self.destroyed.append(session)


@pytest.mark.parametrize(("asked", "late", "kept"), [
    (9.0, 0.5, True),
    (9.0, 1.0, False),
    (9.9, 0.2, False),
    (30.0, 0.0, False),
])
def test_a_renewal_that_is_answered_after_the_last_belief_proves_nothing(asked: float, late: float, kept: bool) -> None:
    """Consul may have begun to end the session, and answers as if it had not."""
    clock = HandClock()
    agent = Agent(clock)
    lease = ConsulLease(agent, clock, "a", (), lambda: 1)  # type: ignore[arg-type]
    with lease.attaching(SOON) as end:
        first = lease.extended(TTL, end)
    clock.time += asked
    agent.late = late
    answer = lease.renew(TTL, SOON)
    if kept:
        assert answer == Applied(Revision(0), Instant(first.deadline + asked)) and not agent.destroyed
    else:
        assert isinstance(answer, Rejected) and agent.destroyed == [first.id] and not lease.ids
    with lease.attaching(SOON) as end:
        assert (lease.extended(TTL, end).id == first.id) is kept


def test_a_slow_answer_does_not_end_a_session_that_another_thread_has_prolonged() -> None:
    clock = HandClock()
    agent = Agent(clock)
    lease = ConsulLease(agent, clock, "a", (), lambda: 1)  # type: ignore[arg-type]
    with lease.attaching(SOON) as end:
        first = lease.extended(TTL, end)
    clock.time += 9.0

    def other() -> None:
        clock.time += 0.5
        assert isinstance(lease.renew(TTL, SOON), Applied)
        agent.late = 1.0

    agent.meanwhile = other
    assert isinstance(lease.renew(TTL, SOON), Applied)
    assert lease.ids == {first.id} and not agent.destroyed
