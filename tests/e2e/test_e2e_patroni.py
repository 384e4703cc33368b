"""One cluster of two kinds: a released Patroni and pgctl's agent agree on every key, body and order.

Each test leaves the cluster of three streaming: pg1 and pg2 begin as Patroni's, pg3 as pgctl's.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from pgctl.units import Seconds
from tests.e2e import cluster as clusters
from tests.e2e import patroni_peer
from tests.e2e.patroni_peer import PATRONI, PGCTL, MixedCluster
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.store("etcd3"),
    pytest.mark.skipif(bool(patroni_peer.why_not()), reason=patroni_peer.why_not()),
]

A_PATRONI, OTHER_PATRONI, OURS = "pg1", "pg2", "pg3"
CHECKS = (
    "/", "/primary", "/master", "/read-write", "/leader", "/standby-leader", "/standby_leader", "/replica",
    "/replica?lag=1MB", "/replica?lag=0", "/replica?replication_state=streaming", "/replica?tag_a=b", "/read-only",
    "/read-only?lag=10", "/health", "/sync", "/synchronous", "/async", "/asynchronous", "/quorum", "/read-only-sync",
    "/read-only-async", "/read-only-quorum", "/liveness", "/readiness", "/patroni", "/cluster", "/config", "/history",
    "/metrics", "/failsafe", "/unknown",
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedCluster]:
    if reason := clusters.why_not("etcd3"):
        pytest.skip(reason)
    with MixedCluster(str(tmp_path_factory.mktemp("mixed")), (PATRONI, PATRONI, PGCTL)).running() as made:
        yield made


@pytest.fixture
def mixed(running: MixedCluster) -> MixedCluster:
    """The cluster, healthy, led by a Patroni, its members of the kinds they began as."""
    running.heal()
    assert [running.kinds[name] for name in running.names] == [PATRONI, PATRONI, PGCTL]
    _make_leader(running, A_PATRONI)
    return running


def _make_leader(mixed: MixedCluster, name: str) -> None:
    """Hands the leader's role to `name`. After a restart the keys may say `streaming` a cycle too long: the server knows."""
    leader = mixed.wait_leader()
    mixed.wait("the leader sends to all others", lambda: mixed.query(
        leader, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == [(len(mixed.names) - 1,)])
    if leader != name:
        _done(mixed.pgctl("switchover", "--candidate", name, "--force"))
        mixed.wait_healthy()


def _done(result: Any) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return str(result.stdout)


def _json(mixed: MixedCluster, name: str, path: str) -> Any:
    return json.loads(mixed.get(name, path).data)


def _shape(value: Any) -> Any:
    """Names and types of a document, its numbers and texts left out. An empty value has no shape of its own."""
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value[:1]]
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value):
        return "time " + re.sub(r"\d+", "9", value)
    return type(value).__name__


def _listed(text: str) -> list[dict[str, Any]]:
    """Members of a list in JSON, by name; positions move on while we look."""
    moving = ("Receive LSN", "Replay LSN", "Receive Lag", "Replay Lag")
    return [{key: value for key, value in row.items() if key not in moving} for row in json.loads(text)]


# --- living together ------------------------------------------------------------------------------------------


def test_a_member_joins_a_patroni_cluster(mixed: MixedCluster) -> None:
    """It was cloned, streams through the slot that the Patroni leader made, and both tools show it alike."""
    rows = mixed.query(A_PATRONI, "SELECT slot_name FROM pg_replication_slots WHERE active ORDER BY 1")
    assert rows == [(OTHER_PATRONI,), (OURS,)]
    theirs, ours = (_listed(_done(run("list", "-f", "json"))) for run in (mixed.patronictl, mixed.pgctl))
    assert [row["State"] for row in theirs] == ["running", "streaming", "streaming"]
    # pgctl's rows hold more
    assert [{key: row[key] for key in theirs[index]} for index, row in enumerate(ours)] == theirs


def test_a_patroni_joins_our_cluster(tmp_path_factory: pytest.TempPathFactory) -> None:
    with MixedCluster(str(tmp_path_factory.mktemp("reverse")), (PGCTL, PATRONI)).running() as cluster:
        assert cluster.leader() == "pg1"
        cluster.pgctl("switchover", "--candidate", "pg2", "--force")
        cluster.wait_healthy()
        assert cluster.leader() == "pg2"


def test_switchover_there_and_back(mixed: MixedCluster) -> None:
    """Ours to a Patroni leader, theirs to ours, at once and at a time: nothing acknowledged is lost."""
    with Witness(mixed) as witness, Writer(mixed) as writer:
        writer.wait_more(20)
        _done(mixed.pgctl("switchover", "--candidate", OURS, "--force"))
        mixed.wait_healthy()
        assert mixed.leader() == OURS
        writer.wait_more(20)
        said = _done(mixed.patronictl("switchover", "--leader", OURS, "--candidate", A_PATRONI, "--force"))
        assert f'Successfully switched over to "{A_PATRONI}"' in said
        mixed.wait_healthy()
        writer.wait_more(20)
    note("mixed switchover", writer)
    assert writer.lost() == ()
    assert witness.overlaps == ()
    theirs, ours = (json.loads(_done(run("history", "-f", "json"))) for run in (mixed.patronictl, mixed.pgctl))
    assert theirs == ours
    assert [row["New Leader"] for row in ours[-2:]] == [OURS, A_PATRONI]


@pytest.mark.parametrize("leader", [A_PATRONI, OURS])
def test_a_lost_leader_is_followed_by_the_other_kind(mixed: MixedCluster, leader: str) -> None:
    """Its successor keeps a slot for its return."""
    _make_leader(mixed, leader)
    heir = OURS if leader == A_PATRONI else A_PATRONI
    mixed.end_agent(OTHER_PATRONI)
    mixed.wait("the leader retains the slots of all", lambda: mixed.document("status").get("retain_slots") == [
        "pg1", "pg2", "pg3"], 10)
    mixed.lose_host(leader)
    assert mixed.wait_leader(other_than=leader) == heir
    mixed.wait("a slot for the lost one", lambda: (leader,) in mixed.query(
        heir, "SELECT slot_name FROM pg_replication_slots"), 10)


def test_members_change_their_kind_one_at_a_time(mixed: MixedCluster) -> None:
    """Stop one program, start the other on the same file and data; all the way over, and all the way back."""
    identifier = mixed.raw_get("initialize")
    for name in (*mixed.names, *mixed.names):
        mixed.change_kind(name)
        _wait_kind(mixed, name)
        mixed.wait_healthy()
    assert mixed.raw_get("initialize") == identifier


def test_members_change_their_kind_and_no_server_stops(mixed: MixedCluster) -> None:
    """In maintenance mode the server outlives its agent, and the other kind adopts it, the leader's too."""
    servers = [mixed.server(name) for name in mixed.names]
    _done(mixed.patronictl("pause", "--wait"))
    try:
        for name in (*mixed.names, *mixed.names):
            mixed.change_kind(name)
            _wait_kind(mixed, name)
            assert mixed.leader() == A_PATRONI
    finally:
        _done(mixed.pgctl("resume", "--wait"))
    mixed.wait_healthy()
    assert [mixed.server(name) for name in mixed.names] == servers


def _wait_kind(mixed: MixedCluster, name: str) -> None:
    """Waits until the member's new program answers and has published its key."""
    def reached() -> bool:
        with suppress(Exception):
            fresh = (mixed.document(f"members/{name}") or {}).get("state") == "running"
            return fresh and ("pgctl" in _json(mixed, name, "/patroni")) == (mixed.kinds[name] == PGCTL)
        return False

    mixed.wait(f"{name} runs as {mixed.kinds[name]}", reached)


# --- orders ---------------------------------------------------------------------------------------------------

Tool = Callable[[MixedCluster], Callable[..., Any]]
TOOLS = pytest.mark.parametrize("tool", [lambda mixed: mixed.patronictl, lambda mixed: mixed.pgctl],
                                ids=["patronictl", "pgctl"])
LEADERS = pytest.mark.parametrize("leader", [A_PATRONI, OURS])


@TOOLS
@LEADERS
def test_orders_for_the_cluster(mixed: MixedCluster, tool: Tool, leader: str) -> None:
    """Maintenance mode is seen by all, a setting reaches every server, a change that needs a restart is shown."""
    _make_leader(mixed, leader)
    run = tool(mixed)
    _done(run("pause", "--wait"))
    assert all(mixed.document(f"members/{name}").get("pause") is True for name in mixed.names)
    _done(run("resume", "--wait"))
    assert not any("pause" in mixed.document(f"members/{name}") for name in mixed.names)

    now = int(str(mixed.query(leader, "SHOW max_connections")[0][0]))
    memory = f"{now + 2000}kB"
    _done(run("edit-config", "-p", f"work_mem={memory}", "-p", f"max_connections={now + 1}", "--force"))
    mixed.wait("every server has the new setting", lambda: all(
        mixed.query(name, "SHOW work_mem") == [(memory,)] for name in mixed.names), 20)
    reason = {"max_connections": {"old_value": str(now), "new_value": str(now + 1)}}
    for name in mixed.names:
        mixed.wait(f"{name} tells that it waits for a restart", lambda name=name: (  # type: ignore[misc]
            mixed.document(f"members/{name}").get("pending_restart_reason") == reason), 20)
        assert _json(mixed, name, "/patroni")["pending_restart_reason"] == reason
    _done(run("restart", "demo", "--force"))
    mixed.wait_healthy()
    assert all(mixed.query(name, "SHOW max_connections") == [(str(now + 1),)] for name in mixed.names)


@TOOLS
def test_a_member_is_made_anew(mixed: MixedCluster, tool: Tool) -> None:
    for name in (OTHER_PATRONI, OURS):
        before = mixed.server(name)
        _done(tool(mixed)("reinit", "demo", name, "--force", "--wait"))
        mixed.wait_healthy()
        assert mixed.server(name) != before


@TOOLS
@LEADERS
def test_what_is_scheduled_is_shown_and_flushed(mixed: MixedCluster, tool: Tool, leader: str) -> None:
    _make_leader(mixed, leader)
    other = OURS if leader == A_PATRONI else A_PATRONI
    run = tool(mixed)
    at = "2099-01-01T00:00:00+00:00"
    _done(run("switchover", "--leader", leader, "--candidate", other, "--scheduled", at, "--force"))
    wish = mixed.document("failover")
    wish.pop("by", None)  # who ordered it: ours says so, for the journal
    assert wish == {"leader": leader, "member": other, "scheduled_at": at}
    for name in (leader, other):
        mixed.wait("it is shown", lambda name=name: _json(mixed, name, "/cluster").get(  # type: ignore[misc]
            "scheduled_switchover") == {"at": at, "from": leader, "to": other}, 10)
    _done(run("flush", "demo", "switchover", "--force"))
    assert mixed.document("failover") == {}

    _done(run("restart", "demo", leader, "--scheduled", at, "--force"))
    mixed.wait("it is shown", lambda: "scheduled_restart" in mixed.document(f"members/{leader}"), 10)
    assert mixed.document(f"members/{leader}")["scheduled_restart"]["schedule"] == at
    _done(run("flush", "demo", "restart", "--force"))
    mixed.wait("it is gone", lambda: "scheduled_restart" not in mixed.document(f"members/{leader}"), 10)


# --- field by field -------------------------------------------------------------------------------------------


def test_health_checks_say_the_same(mixed: MixedCluster) -> None:
    """Two standbys, then two leaders one after the other; then by OPTIONS and HEAD, whose odd answers we do not share."""
    def said(name: str, method: str = "GET", paths: tuple[str, ...] = CHECKS) -> dict[str, int]:
        return {path: mixed.get(name, path, method).status for path in paths}

    health = tuple(path for path in CHECKS if said(OTHER_PATRONI, "HEAD", (path,)) != {path: 503} or path in (
        "/primary", "/leader", "/sync", "/standby-leader"))
    assert said(OURS) == said(OTHER_PATRONI)
    for method in ("OPTIONS", "HEAD"):
        assert said(OURS, method, health) == said(OTHER_PATRONI, method, health)
    led_by_patroni = said(A_PATRONI)
    _make_leader(mixed, OURS)
    assert said(OURS) == led_by_patroni


@pytest.mark.parametrize("path", ["/patroni", "/cluster", "/history", "/config"])
def test_bodies_have_the_same_fields(mixed: MixedCluster, path: str) -> None:
    """Ours says more only under the key `pgctl`."""
    if path == "/history":  # a Patroni says what it read at its last cycle
        mixed.wait("both have read of the last switchover", lambda: _json(mixed, OTHER_PATRONI, path) == _json(
            mixed, OURS, path), 10)
    theirs, ours = _json(mixed, OTHER_PATRONI, path), _json(mixed, OURS, path)
    if path == "/patroni":
        del ours["pgctl"]
        assert _shape(ours) == _shape(theirs)
        theirs = _json(mixed, A_PATRONI, path)
        _make_leader(mixed, OURS)
        mixed.wait("it has seen its standbys", lambda: len(_json(mixed, OURS, path).get("replication", [])) == 2, 10)
        ours = _json(mixed, OURS, path)
        del ours["pgctl"]
    assert _shape(ours) == _shape(theirs)
    if path in ("/history", "/config"):
        assert ours == theirs


def test_metrics_hold_all_of_theirs(mixed: MixedCluster) -> None:
    """Same names, labels and types, the leader's and a standby's."""
    def series(name: str) -> set[tuple[str, ...]]:
        text = mixed.get(name, "/metrics").data.decode().replace(f'name="{name}"', "")
        return set(re.findall(r"^# TYPE (\S+) (\S+)$\n^\S+\{(.*)\} ", text, re.MULTILINE))

    assert series(OTHER_PATRONI) and series(OTHER_PATRONI) <= series(OURS)
    of_leader = series(A_PATRONI)
    _make_leader(mixed, OURS)
    assert of_leader <= series(OURS)


def test_documents_have_the_same_fields(mixed: MixedCluster) -> None:
    """Every key of the store, written by a leader of each kind. Ours says more only under the key `pgctl`."""
    def member(name: str) -> dict[str, Any]:
        return {key: value for key, value in mixed.document(f"members/{name}").items() if key != "pgctl"}

    def look() -> dict[str, Any]:
        mixed.wait("the status is whole", lambda: len(mixed.document("status").get("slots", {})) == 3, 10)
        leader = mixed.wait_leader()
        found = {key: mixed.document(key) for key in ("status", "history", "config", "failover")}
        found["status"]["slots"] = dict(sorted(found["status"]["slots"].items()))
        return found | {"leader": member(leader), "standbys": {
            name: _shape(member(name)) for name in mixed.names if name != leader}}

    theirs = look()
    assert theirs["standbys"][OTHER_PATRONI] == theirs["standbys"][OURS]
    _make_leader(mixed, OURS)
    ours = look()
    assert _shape(ours["leader"]) == _shape(theirs["leader"])
    assert ours["status"]["retain_slots"] == theirs["status"]["retain_slots"]
    for key in ("status", "history", "config"):
        assert _shape(ours[key]) == _shape(theirs[key])
    assert ours["failover"] == {}


# --- without the store ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("leader", [A_PATRONI, OURS])
def test_failsafe_mode_keeps_a_leader_of_either_kind(mixed: MixedCluster, leader: str) -> None:
    """The store is gone for more than a lease: members of both kinds agree, and the leader stays."""
    _make_leader(mixed, leader)
    assert mixed.store is not None
    mixed.raw_put("config", json.dumps({**mixed.document("config"), "failsafe_mode": True}))
    mixed.wait("the members are named", lambda: set(mixed.document("failsafe") or {}) == set(mixed.names))
    with Witness(mixed) as witness, Writer(mixed) as writer:
        mixed.store.kill()
        mixed.store.wait(timeout=10)
        mixed.wait("every member knows", lambda: all(
            _json(mixed, name, "/patroni").get("failsafe_mode_is_active") for name in mixed.names), 30)
        mixed.clock.sleep(Seconds(15.0))
        mixed.start_store()
        mixed.wait("the store names the leader", lambda: mixed.leader() == leader, 30)
        writer.wait_more(20)
    note("mixed cluster without the store", writer)
    assert {one.member for one in writer.acknowledged} == {leader}
    assert witness.overlaps == ()
    mixed.raw_put("config", json.dumps({**mixed.document("config"), "failsafe_mode": False}))
