"""Routing, and the documents that are read off the board. Source: rest.md 2, 5 to 9, 14."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pgctl.agent import answers
from pgctl.agent.board import Board, Notice
from pgctl.agent.core.job import Clone
from pgctl.agent.inbox import Reply
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import PendingParameter, ScheduledRestart
from pgctl.model.server import Phase, ServerState, WalSender
from pgctl.model.settings import Settings, SyncMode
from pgctl.units import Instant, Wall
from tests.unit.agent.boards import END, NOW, STANDBY_CLUSTER, WALL, cluster, host, notice, primary, standby, synchronous

LEADER = notice(primary(), cluster("a"), leads=True)
REPLICA = notice(standby(), cluster())
BLIND = notice(standby(), earlier=cluster())
NEVER_READ = notice(standby())


def get(found: Notice, path: str, method: str = "GET", now: float = NOW) -> Reply:
    reply = answers.answer(answers.request(method, path), found, Instant(now), WALL)
    assert isinstance(reply, Reply)
    return reply


def body(found: Notice, path: str = "/patroni", now: float = NOW) -> Any:
    return json.loads(get(found, path, now=now).body)


@pytest.mark.parametrize(("target", "path", "head", "query"), [
    ("/config/foo", "/config/foo", "/config", {}),
    ("//patroni", "/patroni", "/patroni", {}),
    ("/replica?lag=1&lag=2&x=&y=a%20b", "/replica", "/replica", {"lag": "1", "y": "a b"}),
    ("http://10.0.0.1:8008/health?lag=1", "/health", "/health", {"lag": "1"}),
    ("http://10.0.0.1:8008", "/", "/", {}),
    ("", "/", "/", {}),
])
def test_a_target_is_a_path_and_the_first_of_each_parameter(
        target: str, path: str, head: str, query: dict[str, str]) -> None:
    asked = answers.request("GET", target)
    assert (asked.path, asked.head, asked.query) == (path, head, query)


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/config"), ("DELETE", "/config"), ("DELETE", "/failover"), ("PUT", "/x"), ("POST", "/patroni"),
    ("TRACE", "/"), ("DELETE", "/reinitialize"),
])
def test_what_nobody_handles_is_501_in_words_that_command_lines_know(method: str, path: str) -> None:
    reply = get(LEADER, path, method)
    assert (reply.status, reply.body) == (501, "Server does not support this operation")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/liveness", "/readiness", "/patroni", "/metrics", "/cluster", "/config", "/primary"])
def test_head_and_options_are_answered_as_get(method: str, path: str) -> None:
    assert get(LEADER, path, method).status == get(LEADER, path).status == 200


def test_status_of_a_primary() -> None:
    sender = WalSender("rep", "b", "10.0.0.2", "streaming", "async", 0)
    found = body(notice(replace(primary(), senders=(sender,)), cluster("a"), leads=True, me=host(zone="east")))
    assert found == {
        "state": "running",
        "role": "primary",
        "postmaster_start_time": "2025-12-31 23:00:00.500000+00:00",
        "server_version": 150018,
        "xlog": {"location": END},
        "timeline": 3,
        "replication": [{"usename": "rep", "application_name": "b", "client_addr": "10.0.0.2", "state": "streaming",
                         "sync_state": "async", "sync_priority": 0}],
        "dcs_last_seen": int(WALL),
        "tags": {"zone": "east"},
        "database_system_identifier": "7000000000000000001",
        "patroni": {"version": "4.1.0", "scope": "prod", "name": "a"},
        "pgctl": {"version": "0.1.0", "looked_age_s": 0.0, "rule": "follow.90"},
    }


def test_status_of_a_standby() -> None:
    found = body(REPLICA)
    assert found["xlog"] == {"received_location": END, "replayed_location": END, "paused": False,
                             "replayed_timestamp": "2025-12-31 23:59:59.250000+00:00"}
    assert (found["role"], found["replication_state"]) == ("replica", "streaming")
    assert "cluster_unlocked" not in found and "pause" not in found


def test_a_standby_that_received_nothing_shows_what_it_replayed() -> None:
    found = body(notice(standby(receive_lsn=None, replay_lsn=Lsn(77)), cluster()))
    assert found["xlog"]["received_location"] == 77


@pytest.mark.parametrize("server", [
    ServerState(Phase.DOWN), ServerState(Phase.EMPTY), ServerState(Phase.STARTING), standby(phase=Phase.HUNG),
])
def test_without_a_working_query_there_are_no_positions(server: ServerState) -> None:
    found = body(notice(server, cluster()))
    assert not {"xlog", "timeline", "server_version", "postmaster_start_time"} & found.keys()


@pytest.mark.parametrize(("found", "role", "state"), [
    (notice(ServerState(Phase.EMPTY), cluster()), "uninitialized", "stopped"),
    (notice(ServerState(Phase.EMPTY), cluster(), job=Clone()), "uninitialized", "creating replica"),
    (notice(standby(phase=Phase.HUNG), cluster()), "replica", "unknown"),
    (notice(standby(), cluster("a", STANDBY_CLUSTER), leads=True), "standby_leader", "running"),
    (notice(standby(), cluster("b", STANDBY_CLUSTER)), "replica", "running"),
])
def test_role_and_state(found: Notice, role: str, state: str) -> None:
    read = body(found)
    assert (read["role"], read["state"]) == (role, state)


def test_an_old_look_is_shown_as_such() -> None:
    found = body(REPLICA, now=NOW + 61)
    assert (found["state"], found["pgctl"]["looked_age_s"], found["cluster_unlocked"]) == ("unknown", 61.0, True)


def test_flags_of_the_status() -> None:
    change = (PendingParameter("max_connections", "100", "200"),)
    restart = ScheduledRestart("2026-01-02T00:00:00+00:00", "2025-12-31 23:00:00+00:00", role="replica")
    found = body(notice(standby(pending_restart=change), cluster(None, Settings(pause=True)),
                        me=replace(host(), scheduled_restart=restart)))
    assert found["pending_restart"] is found["pause"] is found["cluster_unlocked"] is True
    assert found["pending_restart_reason"] == {"max_connections": {"old_value": "100", "new_value": "200"}}
    assert found["scheduled_restart"] == {"schedule": "2026-01-02T00:00:00+00:00", "role": "replica"}


@pytest.mark.parametrize(("mode", "flag"), [(SyncMode.ON, "sync_standby"), (SyncMode.QUORUM, "quorum_standby")])
def test_who_is_synchronous_says_so_while_the_store_can_be_read(mode: SyncMode, flag: str) -> None:
    assert body(notice(standby(), synchronous(mode)))[flag] is True
    assert flag not in body(notice(standby(), earlier=synchronous(mode)))


def test_peers_learn_that_the_leader_is_gone_from_a_view_not_yet_decided_on() -> None:
    board = Board("prod", host(), NOW, WALL)
    board.show(notice(standby(), cluster(None)).view)
    assert body(board.read())["cluster_unlocked"] is True


def test_the_status_is_200_even_when_nothing_is_known() -> None:
    blank = Board("prod", host(), NOW, WALL).read()
    assert get(blank, "/patroni").status == 200
    assert body(blank)["dcs_last_seen"] == int(WALL) * 0
    assert get(blank, "/primary").status == 503


def test_cluster_document() -> None:
    reading = cluster("b", settings=Settings(synchronous_mode=SyncMode.ON, pause=True), sync=synchronous(SyncMode.ON).sync)
    members = tuple(replace(member, receive_lsn=Lsn(END - 16), replay_lsn=None) if member.name == "c" else member
                    for member in reading.members)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    reading = replace(reading, members=members[::-1], intent=Intent("b", "a", at))
    found = body(notice(standby(), reading), "/cluster")
    assert [(member["name"], member["role"]) for member in found["members"]] == [
        ("a", "sync_standby"), ("b", "leader"), ("c", "replica")]
    assert found["members"][1] == {"name": "b", "role": "leader", "state": "running", "timeline": 3, "port": 5432,
                                   "api_url": "http://10.0.0.2:8008/patroni", "host": "10.0.0.2"}
    last = found["members"][2]
    assert (last["receive_lsn"], last["receive_lag"], last["replay_lsn"], last["replay_lag"]) == (
        "0/5000050", 16, "unknown", "unknown")
    assert (last["lsn"], last["lag"]) == ("0/5000060", 0)
    assert found["scope"] == "prod" and found["pause"] is True
    assert found["scheduled_switchover"] == {"at": "2026-01-02T00:00:00+00:00", "from": "b", "to": "a"}


@pytest.mark.parametrize("path", ["/cluster", "/history", "/config"])
def test_what_cannot_be_read_anew_is_shown_with_503(path: str) -> None:
    assert get(REPLICA, path).status == 200
    assert get(BLIND, path).status == 503
    assert get(BLIND, path).body == get(REPLICA, path).body
    assert get(NEVER_READ, path).status == 503
    assert "connection refused" in get(NEVER_READ, path).body


def test_history_is_as_stored() -> None:
    line = HistoryLine(1, Lsn(100), "no recovery target specified", "2026-01-01T00:00:00+00:00", "a")
    stored = cluster(history=History((line, HistoryLine(2, Lsn(200), "why", fields=3)), True))
    assert body(notice(standby(), stored), "/history") == [
        [1, 100, "no recovery target specified", "2026-01-01T00:00:00+00:00", "a"], [2, 200, "why"]]
    assert body(REPLICA, "/history") == []


def test_config_is_as_stored_or_502() -> None:
    assert get(REPLICA, "/config/anything").body == '{"ttl": 30}'
    assert get(notice(standby(), cluster(config=None)), "/config").status == 502


def test_failsafe_topology() -> None:
    known = {"a": "http://10.0.0.1:8008/patroni"}
    on = Settings(failsafe_mode=True)
    assert get(notice(standby(), cluster(failsafe=known)), "/failsafe").status == 502, "the mode is off"
    assert get(notice(standby(), cluster(settings=on)), "/failsafe").status == 502, "the topology is not known"
    assert body(notice(standby(), cluster(settings=on, failsafe=known)), "/failsafe") == known


def test_explain_tells_the_rule_and_what_was_passed_over() -> None:
    found = body(notice(ServerState(Phase.EMPTY), cluster(), job=Clone(rule="empty.20"), rule="job.90"), "/explain",
                 NOW + 1)
    assert (found["rule"], found["sentence"], found["facts"]) == ("job.90", "all is well", ["streaming"])
    (passed,) = found["passed_over"]
    assert (passed["rule"], passed["failed"]) == ("follow.10", "diverged")
    assert passed["sentence"] == "a primary, and the lease is another's: stop at once"
    assert passed["because"] == "the leader's history has not been compared: no need is seen"
    assert found["job"] == {"name": "clone", "rule": "empty.20", "for_s": 3.0, "progress": "", "ended": False, "ok": False}
    assert (found["since_s"], found["lease_left_s"]) == (1.0, 0.0)


def test_explain_does_not_find_fault_with_a_data_directory_that_is_being_made() -> None:
    half = ServerState(Phase.UNREADABLE, problem="pg_control is missing")
    assert body(notice(half, cluster(), job=Clone()), "/explain")["problem"] == ""
    assert body(notice(half, cluster()), "/explain")["problem"] == "pg_control is missing"


def test_explain_before_the_first_cycle() -> None:
    found = body(Board("prod", host(), Instant(0), Wall(0)).read(), "/explain")
    assert (found["rule"], found["sentence"], found["job"]) == (None, "no cycle has ended yet", None)


def test_json_has_spaces_as_the_contract_shows_it() -> None:
    assert '"state": "running", "role": "primary"' in get(LEADER, "/patroni").body
