"""Orders: what is written at once, what is answered later, and restarts on a schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pgctl.agent import outcomes, restarts
from pgctl.agent.core.effects import CloseIntent
from pgctl.agent.core.job import Clone, Rebuild, Restart, Stop
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Decision, Host, JobState, ReinitOrder, RestartOrder, View
from pgctl.agent.inbox import Order, Reply
from pgctl.agent.orders import Orders
from pgctl.config.sections import CtlSection
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.errors import ConfigError
from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, PendingParameter, ScheduledRestart, Tags
from pgctl.model.server import Phase, Postmaster, ServerState
from pgctl.model.settings import Settings
from pgctl.rest.client import Client
from pgctl.rest.schema import PeerStatus
from pgctl.units import Instant, Seconds
from tests.unit.agent.stand_ins import SetClock

STARTED = "2026-01-01 00:00:00.000000+00:00"
ME, OTHER = MemberName("a"), MemberName("b")


def view(**changes: object) -> View:
    clock = SetClock()
    server = ServerState(Phase.PRIMARY, Postmaster(7, 1.0, STARTED), version=150004)
    blank = View(clock.now(), clock.wall(), Host(ME, "", "", ""), server, Cluster("prod"))
    return replace(blank, **changes)  # type: ignore[arg-type]


def decided(reason: str = "") -> Decision:
    return Decision("lead.90", "all is well", reason, (), Memory(), Instant(0))


class AllReachable(Client):
    """Every member answers at once, as a standby."""

    def status(self, members: Sequence[tuple[str, str]], *, budget: Seconds,
               optional: frozenset[str] = frozenset()) -> tuple[PeerStatus, ...]:
        return tuple(PeerStatus(name, True) for name, _ in members)


class Stand:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.universe = Universe(self.clock)
        self.reloads = 0
        self.fault: ConfigError | None = None
        self.replies: list[Reply] = []
        self.other = InprocStore(self.universe, "b", self.clock)
        store = ClusterStore(InprocStore(self.universe, "a", self.clock), "prod")
        self.orders = Orders(store, AllReachable(CtlSection()), self.clock, "a", self.reload)

    def reload(self) -> None:
        self.reloads += 1
        if self.fault:
            raise self.fault

    def write(self, key: str, value: str) -> None:
        self.other.put(key, value, budget=Seconds(1))

    def order(self, method: str, path: str, body: Mapping[str, object] | None = None, seen: View | None = None,
              limit: float = 20.0) -> Reply | None:
        """The answer given at once; None when it is to come."""
        before = len(self.replies)
        now = self.clock.now()
        order = Order(method, path, {}, body, self.replies.append, now, Instant(now + limit))
        self.orders.take(order, seen or view())
        return self.replies[-1] if len(self.replies) > before else None

    def restart_asked(self) -> int:
        """The number of the restart that the next cycle is told of; 0: none."""
        asked = self.orders.asked
        return asked.id if isinstance(asked, RestartOrder) else 0

    def settle(self, seen: View, job: JobState | None = None, reason: str = "") -> Reply | None:
        before = len(self.replies)
        self.orders.settle(seen, decided(reason), job)
        return self.replies[-1] if len(self.replies) > before else None


@pytest.fixture
def stand() -> Stand:
    return Stand()


# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_patch_merges_into_what_is_stored(stand: Stand) -> None:
    stand.write("config", '{"ttl": 30, "slots": {"x": {}}}')
    reply = stand.order("PATCH", "/config", {"ttl": 20, "slots": None})
    assert reply is not None and (reply.status, reply.body) == (200, '{"ttl":20}')
    assert stand.universe.values()["config"] == '{"ttl":20}'


def test_a_patch_that_changes_nothing_writes_nothing(stand: Stand) -> None:
    stand.write("config", '{"ttl": 30}')
    before = stand.universe.revision
    assert stand.order("PATCH", "/config", {"ttl": "30"}) == Reply(200, '{"ttl":30}', "application/json")
    assert stand.universe.revision == before


def test_a_patch_needs_something_to_patch_and_a_put_does_not(stand: Stand) -> None:
    reply = stand.order("PATCH", "/config", {"ttl": 20})
    assert reply is not None and reply.status == 503
    assert stand.order("PUT", "/config", {"ttl": 20}) == Reply(200, '{"ttl":20}', "application/json")
    assert stand.universe.values()["config"] == '{"ttl":20}'


def test_a_patch_that_lost_the_comparison_is_a_conflict(stand: Stand) -> None:
    stand.write("config", '{"ttl": 30}')

    def plan(member: str, verb: str) -> Fault:
        if member == "a" and verb == "put":
            stand.universe.plan = lambda member, verb: Fault()
            stand.write("config", '{"ttl": 31}')
        return Fault()

    stand.universe.plan = plan
    reply = stand.order("PATCH", "/config", {"ttl": 20})
    assert reply is not None and reply.status == 409
    assert stand.universe.values()["config"] == '{"ttl": 31}'


@pytest.mark.parametrize(("fate", "words"), [(Fate.REFUSED, "cannot be reached"), (Fate.REPLY_LOST, "not known")])
def test_a_store_that_fails_is_told_and_unknown_is_not_no(stand: Stand, fate: Fate, words: str) -> None:
    stand.write("config", '{"ttl": 30}')
    stand.universe.plan = lambda member, verb: Fault(fate if verb == "put" else Fate.SERVED)
    reply = stand.order("PATCH", "/config", {"ttl": 20})
    assert reply is not None and reply.status == 503 and words in reply.body


def test_reload_is_done_now_and_its_fault_told(stand: Stand) -> None:
    assert stand.order("POST", "/reload") == Reply(202, "reload scheduled")
    stand.fault = ConfigError("the configuration is wrong", detail="scope is missing")
    assert stand.order("POST", "/reload") == Reply(400, "the configuration is wrong: scope is missing")
    assert stand.reloads == 2


# --- switchover and failover ------------------------------------------------------------------------------------------


def led(leader: str | None, *, role: str = "primary", intent: Intent | None = None) -> View:
    members = tuple(Member(MemberName(name), role=role if name == leader else "replica") for name in "abc")
    holder = Leader(MemberName(leader), Revision(1)) if leader else None
    return view(cluster=Cluster("prod", leader=holder, members=members, intent=intent))


WISH = Intent("a", "b")


@pytest.mark.parametrize(("seen", "intent", "status", "text"), [
    (led("a", intent=WISH), WISH, None, ""),
    (led(None, intent=WISH), WISH, None, ""),
    (led("b", role="replica"), WISH, None, ""),
    (led("b"), WISH, 200, 'Successfully switched over to "b"'),
    (led("b"), Intent("a"), 200, 'Successfully switched over to "b"'),
    (led("c"), WISH, 200, 'Switched over to "c" instead of "b"'),
    (led("b"), Intent(None, "b"), 200, 'Successfully failed over to "b"'),
    (led("c"), Intent(None, "b"), 200, 'Failed over to "c" instead of "b"'),
    (led("a"), WISH, 503, "Switchover failed: b lags"),
    (led("a"), Intent(None, "b"), 503, "Failover failed: b lags"),
    (view(cluster=None), WISH, None, ""),
])  # fmt: skip
def test_how_a_switchover_ended(seen: View, intent: Intent, status: int | None, text: str) -> None:
    reply = outcomes.result(seen, "b lags", intent, "a")
    assert reply == (None if status is None else Reply(status, text))


def test_the_asker_is_told_why_the_leader_closed_the_wish(stand: Stand) -> None:
    """The next view shows that it is closed; the reason was in the decision that closed it."""
    stand.write("leader", "a")
    stand.write("members/b", '{"api_url": "http://192.0.2.2:8008/patroni", "role": "replica"}')
    assert stand.order("POST", "/failover", {"leader": None, "candidate": "b"}) is None
    assert stand.universe.values()["failover"] == '{"member":"b"}'
    wish = Intent(None, "b")
    closing = replace(decided(), effects=(CloseIntent(wish, Revision(1), "b lags"),))
    stand.orders.settle(led("a", intent=wish), closing, None)
    assert stand.replies == []
    assert stand.settle(led("a")) == Reply(503, "Failover failed: b lags")


def test_a_switchover_is_refused_with_the_first_objection(stand: Stand) -> None:
    stand.write("leader", "c")
    assert stand.order("POST", "/switchover", {"leader": "a", "candidate": None}) == Reply(412, "leader name does not match")
    assert "failover" not in stand.universe.values()


@pytest.mark.parametrize(("server", "tags", "answer"), [
    (ServerState(Phase.STANDBY, Postmaster(7, 1.0, STARTED), lsn=Lsn(9), timeline=1), Tags(), None),
    (ServerState(Phase.STANDBY, Postmaster(7, 1.0, STARTED), lsn=Lsn(9), timeline=1), Tags(nofailover=True), 412),
    (ServerState(Phase.DOWN), Tags(), 412),
])
def test_a_candidate_that_is_asked_itself_counts_its_own_answer(stand: Stand, server: ServerState, tags: Tags,
                                                                answer: int | None) -> None:
    """Without a leader the order goes to the candidate."""
    stand.write("members/a", '{"api_url": "http://192.0.2.1:8008/patroni", "role": "replica"}')
    seen = view(server=server, host=Host(ME, "", "", "", tags))
    reply = stand.order("POST", "/failover", {"leader": None, "candidate": "a"}, seen)
    assert (reply.status if reply else None) == answer
    assert ("failover" in stand.universe.values()) == (answer is None)


def test_a_scheduled_switchover_is_written_and_deleted(stand: Stand) -> None:
    stand.write("leader", "a")
    at = datetime.fromtimestamp(stand.clock.wall() + 3600, UTC).isoformat()
    body = {"leader": "a", "candidate": None, "scheduled_at": at}
    assert stand.order("POST", "/switchover", body) == Reply(202, "Switchover scheduled")
    assert at in stand.universe.values()["failover"]
    assert stand.order("DELETE", "/switchover") == Reply(200, "scheduled switchover deleted")
    assert stand.universe.values()["failover"] == "{}"
    assert stand.order("DELETE", "/switchover") == Reply(404, "no switchover is scheduled")


# --- restart and reinitialize -----------------------------------------------------------------------------------------


def done(job: Restart | Rebuild | Clone | Stop, *, ended: bool = True, ok: bool = True, message: str = "",
         started: float = 1001.0) -> JobState:
    return JobState(job, Instant(started), ended, ok, message)


def test_a_restart_is_passed_on_until_its_deed_began_and_answered_when_it_ended(stand: Stand) -> None:
    assert stand.order("POST", "/restart", {"timeout": 60.0}) is None
    assert stand.settle(view()) is None
    number = stand.restart_asked()
    running = done(Restart(order=number), ended=False)
    assert stand.settle(view(), running) is None
    assert stand.restart_asked() == 0
    ended = done(Restart(order=number))
    assert stand.settle(view(job=ended), ended) == Reply(200, "restarted successfully")
    assert stand.settle(view(job=ended), ended) is None


@pytest.mark.parametrize(("message", "text"), [
    ("the server did not accept connections in time: it is still starting", "postgres is still starting"),
    ("port 5432 is in use", "restart failed: port 5432 is in use"),
])
def test_a_restart_that_failed_says_why(message: str, text: str) -> None:
    job = done(Restart(order=3), ok=False, message=message)
    assert outcomes.restarted(job, 3) == Reply(503, text)
    assert outcomes.restarted(job, 4) is None


def test_one_order_at_a_time(stand: Stand) -> None:
    busy = view(job=done(Clone(), ended=False))
    assert stand.order("POST", "/restart", {}, seen=busy) == Reply(503, "clone already in progress")
    stand.order("POST", "/restart", {})
    assert stand.order("POST", "/restart", {}) == Reply(503, "another order already in progress")


def test_a_restart_that_no_rule_takes_up_is_answered_and_dropped(stand: Stand) -> None:
    stand.order("POST", "/restart", {})
    stand.clock.time += 19.8
    assert stand.settle(view()) == Reply(503, "the member is in no state to do this now")
    assert stand.orders.asked is None


def test_conditions_of_an_immediate_restart(stand: Stand) -> None:
    assert stand.order("POST", "/restart", {"role": "replica"}) == Reply(503, "restart conditions are not satisfied")
    assert stand.orders.asked is None


def test_a_reinitialize_is_answered_once_it_began(stand: Stand) -> None:
    assert stand.order("POST", "/reinitialize", {"force": True, "from_leader": False}) is None
    assert isinstance(stand.orders.asked, ReinitOrder)
    old = done(Clone(), ended=False, started=999)
    assert stand.settle(view(job=old), done(Stop(), ended=False)) is None
    begun = done(Rebuild(), ended=False)
    assert stand.settle(view(job=begun), begun) == Reply(200, "reinitialize started")
    assert stand.orders.asked is None


# --- the schedule -----------------------------------------------------------------------------------------------------


def planned(**changes: object) -> ScheduledRestart:
    at = datetime.fromtimestamp(SetClock().wall(), UTC).isoformat()
    return ScheduledRestart(at, STARTED)._replace(**changes)  # type: ignore[arg-type]


PENDING = ServerState(Phase.PRIMARY, version=150004, pending_restart=(PendingParameter("a", "1", "2"),))


@pytest.mark.parametrize(("wanted", "seen", "met"), [
    (planned(), view(), True),
    (planned(role="primary"), view(), True),
    (planned(role="replica"), view(), False),
    (planned(role="standby_leader"), view(), False),
    (planned(postgres_version="15.5"), view(), True),
    (planned(postgres_version="15.4"), view(), False),
    (planned(restart_pending=True), view(), False),
    (planned(restart_pending=True), view(server=PENDING), True),
])
def test_conditions(wanted: ScheduledRestart, seen: View, met: bool) -> None:
    assert (restarts.unmet(wanted, seen) == "") is met


PAUSED = view(cluster=Cluster("prod", settings=Settings(pause=True)))
REPLACED = view(server=ServerState(Phase.PRIMARY, Postmaster(8, 2.0, "2026-01-02 00:00:00.000000+00:00")))


@pytest.mark.parametrize(("late", "seen", "begin", "drop"), [
    (-1, view(), False, False),
    (1, view(), True, False),
    (16, view(), False, True),
    (1, PAUSED, False, False),
    (16, PAUSED, False, True),
    (-1, REPLACED, False, True),
])
def test_when_a_scheduled_restart_begins(late: float, seen: View, begin: bool, drop: bool) -> None:
    verdict = restarts.judge(planned(), seen, type(seen.wall)(SetClock().wall() + late))
    assert (verdict.begin, verdict.drop != "") == (begin, drop)


def test_versions_as_numbers() -> None:
    assert [restarts.version_number(text) for text in ("15.4", "9.6.12", "18.0", "x")] == [150004, 90612, 180000, 0]


def test_a_schedule_is_kept_once_begins_in_time_and_can_be_deleted(stand: Stand) -> None:
    at = datetime.fromtimestamp(stand.clock.wall() + 5, UTC).isoformat()
    assert stand.order("POST", "/restart", {"schedule": at}) == Reply(202, "Restart scheduled")
    assert stand.order("POST", "/restart", {"schedule": at}) == Reply(409, "Another restart is already scheduled")
    assert stand.orders.wake_in() == pytest.approx(5)
    stand.orders.begin_scheduled(view())
    assert stand.restart_asked() == 0
    stand.clock.time += 5
    stand.orders.begin_scheduled(view())
    assert stand.restart_asked() > 0
    assert stand.order("DELETE", "/restart") == Reply(404, "no restarts are scheduled")


def test_a_schedule_that_is_deleted_does_not_begin(stand: Stand) -> None:
    stand.order("POST", "/restart", {"schedule": datetime.fromtimestamp(stand.clock.wall() + 5, UTC).isoformat()})
    assert stand.order("DELETE", "/restart") == Reply(200, "scheduled restart deleted")
    stand.clock.time += 6
    stand.orders.begin_scheduled(view())
    assert stand.orders.asked is None


def test_a_schedule_outlives_the_agent_that_took_it(stand: Stand) -> None:
    """The member key says it; a deletion is not undone by what an older reading shows."""
    at = datetime.fromtimestamp(stand.clock.wall() + 5, UTC).isoformat()
    own = Member(ME, scheduled_restart=planned()._replace(schedule=at))
    before = view(cluster=Cluster("prod", members=(own,)))
    stand.orders.begin_scheduled(view(cluster=None))
    assert stand.orders.scheduled is None
    stand.orders.begin_scheduled(before)
    assert stand.orders.scheduled == own.scheduled_restart
    assert stand.order("DELETE", "/restart") == Reply(200, "scheduled restart deleted")
    stand.orders.begin_scheduled(before)
    assert stand.orders.scheduled is None
