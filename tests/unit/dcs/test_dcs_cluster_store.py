"""ClusterStore: keys joined with documents, in both directions, over the dictionary store."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from pgctl.clock import SystemClock
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import InprocStore, Universe
from pgctl.dcs.store import ABSENT, Applied, Rejected
from pgctl.model.cluster import Leader, Revision, Status
from pgctl.model.events import Event, Journal, Seen
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, Role, State
from pgctl.model.sync import SyncState
from pgctl.units import Seconds

SOON = Seconds(5)
TTL = Seconds(30)
NAME = MemberName("a")


@pytest.fixture
def universe() -> Universe:
    return Universe(SystemClock())


def opened(universe: Universe, name: str = "a") -> ClusterStore:
    return ClusterStore(InprocStore(universe, name, SystemClock()), "prod")


def filled(universe: Universe, documents: Mapping[str, str]) -> ClusterStore:
    raw = InprocStore(universe, "operator", SystemClock())
    for key, value in documents.items():
        raw.put(key, value, budget=SOON)
    return opened(universe)


def test_an_empty_store_is_a_cluster_never_initialized(universe: Universe) -> None:
    cluster = opened(universe).read(budget=SOON)
    assert (cluster.scope, cluster.initialize, cluster.config) == ("prod", None, None)
    assert (cluster.leader, cluster.members) == (None, ())
    assert not cluster.history.known and not cluster.sync.active and cluster.revision("leader") == ABSENT


def test_what_peers_write_is_read(universe: Universe) -> None:
    cluster = filled(universe, {
        "initialize": "7000000000000000001",
        "leader": "b",
        "members/a": '{"conn_url":"postgres://h:1/postgres","api_url":"http://h:2/patroni","state":"running","role":"replica"}',
        "members/b": '{"state":"running","role":"master","timeline":3}',
        "members/b/deeper": "ignored",
        "config": '{"ttl":20,"loop_wait":5,"retry_timeout":5,"unknown":1}',
        "status": '{"optime":83886176,"slots":{"a":1}}',
        "optime/leader": "5",
        "history": '[[1,100,"no recovery target specified"],[2,200,"x","2026-01-01T00:00:00+00:00","b"]]',
        "failover": '{"leader":"b","member":"a"}',
        "sync": '{"leader":"b","sync_standby":"a","quorum":0}',
        "failsafe": '{"b":"http://h:2/patroni"}',
        "events": '{"seen":{"leader":"b"},"events":[{"at":"t","what":"pause"}]}',
        "somebody/elses": "1",
    }).read(budget=SOON)
    assert cluster.leader == Leader(MemberName("b"), cluster.revision("leader"), mine=False)
    assert [member.name for member in cluster.members] == ["a", "b"]
    assert cluster.leader_member is not None and cluster.leader_member.role == Role.PRIMARY
    assert (cluster.settings.ttl, cluster.status.optime, cluster.status.slots) == (20, 83886176, {"a": 1})
    assert (cluster.history.timeline, cluster.sync.standbys, cluster.known_identifier) == (3, ("a",), "7000000000000000001")
    assert cluster.intent == Intent("b", "a") and cluster.failsafe == {"b": "http://h:2/patroni"}
    assert cluster.journal.events == (Event("t", "pause"),) and cluster.journal.seen.leader == "b"
    assert cluster.config is not None and cluster.config["unknown"] == 1


def test_the_old_position_counts_only_where_there_is_no_status(universe: Universe) -> None:
    assert filled(universe, {"optime/leader": "5"}).read(budget=SOON).status.optime == 5
    assert filled(universe, {"status": "garbage"}).read(budget=SOON).status == Status()


BAD = ["", "garbage", "null", "[]", "{}", "1", '"text"', "[[]]", '{"a":', "[" * 5000, "\ud83d\udc18",
       '{"leader":{},"sync_standby":7}']


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_no_document_makes_reading_fail(universe: Universe, text: str) -> None:
    names = ("config", "status", "history", "failover", "sync", "failsafe", "events", "initialize", "leader", "members/x",
             "optime/leader")
    cluster = filled(universe, dict.fromkeys(names, text)).read(budget=SOON)
    assert cluster.settings.ttl == 30 and [member.name for member in cluster.members] == ["x"]
    assert all(cluster.revision(name) > 0 for name in names)  # so that it can be compared with, and mended


def test_settings_that_became_unreadable_stay_in_force(universe: Universe) -> None:
    store = filled(universe, {"config": '{"ttl":60}'})
    assert store.read(budget=SOON).settings.ttl == 60
    filled(universe, {"config": "garbage"})
    broken = store.read(budget=SOON)
    assert (broken.settings.ttl, broken.config) == (60, None) and store.notes


def test_documents_that_cannot_be_read_are_named(universe: Universe) -> None:
    good = {"config": "{}", "status": "50", "history": "[]", "sync": "{}", "failover": "a:b", "failsafe": "null",
            "initialize": "7000000000000000001", "leader": "a", "members/x": "{}"}
    store = filled(universe, good)
    store.read(budget=SOON)
    assert store.notes == ()
    bad = ("failover", "failsafe", "history", "initialize", "members/x", "status", "sync")
    filled(universe, dict.fromkeys(bad, "{bad"))
    store.read(budget=SOON)
    told: list[str] = [*store.notes]
    assert [key for key, note in zip(bad, told, strict=True) if f'"{key}"' in note] == list(bad)


def test_a_name_alone_does_not_make_the_lead_mine(universe: Universe) -> None:
    a, again = opened(universe), opened(universe)
    a.hold_leader(NAME, ttl=TTL, budget=SOON)
    mine, theirs = a.read(budget=SOON).leader, again.read(budget=SOON).leader
    assert mine is not None and mine.mine and theirs is not None and not theirs.mine
    assert isinstance(again.reclaim_leader(NAME, Revision(theirs.revision + 9), ttl=TTL, budget=SOON), Rejected)
    reclaimed = again.reclaim_leader(NAME, theirs.revision, ttl=TTL, budget=SOON)
    assert isinstance(reclaimed, Applied) and reclaimed.deadline is not None
    leader = again.read(budget=SOON).leader
    assert leader is not None and leader.mine


def test_the_lease_from_hold_to_release(universe: Universe) -> None:
    a, b = opened(universe), opened(universe, "b")
    a.write_member(Member(NAME), ttl=TTL, budget=SOON)
    seen = a.read(budget=SOON)
    assert isinstance(a.hold_leader("a", ttl=TTL, guard={"sync": Revision(9)}, budget=SOON), Rejected)
    assert isinstance(a.hold_leader("a", ttl=TTL, guard={"sync": seen.revision("sync")}, budget=SOON), Applied)
    assert isinstance(b.hold_leader("b", ttl=TTL, budget=SOON), Rejected)
    assert isinstance(a.renew(Seconds(20), budget=SOON), Applied)
    assert isinstance(b.renew(TTL, budget=SOON), Rejected)
    leader = b.read(budget=SOON).leader
    assert leader is not None
    assert isinstance(a.release_leader(Revision(leader.revision - 1), budget=SOON), Rejected)
    assert isinstance(a.release_leader(leader.revision, budget=SOON), Applied)
    assert isinstance(b.hold_leader("b", ttl=TTL, budget=SOON), Applied)


def test_what_is_written_is_read_again(universe: Universe) -> None:
    store = opened(universe)
    member = Member(NAME, conn_url="postgres://h:1/postgres", state=State.RUNNING, role=Role.PRIMARY, timeline=2)
    line = HistoryLine(1, Lsn(100), "why", "2026-01-01T00:00:00+00:00", "a")
    intent = Intent("a", "b", datetime(2026, 12, 1, tzinfo=UTC))
    store.write_member(member, ttl=TTL, budget=SOON)
    store.write_status(Status(Lsn(7), {"s": 1}, ("s",)), budget=SOON)
    store.write_history(History((line,), True), budget=SOON)
    store.write_failsafe({"a": "http://h"}, expect=ABSENT, budget=SOON)
    store.write_journal(Journal((Event("t", "x"),), Seen("a"), True), expect=ABSENT, budget=SOON)
    store.write_config({"ttl": 40}, budget=SOON)
    store.write_initialize("", expect=ABSENT, budget=SOON)
    store.write_intent(intent, budget=SOON)
    found = store.read(budget=SOON)
    assert found.members == (member,) and found.status == Status(Lsn(7), {"s": 1}, ("s",))
    assert found.history == History((line,), True) and found.failsafe == {"a": "http://h"}
    assert found.journal.events == (Event("t", "x"),) and found.settings.ttl == 40 and found.initialize == ""
    assert found.intent == intent
    assert universe.values()["history"] == '[[1,100,"why","2026-01-01T00:00:00+00:00","a"]]'


def test_writes_compare_with_what_was_read(universe: Universe) -> None:
    store = opened(universe)
    sync = SyncState("a", ("b",), 0)
    assert isinstance(store.write_sync(sync, expect=ABSENT, budget=SOON), Applied)
    assert isinstance(store.write_sync(sync, expect=ABSENT, budget=SOON), Rejected)
    seen = store.read(budget=SOON)
    assert seen.sync == sync
    assert isinstance(store.write_sync(sync._replace(standbys=()), expect=seen.revision("sync"), budget=SOON), Applied)
    assert isinstance(store.write_sync(sync, expect=seen.revision("sync"), budget=SOON), Rejected)
    assert isinstance(store.write_intent(None, expect=Revision(99), budget=SOON), Rejected)
    assert isinstance(store.write_config({}, expect=Revision(99), budget=SOON), Rejected)
    assert isinstance(store.write_initialize("x", expect=Revision(99), budget=SOON), Rejected)
    assert isinstance(store.delete_initialize(expect=Revision(99), budget=SOON), Rejected)
    assert isinstance(store.delete_initialize(budget=SOON), Applied)


def test_sync_that_is_not_active_is_an_absent_key(universe: Universe) -> None:
    store = opened(universe)
    assert isinstance(store.write_sync(SyncState(), expect=ABSENT, budget=SOON), Applied)
    store.write_sync(SyncState("a"), expect=ABSENT, budget=SOON)
    seen = store.read(budget=SOON).revision("sync")
    assert isinstance(store.write_sync(SyncState(), expect=Revision(seen + 1), budget=SOON), Rejected)
    assert isinstance(store.write_sync(SyncState(), expect=seen, budget=SOON), Applied)
    assert "sync" not in universe.values()


def test_a_closed_intent_leaves_the_key(universe: Universe) -> None:
    store = opened(universe)
    store.write_intent(Intent(None, "b"), budget=SOON)
    seen = store.read(budget=SOON)
    assert isinstance(store.write_intent(None, expect=seen.revision("failover"), budget=SOON), Applied)
    assert universe.values() == {"failover": "{}"} and store.read(budget=SOON).intent is None


def test_removal_ends_with_initialize(universe: Universe) -> None:
    store = filled(universe, {"initialize": "1", "leader": "a", "zzz": "1", "members/a": "{}"})
    gone: list[str] = []
    universe.listeners.append(lambda keys: gone.extend(keys))
    assert store.remove_cluster(budget=SOON) == 4
    assert universe.values() == {} and gone[-1] == "initialize"
    assert store.remove_cluster(budget=SOON) == 0


def test_a_watch_continues_from_the_last_reading(universe: Universe) -> None:
    store = opened(universe)
    store.write_config({}, budget=SOON)
    store.read(budget=SOON)
    store.write_status(Status(), budget=SOON)
    heard: list[frozenset[str]] = []
    store.watch(store.revision, heard.append, budget=Seconds(0.05))
    assert heard == [{"status"}]
    store.close()
