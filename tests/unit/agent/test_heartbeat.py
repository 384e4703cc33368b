"""The heartbeat: its rhythm in virtual time, and what its thread does with the store's answers."""

import select
from collections.abc import Callable
from pathlib import Path

import pytest

from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core import heartbeat as core
from pgctl.agent.core.effects import APPLIED, Answer, Outcome, RenewLease
from pgctl.agent.core.heartbeat import Pulse, Rest
from pgctl.agent.core.view import Host
from pgctl.agent.heartbeat import Heartbeat, Pace
from pgctl.agent.lease import LeaseCell
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.model.member import Member, MemberName
from pgctl.model.settings import Settings
from pgctl.units import Instant, Seconds
from tests.unit.agent.stand_ins import NotedDevice, NotedFence, SetClock, eventually, watched

UNKNOWN = Answer(Outcome.UNKNOWN, "no reply")


def renewals(ttl: float, until: float, answer: Callable[[float], Answer], stuck_at: float | None = None,
             leading: bool = True) -> list[float]:
    """Instants at which the lease was asked to be renewed; the loop makes progress until `stuck_at`."""
    beats, now, asked = core.heartbeat(), 0.0, []
    request = next(beats)
    while now < until:
        if isinstance(request, Rest):
            now += request.seconds
            progress = now if stuck_at is None else min(now, stuck_at)
            request = beats.send(Pulse(Instant(now), ttl, leading, Instant(now + ttl), Instant(progress)))
        else:
            assert request == RenewLease(ttl)
            asked.append(now)
            request = beats.send(answer(now))
    return asked


def test_it_renews_every_quarter_of_the_ttl() -> None:
    assert renewals(30, 40, lambda _: APPLIED) == [0, 7.5, 15, 22.5, 30, 37.5]


@pytest.mark.parametrize(("ttl", "pause"), [(30.0, 1.875), (5.0, 0.3125), (1.0, 0.25)])
def test_without_an_answer_it_tries_again_sooner(ttl: float, pause: float) -> None:
    asked = renewals(ttl, 5.5 * pause, lambda _: UNKNOWN)
    assert [later - now for now, later in zip(asked, asked[1:], strict=False)] == pytest.approx([pause] * 5)


def test_a_refusal_is_the_cycles_to_mend() -> None:
    assert renewals(8, 5, lambda _: Answer(Outcome.REJECTED, "gone")) == [0, 2, 4]


def test_a_leader_whose_loop_is_stuck_for_a_ttl_is_not_renewed() -> None:
    asked = renewals(10, 60, lambda _: APPLIED, stuck_at=20)
    assert max(asked) <= 30


def test_a_follower_is_renewed_whatever_its_loop_does() -> None:
    assert max(renewals(10, 60, lambda _: APPLIED, stuck_at=0, leading=False)) > 55


def test_the_budget_shrinks_as_the_lease_runs_out() -> None:
    def budget(left: float, leading: bool = True) -> float:
        return core.budget(Pulse(Instant(100), 30, leading, Instant(100 + left), Instant(100)), 5.0)

    assert budget(22) == 6
    assert budget(9) == 2.5 and budget(0) == 2.5
    assert budget(0, leading=False) == 6


class Stand:
    def __init__(self, mode: str = "off") -> None:
        self.clock = SetClock()
        self.universe = Universe(self.clock)
        self.store = ClusterStore(InprocStore(self.universe, "a", self.clock), "prod")
        self.lease, self.fence, self.bell = LeaseCell(), NotedFence(), Bell()
        self.board = Board("prod", Host(MemberName("a"), "", "", ""), self.clock.now(), self.clock.wall())
        self.settings = Settings(ttl=12)
        self.device = NotedDevice()
        self.watchdog = watched(self.device, self.clock, mode)
        self.heartbeat = Heartbeat(self.store, self.lease, self.fence, self.watchdog, self.board, self.bell, self.clock,
                                   self.settings)

    def lead(self) -> None:
        held = self.store.hold_leader("a", ttl=Seconds(12), budget=Seconds(1))
        self.lease.hold(getattr(held, "deadline", None) or Instant(0))

    def rung(self) -> bool:
        return bool(select.select([self.bell.fileno()], [], [], 0)[0])


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_a_renewal_moves_lease_board_and_fence(stand: Stand) -> None:
    stand.lead()
    stand.clock.time += 3
    assert stand.heartbeat.renew(12) == APPLIED
    deadline = Instant(stand.clock.now() + 12)
    assert stand.lease.read().deadline == deadline
    assert stand.board.read().lease.deadline == deadline
    assert stand.fence.told == [("move", deadline, Seconds(2.0))]


def test_a_late_reply_shortens_the_lease(stand: Stand) -> None:
    stand.lead()
    sent = stand.clock.now()
    stand.universe.plan = lambda member, verb: Fault(delay=Seconds(1.5))
    assert stand.heartbeat.renew(12) == APPLIED
    assert stand.clock.now() == sent + 1.5
    assert stand.lease.read().deadline == sent + 12


def test_a_lowered_ttl_without_an_answer_shortens_the_lease(stand: Stand) -> None:
    """The store may have applied it: then it keeps the key no longer than that."""
    stand.lead()
    sent = stand.clock.now()
    stand.universe.plan = lambda member, verb: Fault(Fate.REPLY_LOST)
    assert stand.heartbeat.renew(6).outcome is Outcome.UNKNOWN
    assert stand.lease.read().deadline == sent + 6
    assert stand.board.read().lease.deadline == sent + 6
    assert stand.fence.told == [("move", sent + 6, Seconds(1.0))]


def test_a_follower_does_not_move_the_fence(stand: Stand) -> None:
    stand.store.write_member(Member(MemberName("a")), ttl=Seconds(12), budget=Seconds(1))
    assert stand.heartbeat.renew(12) == APPLIED
    assert stand.fence.told == []
    assert stand.lease.session == stand.clock.now() + 12


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.REQUEST_LOST, Fate.REPLY_LOST])
def test_without_an_answer_nothing_moves(stand: Stand, fate: Fate, caplog: pytest.LogCaptureFixture) -> None:
    stand.lead()
    before = stand.lease.read()
    stand.universe.plan = lambda member, verb: Fault(fate)
    for _ in range(3):
        assert stand.heartbeat.renew(12).outcome is Outcome.UNKNOWN
    assert stand.lease.read() == before and stand.fence.told == []
    assert len([record for record in caplog.records if "could not be renewed" in record.message]) == 1


def test_a_lease_that_is_gone_is_lost_and_the_cycle_called(stand: Stand) -> None:
    stand.lead()
    stand.clock.time += 13
    assert stand.heartbeat.renew(12).outcome is Outcome.REJECTED
    assert not stand.lease.read().held and not stand.board.read().lease.held
    assert stand.rung()


def test_before_the_first_key_there_is_no_lease_and_nobody_is_called(stand: Stand) -> None:
    assert stand.heartbeat.renew(12).outcome is Outcome.REJECTED
    assert not stand.rung()


def test_the_thread_renews_ticks_and_ends(stand: Stand) -> None:
    stand.lead()
    stand.heartbeat.start()
    assert eventually(lambda: ("move", Instant(1012), Seconds(2.0)) in stand.fence.told)
    assert ("tick",) in stand.fence.told
    stand.heartbeat.stop(Seconds(5))


def test_a_changed_ttl_is_asked_for_at_once(stand: Stand) -> None:
    """And the fence gets the margin of that TTL; a quarter of the old one is 3 s, which nobody waits for here."""
    stand.lead()
    stand.heartbeat.start()
    assert eventually(lambda: ("move", Instant(1012), Seconds(2.0)) in stand.fence.told)
    stand.heartbeat.note(Pace(Settings(ttl=6), stand.clock.now(), stand.clock.now()))
    assert eventually(lambda: ("move", Instant(1006), Seconds(1.0)) in stand.fence.told, within=1.5)
    stand.heartbeat.stop(Seconds(5))


def test_an_agent_whose_loop_no_longer_turns_does_not_tick(stand: Stand) -> None:
    stand.clock.time += 13
    stand.heartbeat.note(Pace(stand.settings, Instant(1000), Instant(1000)))
    stand.heartbeat.start()
    assert not eventually(lambda: ("tick",) in stand.fence.told, within=0.3)
    stand.heartbeat.stop(Seconds(5))


def test_a_renewal_pings_the_watchdog_and_the_lead_ends_before_the_reset(tmp_path: Path) -> None:
    stand = Stand()
    stand.watchdog = watched(stand.device, stand.clock, "automatic", str(tmp_path))
    stand.heartbeat = Heartbeat(stand.store, stand.lease, stand.fence, stand.watchdog, stand.board, stand.bell, stand.clock,
                                stand.settings)
    stand.lead()
    stand.watchdog.arm(12)
    stand.clock.time += 3
    stand.heartbeat.renew(12)
    assert stand.device.told == ["open", "timeout 7", "ping"]
    assert stand.lease.read().deadline == stand.clock.now() + 7 - 1
    stand.device.broken = True
    stand.clock.time += 3
    stand.heartbeat.renew(12)
    assert stand.rung() and not stand.watchdog.open
    assert stand.lease.read().deadline == stand.clock.now() + 3
