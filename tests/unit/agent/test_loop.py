"""The loop: real cycles over a store in memory and a stand-in for the server."""

import threading
from collections.abc import Iterator

import pytest

from pgctl.agent import cycle_log
from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core.effects import Answer, Outcome
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Decision, Host, Lease, View
from pgctl.agent.driver import Driver
from pgctl.agent.hands import Hands
from pgctl.agent.heartbeat import Heartbeat, Pace
from pgctl.agent.inbox import Inbox, Order, Reply
from pgctl.agent.jobs import Jobs
from pgctl.agent.lease import LeaseCell
from pgctl.agent.loop import Backoff, Loop
from pgctl.agent.orders import Orders
from pgctl.agent.slot_keeper import SlotKeeper
from pgctl.agent.watcher import Watcher
from pgctl.clock import SystemClock
from pgctl.config.sections import CtlSection
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.errors import ConfigError
from pgctl.model.lsn import Lsn
from pgctl.model.member import MemberName
from pgctl.model.server import Phase, ServerState
from pgctl.model.settings import Settings
from pgctl.rest.client import Client
from pgctl.units import Instant, Seconds, Wall
from tests.unit.agent.stand_ins import NotedFence, NotedServer, eventually, promises, unwatched


class NotedHeartbeat(Heartbeat):
    """Renews nothing; keeps what it was told."""

    def __init__(self) -> None:
        self.paces: list[Pace] = []

    def note(self, pace: Pace) -> None:
        self.paces.append(pace)


class Stand:
    def __init__(self) -> None:
        self.clock = SystemClock()
        self.universe = Universe(self.clock)
        self.server, self.fence, self.bell = NotedServer(Phase.EMPTY), NotedFence(), Bell()
        self.store = ClusterStore(InprocStore(self.universe, "a", self.clock), "prod")
        host = Host(MemberName("a"), "postgres://192.0.2.1:5432/postgres", "http://192.0.2.1:8008/patroni", "4.1.0")
        self.board = Board("prod", host, self.clock.now(), self.clock.wall())
        jobs = Jobs(self.server, None, self.clock, self.bell, lambda: self.driver.may_write())
        client = Client(CtlSection())
        lease = LeaseCell()
        hands = Hands(self.store, self.server, client, jobs, lease, promises(lease), self.fence, unwatched(self.clock),
                      self.board, self.clock, "a", SlotKeeper(self.server.keep_logical))
        self.driver = Driver(hands, Settings())
        self.reloads: list[str] = []
        self.inbox = Inbox(self.bell)
        self.heartbeat = NotedHeartbeat()
        self.orders = Orders(self.store, client, self.clock, "a", self.reload)
        self.watcher = Watcher(self.store, self.bell, self.clock)
        self.loop = Loop(hands, self.driver, self.orders, self.inbox, self.bell, self.heartbeat, self.watcher, host,
                         self.reload)
        self.thread = threading.Thread(target=self.loop.run)

    def reload(self) -> None:
        self.reloads.append("read")
        if len(self.reloads) > 1:
            raise ConfigError("the configuration is wrong")

    @property
    def cycles(self) -> Instant:
        return self.board.read().cycle_done_at


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    stand.loop.stop()
    for hold in stand.server.holds.values():
        hold.set()
    if stand.thread.is_alive():
        stand.thread.join(5)


def test_a_turn_shows_the_view_and_notes_progress(stand: Stand) -> None:
    stand.loop.turn()
    notice = stand.board.read()
    assert notice.decision is not None and notice.decision.rule == "empty.90"
    assert notice.view.server.phase is Phase.EMPTY
    assert stand.heartbeat.paces[-1].progress == notice.cycle_done_at
    assert stand.universe.values().keys() == {"members/a"}


def test_the_bell_wakes_it_and_stop_ends_it(stand: Stand) -> None:
    stand.thread.start()
    assert eventually(lambda: stand.board.read().decision is not None)
    assert eventually(lambda: stand.clock.now() - stand.cycles > 0.2)
    before = stand.cycles
    stand.bell.ring()
    assert eventually(lambda: stand.cycles > before, within=0.25)
    stand.loop.stop()
    stand.thread.join(2)
    assert not stand.thread.is_alive()


def test_however_often_it_is_rung_for_there_are_twenty_cycles_a_second_at_most(stand: Stand) -> None:
    stand.thread.start()
    begun = stand.clock.now()
    while stand.clock.now() - begun < 1.5:
        stand.bell.ring()
        stand.clock.sleep(Seconds(0.001))
    ended = {pace.progress for pace in stand.heartbeat.paces[1:]}
    assert 20 <= len(ended) <= 41


def test_a_bug_is_told_once_with_its_traceback_and_no_progress_is_noted(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.loop.turn()
    done = stand.heartbeat.paces[-1].progress
    stand.server.bug = RuntimeError("oops")
    for _ in range(3):
        stand.loop.turn()
    assert stand.heartbeat.paces[-1].progress == done
    assert stand.heartbeat.paces[-1].turned > done
    assert len([record for record in caplog.records if record.exc_info]) == 1
    stand.server.bug = None
    stand.loop.turn()
    assert stand.heartbeat.paces[-1].progress > done


def test_a_cycle_cut_short_is_progress_and_is_tried_again(stand: Stand) -> None:
    stand.universe.plan = lambda member, verb: Fault(Fate.REFUSED if verb == "put" else Fate.SERVED)
    stand.thread.start()
    assert eventually(lambda: len(stand.heartbeat.paces) > 6)
    assert stand.heartbeat.paces[-1].progress > stand.heartbeat.paces[0].progress
    stand.universe.plan = lambda member, verb: Fault()
    assert eventually(lambda: "members/a" in stand.universe.values())


def test_backoff_doubles_to_a_second_and_starts_again() -> None:
    backoff = Backoff()
    assert [backoff.failed() for _ in range(8)] == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.worked()
    assert backoff.failed() == 0.0


def test_a_fence_that_died_is_put_up_again(stand: Stand) -> None:
    stand.fence.lives = False
    stand.loop.turn()
    assert ("start",) in stand.fence.told
    assert len([told for told in stand.fence.told if told == ("start",)]) == 1


def test_orders_are_taken_before_the_cycle(stand: Stand) -> None:
    replies: list[Reply] = []
    now = stand.clock.now()
    stand.inbox.put(Order("POST", "/reload", {}, None, replies.append, now, Instant(now + 5)))
    stand.loop.turn()
    assert replies == [Reply(202, "reload scheduled")] and stand.reloads == ["read"]


def test_a_reload_asked_by_a_signal_is_done_and_its_fault_logged(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.loop.ask_reload()
    stand.loop.turn()
    stand.loop.ask_reload()
    stand.loop.turn()
    stand.loop.turn()
    assert stand.reloads == ["read", "read"]
    assert "the configuration was not taken: the configuration is wrong" in caplog.text


def test_a_decision_to_end_ends_it_with_its_reason(stand: Stand) -> None:
    InprocStore(stand.universe, "b", stand.clock).put("initialize", "7999999999999999999", budget=Seconds(1))
    stand.server.phase = Phase.STANDBY
    assert "another cluster" in stand.loop.run()


def shown(reason: str = "") -> str:
    server = ServerState(Phase.PRIMARY, lsn=Lsn(0x5000060), timeline=3)
    view = View(Instant(0), Wall(0.0), Host(MemberName("a"), "", "", ""), server, lease=Lease(True, Instant(27)))
    decision = Decision("lead.90", "all is well", reason, (), Memory(), Instant(0))
    return cycle_log.line(view, decision, 27.0)


def test_one_line_a_cycle() -> None:
    assert shown() == "lead.90 all is well  lsn=0/5000060 timeline=3 lease=27s"
    assert shown("for b") == "lead.90 all is well: for b  lsn=0/5000060 timeline=3 lease=27s"


def test_a_line_is_info_when_rule_or_reason_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    log = cycle_log.CycleLog()
    view = View(Instant(0), Wall(0.0), Host(MemberName("a"), "", "", ""), ServerState(Phase.DOWN))

    def write(rule: str, reason: str, cut: Answer | None = None) -> str:
        log.write(view, Decision(rule, "…", reason, (), Memory(), Instant(0)), 0.0, cut)
        return caplog.records[-1].levelname

    assert write("down.25", "next try in 0.5s") == "INFO"
    assert write("down.25", "next try in 0.2s") == "DEBUG"
    assert write("down.25", "the port is in use") == "INFO"
    assert write("down.70", "the port is in use") == "INFO"
    assert write("down.70", "the port is in use", Answer(Outcome.UNKNOWN, "no reply")) == "INFO"
    assert "ended=unknown (no reply)" in caplog.records[-1].message


def test_many_orders_take_as_many_cycles_and_none_is_forgotten(stand: Stand) -> None:
    """Each may keep the loop for a while, and a leader's loop must come round."""
    replies: list[Reply] = []
    now = stand.clock.now()
    for _ in range(3):
        stand.inbox.put(Order("DELETE", "/restart", {}, None, replies.append, now, Instant(now + 5)))
    stand.loop.turn()
    assert len(replies) == 1
    stand.thread.start()
    assert eventually(lambda: len(replies) == 3)


def test_while_a_deed_is_under_way_the_store_is_left_alone_and_its_end_wakes_at_once(stand: Stand) -> None:
    """A start that takes long, while the leader key changes all the time: what is asked of the store is counted."""
    asked: list[str] = []

    def count(member: str, verb: str) -> Fault:
        if member == "a" and verb != "watch":
            asked.append(verb)
        return Fault()

    stand.universe.plan = count
    other = InprocStore(stand.universe, "b", stand.clock)
    other.hold("leader", "b", ttl=Seconds(60), guard=None, budget=Seconds(1))
    stand.server.phase, stand.server.holds["start"] = Phase.DOWN, threading.Event()
    stand.watcher.start()
    stand.thread.start()
    assert eventually(lambda: '"starting"' in stand.universe.values().get("members/a", ""))
    assert eventually(lambda: stand.clock.now() - stand.cycles > 0.3)
    before, cycles = len(asked), stand.cycles
    for number in range(30):
        other.put("leader", f"c{number}", budget=Seconds(1))
        other.put("failover", "{}", budget=Seconds(1))
        stand.clock.sleep(Seconds(0.02))
    assert (len(asked), stand.cycles) == (before, cycles)
    stand.server.holds["start"].set()
    assert eventually(lambda: stand.cycles > cycles, within=0.5)
    assert eventually(lambda: '"running"' in stand.universe.values()["members/a"])
    assert len(asked) - before <= 12
    stand.store.close()
    stand.watcher.stop(Seconds(2))
