"""The state matrix of the REST contract as data, and the parameters of health checks. Source: rest.md 3 and 4."""

from dataclasses import replace

import pytest

from pgctl.agent import answers, answers_health
from pgctl.agent.board import Notice
from pgctl.agent.core.job import Promote
from pgctl.agent.inbox import Reply
from pgctl.model.lsn import Lsn
from pgctl.model.server import Phase, ServerState
from pgctl.model.settings import Settings, SyncMode
from pgctl.units import Instant
from tests.unit.agent.boards import END, NOW, STANDBY_CLUSTER, WALL, cluster, host, notice, primary, standby, synchronous

PATHS = {
    "P": ("/primary", "/", "/read-write", "/master", "//primary", "/x-primary-y"),
    "L": ("/leader", "/leader/"),
    "SL": ("/standby-leader", "/standby_leader"),
    "R": ("/replica", "/replica/x"),
    "RO": ("/read-only", "/read-only/"),
    "S": ("/sync", "/synchronous"),
    "ROS": ("/read-only-sync", "/read-only-synchronous"),
    "Q": ("/quorum",),
    "ROQ": ("/read-only-quorum",),
    "A": ("/async", "/asynchronous"),
    "H": ("/health",),
}
PAUSED = Settings(pause=True)
PAUSED_STANDBY_CLUSTER = replace(STANDBY_CLUSTER, pause=True)
STARTING = ServerState(Phase.STARTING, version=150000)
STOPPED = ServerState(Phase.DOWN, version=150000)
MINE = cluster("a")

MATRIX: list[tuple[str, Notice, str]] = [
    ("leader, running as primary", notice(primary(), MINE, leads=True), "P L RO ROS ROQ H"),
    # The contract's 200 for P, RO, ROS and ROQ in the next four rows is refused on purpose: nobody was seen there as a
    # server that accepts writes. SL of a standby cluster likewise.
    ("leader, starting", notice(STARTING, MINE, leads=True), "L"),
    ("leader, stopped", notice(STOPPED, MINE, leads=True), "L"),
    ("leader, not promoted yet", notice(standby(), MINE, leads=True), "L R RO A H"),
    ("leader, promoting", notice(standby(), MINE, leads=True, job=Promote()), "L R RO A H"),
    ("running primary without lock", notice(primary(), cluster("b")), "H"),
    ("running primary, lock lost by clock", notice(primary(), MINE), "H"),
    ("replica, asynchronous", notice(standby(), cluster()), "R RO A H"),
    ("replica, synchronous standby", notice(standby(), synchronous(SyncMode.ON)), "R RO S ROS H"),
    ("replica, quorum voter", notice(standby(), synchronous(SyncMode.QUORUM)), "R RO Q ROQ H"),
    ("replica with noloadbalance", notice(standby(), cluster(), me=host(noloadbalance=True)), "H"),
    ("replica, starting", notice(STARTING, cluster()), ""),
    ("replica, stopped", notice(STOPPED, cluster()), ""),
    ("replica, a query without answer", notice(standby(phase=Phase.HUNG), cluster()), ""),
    ("standby cluster, leader", notice(standby(), cluster("a", STANDBY_CLUSTER), leads=True), "L SL RO ROS ROQ H"),
    ("standby cluster, leader, starting", notice(STARTING, cluster("a", STANDBY_CLUSTER), leads=True), "L"),
    ("standby cluster, replica", notice(standby(), cluster("b", STANDBY_CLUSTER)), "R RO A H"),
    ("DCS down, lock valid, primary", notice(primary(), leads=True, earlier=MINE), "P L RO H"),
    ("DCS down, lock run out, primary", notice(primary(), earlier=MINE), "H"),
    ("DCS down, replica", notice(standby(), earlier=cluster()), "R RO H"),
    ("DCS down, paused, primary", notice(primary(), settings=PAUSED, earlier=MINE), "P L RO H"),
    ("DCS down, paused, standby leader",
     notice(standby(), settings=PAUSED_STANDBY_CLUSTER, earlier=cluster("a", STANDBY_CLUSTER)), "L SL RO H"),
    ("paused, leader", notice(primary(), cluster("a", PAUSED), leads=True), "P L RO ROS ROQ H"),
    ("paused, primary without lock", notice(primary(), cluster("b", PAUSED)), "H"),
    ("no leader, replica", notice(standby(), cluster(None)), "R RO A H"),
]  # fmt: skip


def code(found: Notice, path: str, now: float = NOW) -> int:
    reply = answers.answer(answers.request("GET", path), found, Instant(now), WALL)
    assert isinstance(reply, Reply)
    return reply.status


@pytest.mark.parametrize(("found", "good"), [(found, good) for _, found, good in MATRIX],
                         ids=[state for state, _, _ in MATRIX])
def test_the_state_matrix(found: Notice, good: str) -> None:
    wanted = {path: 200 if column in good.split() else 503 for column, paths in PATHS.items() for path in paths}
    assert {path: code(found, path) for path in wanted} == wanted


@pytest.mark.parametrize("path", ["/sync/", "/foo", "/read_only", "/restart", "/switchover", "/failover"])
def test_a_path_that_asks_for_nothing_known_is_no_health(path: str) -> None:
    assert code(notice(primary(), MINE, leads=True), path) == 503


def test_an_old_look_at_the_server_proves_nothing() -> None:
    found = replace(notice(primary(), MINE, leads=True), lease=notice(primary(), leads=True).lease)
    late = replace(found, looked_at=Instant(NOW - 61))
    assert [code(late, path) for path in ("/primary", "/leader", "/health")] == [503, 200, 503]
    assert code(replace(notice(standby(), cluster()), looked_at=Instant(NOW - 61)), "/replica") == 503


def test_a_lease_that_ran_out_since_the_look_is_no_lease() -> None:
    found = notice(primary(), MINE, leads=True)
    assert [code(found, "/primary", NOW + 24.9), code(found, "/primary", NOW + 25)] == [200, 503]


LAGGING = standby(replay_lsn=Lsn(END - 2048))


@pytest.mark.parametrize(("server", "query", "status"), [
    (LAGGING, "lag=2048", 200),
    (LAGGING, "lag=2047", 503),
    (LAGGING, "lag=2kB", 200),
    (LAGGING, "lag=1kB", 503),
    (LAGGING, "lag=1M", 400),
    (LAGGING, "lag=", 200),
    (LAGGING, "lag=2047&lag=1GB", 503),
    (standby(replay_lsn=None), "lag=1GB", 503),
    (standby(), "replication_state=streaming", 200),
    (standby(), "replication_state=in%20archive%20recovery", 503),
])
def test_parameters_of_a_replica_check(server: ServerState, query: str, status: int) -> None:
    assert code(notice(server, cluster()), f"/replica?{query}") == status


def test_lag_counts_from_whichever_knows_more() -> None:
    """The DCS view is as old as the leader's last cycle; the WAL receiver may know better."""
    behind = cluster(status=replace(cluster().status, optime=Lsn(END - 4096)))
    assert code(notice(LAGGING, behind), "/replica?lag=1kB") == 503
    deaf = replace(LAGGING, receiver=None)
    assert code(notice(deaf, behind), "/replica?lag=1kB") == 200
    assert code(notice(deaf, earlier=cluster()), "/replica?lag=1kB") == 200, "nothing is known: never lagging"


TAGGED = host(zone="east", spare=True, weight=1.4)


@pytest.mark.parametrize(("path", "status"), [
    ("/replica?tag_zone=east", 200),
    ("/replica?tag_zone=west", 503),
    ("/replica?tag_spare=true&tag_weight=1.4", 200),
    ("/replica?tag_spare=True", 503),
    ("/replica?tag_missing=x", 503),
    ("/health?tag_zone=west", 503),
    ("/read-only?tag_zone=west", 503),
])
def test_tags_filter_what_is_otherwise_healthy(path: str, status: int) -> None:
    assert code(notice(standby(), cluster(), me=TAGGED), path) == status


def test_tags_do_not_filter_checks_for_a_leader() -> None:
    leader = notice(primary(), MINE, leads=True, me=TAGGED)
    assert [code(leader, f"/{kind}?tag_zone=west") for kind in ("leader", "primary")] == [200, 200]


def test_liveness_has_a_ttl_of_patience_for_a_primary_and_two_for_others() -> None:
    leader, replica = notice(primary(), MINE, leads=True), notice(standby(), cluster())
    assert [code(leader, "/liveness", NOW + 10 + late) for late in (29, 30)] == [200, 503]
    assert [code(replica, "/liveness", NOW + 10 + late) for late in (59, 60)] == [200, 503]
    assert code(notice(primary(), cluster("a", PAUSED), leads=True), "/liveness", NOW + 9999) == 200


@pytest.mark.parametrize(("found", "query", "status"), [
    (notice(primary(), MINE, leads=True), "", 200),
    (notice(STARTING, MINE, leads=True), "", 200),
    (notice(primary(), cluster("b")), "", 503),
    (notice(standby(), cluster()), "", 200),
    (notice(STARTING, cluster()), "", 503),
    (notice(standby(replication_state=None), cluster()), "", 503),
    (notice(standby(replication_state="in archive recovery", receiver=None), cluster()), "", 200),
    (notice(standby(replay_lsn=Lsn(END - 1048577)), cluster()), "", 503),
    (notice(standby(replay_lsn=Lsn(END - 1048577)), cluster()), "?mode=write", 200),
    (notice(standby(replay_lsn=Lsn(END - 1048577)), cluster()), "?lag=2MB", 200),
    (notice(standby(replay_lsn=Lsn(END - 1048577)), cluster()), "?lag=nonsense", 503),
    (notice(standby(receiver=None), earlier=cluster()), "", 503),
    (notice(standby(), earlier=cluster()), "", 200),
])
def test_readiness(found: Notice, query: str, status: int) -> None:
    assert code(found, f"/readiness{query}") == status


def test_checks_are_found_in_the_contract_s_order() -> None:
    assert answers_health.check("/standby-leader-primary") == "standby_leader"
    assert answers_health.check("/read-only-replica") == "replica"
    assert answers_health.check("/read-only-syncx") == ""
