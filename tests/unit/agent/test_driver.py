"""The driver: a function for every request, the guards before a server becomes writable, and what a lost answer means."""

import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core import effects, own_keys
from pgctl.agent.core.effects import (
    APPLIED,
    Answer,
    CloseIntent,
    HoldLease,
    MoveFence,
    Outcome,
    Publish,
    Quit,
    ReadCluster,
    ReadUpstreamHistory,
    ReclaimLease,
    ReleaseLease,
    RenewLease,
    Request,
    SetSlots,
    StartJob,
    StirStandbys,
    Unreadable,
    WriteConf,
    WriteHistory,
    WriteInitialize,
    WriteStatus,
)
from pgctl.agent.core.job import Job, Promote, Restart, StartPrimary, Stop
from pgctl.agent.core.view import Host, Lease
from pgctl.agent.driver import Driver
from pgctl.agent.hands import Hands
from pgctl.agent.jobs import Jobs
from pgctl.agent.lease import LeaseCell
from pgctl.agent.slot_keeper import SlotKeeper
from pgctl.config.sections import BootstrapSection, CtlSection
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.errors import ServerError
from pgctl.model.cluster import Cluster, Revision, Status
from pgctl.model.conf import Conf, LogicalPlan, SlotPlan, Upstream
from pgctl.model.events import Journal
from pgctl.model.failsafe import Ping
from pgctl.model.history import Claim, History
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.settings import Settings
from pgctl.model.sync import SyncState
from pgctl.model.timeline import Switch, TimelineHistory
from pgctl.rest.client import Client
from pgctl.units import Instant, Seconds
from tests.unit.agent.stand_ins import NotedDevice, NotedFence, NotedServer, SetClock, promises, watched

ME = MemberName("a")


class Stand:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.universe = Universe(self.clock)
        self.server, self.fence, self.lease, bell = NotedServer(), NotedFence(), LeaseCell(), Bell()
        store = ClusterStore(InprocStore(self.universe, "a", self.clock), "prod")
        board = Board("prod", Host(ME, "", "", ""), self.clock.now(), self.clock.wall())
        self.jobs = Jobs(self.server, BootstrapSection(), self.clock, bell, lambda: self.driver.may_write())
        client = Client(CtlSection(), clock=self.clock)
        self.promise = promises(self.lease)
        self.device = NotedDevice()
        self.watchdog = watched(self.device, self.clock)
        self.hands = Hands(store, self.server, client, self.jobs, self.lease, self.promise, self.fence, self.watchdog, board,
                           self.clock, "a", SlotKeeper(self.server.keep_logical))
        self.driver = Driver(self.hands, Settings(ttl=12))
        self.driver.begin()

    def lose_replies(self, fate: Fate = Fate.REPLY_LOST) -> None:
        self.universe.plan = lambda member, verb: Fault(fate)

    def write(self, key: str, value: str) -> None:
        """As somebody else."""
        InprocStore(self.universe, "b", self.clock).put(key, value, budget=Seconds(1))

    def leader(self) -> Revision:
        row = self.universe.rows.get("leader")
        return row.revision if row else Revision(0)


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    assert stand.jobs.wait(Seconds(5))


def requests() -> list[type[Request[Any]]]:
    named = {**vars(effects), **vars(own_keys)}.values()
    found = [value for value in named if isinstance(value, type) and issubclass(value, Request)]
    return [each for each in found if each not in (Request, RenewLease)]


SAMPLES: dict[str, Any] = {
    "known_timeline": None, "members": (), "optional": frozenset(), "upstream": Upstream("b", "192.0.2.1", 5432),
    "guard": {}, "revision": Revision(0), "status": Status(), "stored": History(), "timeline": 2, "limit": 0,
    "value": "", "document": {}, "intent": Intent(), "reason": "", "member": Member(ME), "conf": Conf(),
    "plan": SlotPlan(), "action": "on_start", "role": "replica", "job": Stop(), "why": "", "armed": False,
    "sync": SyncState(), "arm": True, "writable": False, "ping": Ping("a", "", ""), "deadline": Instant(0),
    "journal": Journal(), "claim": Claim(2, "a"),
}  # fmt: skip


@pytest.mark.parametrize("request_type", requests(), ids=lambda each: each.__name__)
def test_every_request_has_its_function(stand: Stand, request_type: type[Request[Any]]) -> None:
    given = {field.name: SAMPLES[field.name] for field in fields(request_type)}
    if request_type is effects.WriteFailsafe:
        given["members"] = {}
    if request_type is effects.KeepLogical:
        given["plan"] = LogicalPlan()
    stand.driver.perform(request_type(**given))


@pytest.mark.parametrize("take", [HoldLease(), ReclaimLease(Revision(0))])
def test_taking_the_lead_sets_lease_and_fence(stand: Stand, take: Request[Answer]) -> None:
    assert stand.driver.perform(take) == APPLIED
    deadline = Instant(stand.clock.now() + 12)
    assert stand.lease.read().deadline == deadline
    assert stand.fence.told == [("arm", deadline, Seconds(2.0))]
    assert stand.hands.board.read().lease.held
    assert stand.universe.values()["leader"] == "a"


@pytest.mark.parametrize("take", [HoldLease(writable=True), ReclaimLease(Revision(0), writable=True)])
def test_a_server_that_takes_writes_is_fenced_before_the_key_is_asked_for(stand: Stand, take: Request[Answer]) -> None:
    """An agent that is frozen before the answer comes arms nothing, and the key may be its own by then."""
    assert stand.driver.perform(take) == APPLIED
    asked, had = stand.fence.told
    assert asked == ("arm", Instant(stand.clock.now() + 12), Seconds(2.0)) and had[0] == "arm"


def test_a_fence_that_was_armed_for_a_key_that_was_not_had_lets_go_again(stand: Stand) -> None:
    assert stand.driver.perform(HoldLease({"sync": Revision(7)}, writable=True)).outcome is Outcome.REJECTED
    assert [what for what, *_ in stand.fence.told] == ["arm", "disarm"]


def test_a_fence_that_was_armed_for_a_key_that_may_be_mine_stays_armed(stand: Stand) -> None:
    stand.lose_replies()
    assert stand.driver.perform(HoldLease(writable=True)).outcome is Outcome.UNKNOWN
    assert [what for what, *_ in stand.fence.told] == ["arm"]


def test_a_standby_leader_takes_the_lead_and_leaves_the_fence_open(stand: Stand) -> None:
    assert stand.driver.perform(HoldLease(arm=False)) == APPLIED
    assert stand.lease.read().held and stand.fence.told == []


def test_the_lead_is_not_taken_without_a_fence(stand: Stand) -> None:
    stand.fence.lives = False
    assert stand.driver.perform(HoldLease()).outcome is Outcome.REJECTED
    assert stand.leader() == 0


def test_the_lead_is_not_taken_when_a_guarded_key_changed(stand: Stand) -> None:
    assert stand.driver.perform(HoldLease({"sync": Revision(7)})).outcome is Outcome.REJECTED
    assert not stand.lease.read().held and stand.fence.told == []


def test_a_lost_reply_to_taking_the_lead_gives_nothing_to_believe(stand: Stand) -> None:
    stand.lose_replies()
    assert stand.driver.perform(HoldLease()).outcome is Outcome.UNKNOWN
    assert not stand.lease.read().held
    assert stand.leader() != 0


@pytest.mark.parametrize("fate", [Fate.SERVED, Fate.REPLY_LOST, Fate.REQUEST_LOST])
def test_giving_the_lead_up_counts_even_if_the_answer_is_lost(stand: Stand, fate: Fate) -> None:
    stand.driver.perform(HoldLease())
    stand.lose_replies(fate)
    stand.driver.perform(ReleaseLease(stand.leader()))
    assert not stand.lease.read().held and not stand.hands.board.read().lease.held


def test_a_lead_that_was_not_given_up_is_kept(stand: Stand) -> None:
    stand.driver.perform(HoldLease())
    assert stand.driver.perform(ReleaseLease(Revision(99))).outcome is Outcome.REJECTED
    assert stand.lease.read().held


WRITING: list[Job] = [Promote(), StartPrimary(conf=Conf(standby=False)), Restart(conf=Conf(standby=False))]


@pytest.mark.parametrize("job", WRITING, ids=lambda job: job.name)
@pytest.mark.parametrize(("passed", "fence", "allowed"), [
    (0, True, True), (9.9, True, True), (10.1, True, False), (0, False, False),
])  # fmt: skip
def test_what_makes_a_server_writable_needs_lease_and_fence(
    stand: Stand, job: Job, passed: float, fence: bool, allowed: bool
) -> None:
    stand.driver.perform(HoldLease())
    stand.clock.time += passed
    stand.fence.lives = fence
    answer = stand.driver.perform(StartJob(job))
    assert (answer == APPLIED) is allowed


def test_it_needs_the_lease_at_all(stand: Stand) -> None:
    assert stand.driver.perform(StartJob(Promote())).outcome is Outcome.REJECTED
    assert stand.driver.perform(StartJob(Restart())) == APPLIED


def test_the_fence_is_armed_for_a_lease_only(stand: Stand) -> None:
    assert stand.driver.perform(MoveFence(True)).outcome is Outcome.REJECTED
    assert not stand.fence.armed
    stand.driver.perform(HoldLease())
    stand.driver.perform(MoveFence(False))
    assert not stand.fence.armed
    assert stand.driver.perform(MoveFence(True)) == APPLIED
    assert stand.fence.armed


def test_a_busy_slot_is_a_refusal(stand: Stand) -> None:
    stand.server.holds["stop fast"] = hold = threading.Event()
    stand.driver.perform(StartJob(Stop()))
    assert stand.driver.perform(StartJob(Stop())) == Answer(Outcome.REJECTED, "stop already in progress")
    hold.set()


def test_reading_takes_the_settings_or_says_why_not(stand: Stand) -> None:
    stand.write("config", '{"ttl": 45, "loop_wait": 10, "retry_timeout": 10}')
    read = stand.driver.perform(ReadCluster())
    assert isinstance(read, Cluster) and stand.driver.settings.ttl == 45
    assert stand.server.calls == ["use_dynamic"]
    stand.lose_replies(Fate.REFUSED)
    assert stand.driver.perform(ReadCluster()) == Unreadable("could not reach the store")
    assert stand.driver.settings.ttl == 45


def test_what_is_wrong_in_the_store_is_told_once(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.write("config", '{"maximum_lag_on_failover": "much"}')
    stand.write("history", "{bad")
    for _ in range(2):
        stand.driver.perform(ReadCluster())
    told = [record.message for record in caplog.records if record.message.startswith("in the store: ")]
    assert len(told) == 2 and "maximum_lag_on_failover" in told[0] and '"history"' in told[1]


def test_a_lead_that_the_store_does_not_know_is_dropped(stand: Stand) -> None:
    stand.driver.perform(HoldLease())
    stand.driver.perform(ReadCluster())
    assert stand.lease.read().held
    stand.write("leader", "a")
    stand.driver.perform(ReadCluster())
    assert not stand.lease.read().held and not stand.hands.board.read().lease.held


def test_a_cluster_without_settings_leaves_the_servers_own_alone(stand: Stand) -> None:
    """A bootstrap under way has them from the file."""
    stand.driver.perform(ReadCluster())
    assert stand.server.calls == []


def test_one_cycle_shares_a_third_of_the_ttl(stand: Stand) -> None:
    stand.lose_replies(Fate.REQUEST_LOST)
    for _ in range(3):
        stand.driver.perform(WriteStatus(Status()))
    assert stand.clock.time - 1000 < 12 / 3 + 2 * 0.5 + 0.01
    stand.driver.begin()
    stand.driver.perform(WriteStatus(Status()))
    assert stand.clock.time - 1000 > 8


@pytest.mark.parametrize(("fate", "outcome"), [
    (Fate.SERVED, Outcome.APPLIED), (Fate.REFUSED, Outcome.UNKNOWN), (Fate.REQUEST_LOST, Outcome.UNKNOWN),
    (Fate.REPLY_LOST, Outcome.UNKNOWN),
])  # fmt: skip
def test_unknown_is_never_taken_for_either(stand: Stand, fate: Fate, outcome: Outcome) -> None:
    stand.lose_replies(fate)
    assert stand.driver.perform(WriteStatus(Status(Lsn(5)))).outcome is outcome


def test_a_comparison_that_fails_is_a_rejection(stand: Stand) -> None:
    stand.write("initialize", "1")
    assert stand.driver.perform(WriteInitialize("2", Revision(0))).outcome is Outcome.REJECTED
    assert stand.driver.perform(CloseIntent(Intent("a"), Revision(9), "late")).outcome is Outcome.REJECTED


def test_the_member_key_hangs_on_the_lease(stand: Stand) -> None:
    stand.driver.perform(Publish(Member(ME)))
    assert stand.lease.session == stand.clock.now() + 12
    stand.clock.time += 13
    assert stand.universe.values() == {}


def test_a_configuration_that_cannot_be_written_ends_the_cycle_and_a_slot_does_not(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.server.fails["write_conf"] = [ServerError("no space left")]
    assert stand.driver.perform(WriteConf(Conf())).outcome is Outcome.REJECTED
    stand.server.fails["set_slots"] = [ServerError("all replication slots are in use")] * 2
    for _ in range(2):
        assert stand.driver.perform(SetSlots(SlotPlan())).outcome is Outcome.APPLIED
    assert len([record for record in caplog.records if "slots are in use" in record.message]) == 1


def test_standbys_that_cannot_be_stirred_do_not_end_the_cycle(stand: Stand) -> None:
    stand.server.fails["stir"] = [ServerError("no answer")]
    assert stand.driver.perform(StirStandbys()).outcome is Outcome.APPLIED
    assert stand.driver.perform(StirStandbys()) == APPLIED
    assert stand.server.calls[-2:] == ["stir", "stir"]


def test_a_history_that_cannot_be_asked_is_none(stand: Stand) -> None:
    stand.server.fails["upstream_history"] = [ServerError("connection refused")]
    assert stand.driver.perform(ReadUpstreamHistory(Upstream("b", "192.0.2.1", 5432))) is None


def test_history_is_written_from_the_servers_own(stand: Stand) -> None:
    stand.server.history = TimelineHistory(2, (Switch(1, Lsn(100), "no recovery target specified"),))
    assert stand.driver.perform(WriteHistory(2, History())) == APPLIED
    assert stand.universe.values()["history"].startswith('[[1,100,"no recovery target specified","20')
    assert stand.universe.values()["history"].endswith(',"a"]]')


def test_quitting_is_noted(stand: Stand) -> None:
    stand.driver.perform(Quit("another cluster's data"))
    assert stand.driver.quitting == "another cluster's data"


def test_a_promise_keeps_the_lead_from_being_taken(stand: Stand) -> None:
    stand.promise.accept(Ping("b", "", ""), Instant(stand.clock.now() + 9), stand.clock.now)
    answer = stand.driver.perform(HoldLease())
    assert answer.outcome is Outcome.REJECTED and "promised to b" in answer.reason
    assert stand.fence.told == [] and "leader" not in stand.universe.values()
    stand.clock.time += 9
    assert stand.driver.perform(HoldLease()) == APPLIED


def test_what_all_members_promise_moves_lease_and_fence(stand: Stand) -> None:
    stand.driver.perform(HoldLease())
    stand.clock.time += 6
    deadline = Instant(stand.clock.now() + 12)
    assert stand.driver.perform(effects.Prolong(deadline)) == APPLIED
    assert stand.lease.read().deadline == deadline and stand.lease.read().failsafe
    assert stand.fence.told[-1] == ("move", deadline, Seconds(2.0))
    stand.clock.time += 11
    assert stand.driver.perform(effects.Prolong(Instant(stand.clock.now() + 12))).outcome is Outcome.REJECTED


def test_a_lead_by_promises_outlives_the_key_but_not_another_leader(stand: Stand) -> None:
    stand.driver.perform(HoldLease())
    stand.driver.perform(effects.Prolong(Instant(stand.clock.now() + 30)))
    stand.clock.time += 13
    stand.driver.perform(effects.ReadCluster())
    assert stand.leader() == 0 and stand.lease.read().failsafe
    assert stand.driver.perform(HoldLease()) == APPLIED
    assert stand.lease.read() == Lease(True, Instant(stand.clock.now() + 30), 5.0)  # without settings: the default ttl
    stand.driver.perform(effects.Prolong(Instant(stand.clock.now() + 60)))
    stand.clock.time += 31
    stand.write("leader", "b")
    stand.driver.perform(effects.ReadCluster())
    assert not stand.lease.read().held


def test_only_the_very_words_are_consent(stand: Stand) -> None:
    """A member that is not there, and one whose address is none, have refused."""
    asked = effects.AskMembers((("b", "http://127.0.0.1:1/patroni"), ("c", "nowhere")), Ping("a", "", ""))
    found = stand.driver.perform(asked)
    assert found.sent == stand.clock.now() and found.accepted == ()
    assert [name for name, _ in found.refused] == ["b", "c"]


def test_without_a_watchdog_that_is_required_nothing_is_taken_or_made_writable(stand: Stand, tmp_path: Path) -> None:
    stand.hands = replace(stand.hands, watchdog=watched(stand.device, stand.clock, "required", str(tmp_path)))
    stand.driver = Driver(stand.hands, Settings(ttl=12))
    stand.driver.begin()
    stand.device.fault = "/dev/noted does not exist"
    answer = stand.driver.perform(HoldLease())
    assert answer.outcome is Outcome.REJECTED and "does not exist" in answer.reason
    stand.device.fault = ""
    assert stand.driver.perform(HoldLease()) == APPLIED and stand.driver.may_write()
    assert stand.device.told == ["open", "timeout 7", "ping"]
    assert stand.fence.told[-1] == ("arm", Instant(stand.clock.now() + 6), Seconds(1.0))
    stand.driver.perform(MoveFence(False))
    assert stand.device.told[-1] == "close" and not stand.driver.may_write()


def test_in_pause_no_watchdog_is_needed_to_restart_a_primary(stand: Stand, tmp_path: Path) -> None:
    stand.hands = replace(stand.hands, watchdog=watched(stand.device, stand.clock, "required", str(tmp_path)))
    stand.driver = Driver(stand.hands, Settings(ttl=12, pause=True))
    stand.driver.begin()
    assert stand.driver.perform(HoldLease()) == APPLIED
    assert stand.driver.perform(MoveFence(False)) == APPLIED
    assert stand.device.told[-1] == "close" and stand.driver.may_write()
