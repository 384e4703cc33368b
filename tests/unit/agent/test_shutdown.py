"""An orderly end: what is handed back after a proven stop, and what is left where it is not proven or not wanted."""

from dataclasses import replace

import pytest

from pgctl.agent import shutdown
from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core.effects import HoldLease, MoveFence, Publish, ReadCluster
from pgctl.agent.core.job import StartStandby
from pgctl.agent.core.view import Host
from pgctl.agent.driver import Driver
from pgctl.agent.hands import Hands
from pgctl.agent.heartbeat import Heartbeat, Pace
from pgctl.agent.jobs import Jobs
from pgctl.agent.lease import LeaseCell
from pgctl.agent.slot_keeper import SlotKeeper
from pgctl.clock import SystemClock
from pgctl.config.sections import CtlSection
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.errors import ServerError
from pgctl.model.member import Member, MemberName
from pgctl.model.server import Phase
from pgctl.model.settings import Settings
from pgctl.rest.client import Client
from pgctl.units import Seconds
from tests.unit.agent.stand_ins import NotedFence, NotedServer, promises, unwatched

ME = MemberName("a")


class NotedHeartbeat(Heartbeat):
    def __init__(self) -> None:
        self.noted = 0

    def note(self, pace: Pace) -> None:
        self.noted += 1


class Stand:
    def __init__(self) -> None:
        self.clock = SystemClock()
        self.universe = Universe(self.clock)
        self.server, self.fence, self.heartbeat = NotedServer(Phase.PRIMARY), NotedFence(), NotedHeartbeat()
        store = ClusterStore(InprocStore(self.universe, "a", self.clock), "prod")
        board = Board("prod", Host(ME, "", "", "4.1.0"), self.clock.now(), self.clock.wall())
        self.bell = Bell()
        jobs = Jobs(self.server, None, self.clock, self.bell, lambda: True)
        lease = LeaseCell()
        self.hands = Hands(store, self.server, Client(CtlSection()), jobs, lease, promises(lease), self.fence,
                           unwatched(self.clock), board, self.clock, "a", SlotKeeper(self.server.keep_logical))
        self.driver = Driver(self.hands, Settings(ttl=12))
        self.driver.begin()

    def lead(self) -> None:
        self.driver.perform(HoldLease())
        self.driver.perform(MoveFence(True))
        self.driver.perform(Publish(Member(ME, state="running", role="primary")))

    def end(self) -> dict[str, str]:
        """The store's keys after the end."""
        shutdown.shut_down(self.hands, self.driver, self.heartbeat, self.bell)
        return dict(self.universe.values())


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_a_leader_stops_its_server_says_how_far_it_got_and_gives_the_lead_up(stand: Stand) -> None:
    stand.lead()
    keys = stand.end()
    assert stand.server.calls == ["stop fast"]
    assert "leader" not in keys and keys["status"] == '{"optime":1000}'
    assert '"state":"stopped"' in keys["members/a"]
    assert not stand.fence.armed and not stand.hands.lease.read().held
    assert stand.heartbeat.noted > 0


def test_a_follower_stops_its_server_and_touches_no_key_but_its_own(stand: Stand) -> None:
    stand.server.phase = Phase.STANDBY
    assert stand.end().keys() == {"members/a"}
    assert stand.server.calls == ["stop fast"]


def test_in_pause_server_and_key_are_left(stand: Stand) -> None:
    stand.lead()
    InprocStore(stand.universe, "b", stand.clock).put("config", '{"pause": true}', budget=Seconds(1))
    stand.driver.perform(ReadCluster())
    stand.server.calls.clear()
    assert stand.end()["leader"] == "a"
    assert stand.server.calls == [] and not stand.fence.armed


def test_a_server_that_does_not_stop_keeps_key_and_fence(stand: Stand) -> None:
    stand.lead()
    stand.server.fails["stop fast"] = [ServerError("the server cannot be killed")]
    assert stand.end()["leader"] == "a"
    assert stand.fence.armed


def test_an_unclean_stop_leaves_the_key_to_expire(stand: Stand) -> None:
    stand.lead()
    stand.server.control = replace(stand.server.control, state="in production")
    assert stand.end()["leader"] == "a"


def test_a_store_that_is_silent_does_not_keep_it_from_ending(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.lead()
    stand.universe.plan = lambda member, verb: Fault(Fate.REFUSED)
    shutdown.shut_down(stand.hands, stand.driver, stand.heartbeat, stand.bell)
    assert stand.server.calls == ["stop fast"]
    assert "the store was not told" in caplog.text


def test_a_deed_under_way_is_called_off_first(stand: Stand) -> None:
    stand.server.phase = Phase.DOWN
    stand.hands.jobs.start(StartStandby())
    stand.end()
    assert stand.server.phase is Phase.DOWN
