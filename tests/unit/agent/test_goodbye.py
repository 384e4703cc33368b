"""A synchronous standby's agent ends: it asks to be released first, and is not held up for ever."""

import threading
from collections.abc import Callable

import pytest

from pgctl.agent import goodbye
from pgctl.agent.core.effects import ReadCluster
from pgctl.agent.driver import Driver
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore
from pgctl.model.member import Member, MemberName
from pgctl.model.settings import Settings, SyncMode
from pgctl.model.sync import SyncState
from pgctl.units import Seconds
from tests.unit.agent.test_shutdown import Stand

BUDGET = Seconds(1)
SETTINGS = Settings(ttl=5, loop_wait=0.4, synchronous_mode=SyncMode.ON)


@pytest.fixture
def stand() -> Stand:
    """`a` is a synchronous standby of `b`."""
    found = Stand()
    found.driver = Driver(found.hands, SETTINGS)
    found.driver.perform(ReadCluster())
    leader = ClusterStore(InprocStore(found.universe, "b", found.clock), "prod")
    leader.hold_leader(MemberName("b"), ttl=Seconds(5), guard={}, budget=BUDGET)
    leader.write_config({"ttl": 5, "loop_wait": 1, "retry_timeout": 1, "synchronous_mode": "on"}, budget=BUDGET)
    leader.write_sync(SyncState("b", ("a",)), expect=leader.read(budget=BUDGET).revision("sync"), budget=BUDGET)
    found.driver.perform(ReadCluster())
    return found


def leader_of(stand: Stand, answer: Callable[[ClusterStore, Member], None]) -> threading.Thread:
    """A leader that answers the first member key of `a`."""
    store = ClusterStore(InprocStore(stand.universe, "b", stand.clock), "prod")

    def work() -> None:
        for _ in range(200):
            member = store.read(budget=BUDGET).member("a")
            if member is not None:
                answer(store, member)
                return
            threading.Event().wait(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def leave(stand: Stand) -> float:
    begun = stand.clock.now()
    goodbye.leave_duty(stand.hands, stand.driver, lambda seconds: stand.bell.wait(0.02))
    return stand.clock.now() - begun


def test_it_goes_once_the_leader_has_let_it_go(stand: Stand) -> None:
    seen: list[Member] = []

    def release(store: ClusterStore, member: Member) -> None:
        seen.append(member)
        store.write_sync(SyncState("b"), expect=store.read(budget=BUDGET).revision("sync"), budget=BUDGET)

    thread = leader_of(stand, release)
    took = leave(stand)
    thread.join()
    assert seen[0].tags.nosync
    assert seen[0].tags.published["nosync"] is True
    assert seen[0].tags.published["sync_priority"] == 0
    assert took < 1.5


def test_a_leader_that_does_not_answer_is_not_waited_for_for_ever(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    assert 1.9 < leave(stand) < 4
    assert "did not release" in caplog.text


def test_who_is_not_listed_says_nothing(stand: Stand) -> None:
    store = ClusterStore(InprocStore(stand.universe, "b", stand.clock), "prod")
    store.write_sync(SyncState("b", ("c",)), expect=store.read(budget=BUDGET).revision("sync"), budget=BUDGET)
    assert leave(stand) < 1
    assert store.read(budget=BUDGET).member("a") is None


def test_a_store_that_is_away_does_not_hold_it_up(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.universe.plan = lambda member, verb: Fault(Fate.REFUSED)
    leave(stand)
    assert "not released" in caplog.text
