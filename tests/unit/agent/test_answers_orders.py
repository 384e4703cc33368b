"""Requests that change something: the contract's refusals in its order and words, and what reaches the inbox.

Source: rest.md 9 to 15.
"""

import json
from typing import Any

import pytest

from pgctl.agent import answers
from pgctl.agent.answers_orders import Accepted
from pgctl.agent.board import Board, Notice
from pgctl.agent.core.job import Clone
from pgctl.agent.inbox import Reply
from pgctl.model.failsafe import Ping
from pgctl.model.server import Phase, ServerState
from pgctl.model.settings import Settings
from pgctl.units import Instant, Seconds
from tests.unit.agent import boards
from tests.unit.agent.boards import NOW, STANDBY_CLUSTER, WALL, cluster, notice, primary, standby

REPLICA = notice(standby(), cluster())
LEADER = notice(primary(), cluster("a"), leads=True)
PAUSED = notice(standby(), cluster(settings=Settings(pause=True)))
LEADERLESS = notice(standby(), cluster(None))
BUSY = notice(ServerState(Phase.EMPTY), cluster(), job=Clone())
BLIND = notice(standby(), earlier=cluster())

LATER, BEFORE = "2026-01-01T12:00:00+00:00", "2025-12-31T23:59:59+00:00"
UNCLEAR = "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601"


def send(method: str, path: str, body: Any = None, found: Notice = REPLICA) -> Reply | Accepted | Ping:
    """`body` None: none; bytes as they are; else as JSON."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    return answers.answer(answers.request(method, path, raw), found, Instant(NOW), WALL)


def refusal(method: str, path: str, body: Any = None, found: Notice = REPLICA) -> tuple[int, str]:
    reply = send(method, path, body, found)
    assert isinstance(reply, Reply)
    return reply.status, reply.body


def order(method: str, path: str, body: Any = None, found: Notice = REPLICA) -> Accepted:
    accepted = send(method, path, body, found)
    assert isinstance(accepted, Accepted), accepted
    return accepted


NEEDS_BODY = [("PATCH", "/config"), ("PUT", "/config"), ("POST", "/switchover"), ("POST", "/failover"),
              ("POST", "/citus"), ("POST", "/mpp")]


@pytest.mark.parametrize(("method", "path"), NEEDS_BODY)
def test_bodies_that_must_be_there(method: str, path: str) -> None:
    assert refusal(method, path)[0] == 411
    for raw in (b"", b"{}", b"[]", b"1", b"{", b"\xff\xfe", b"null", b'{"a": 1} trailing', b"[" * 5000):
        assert refusal(method, path, raw)[0] == 400


@pytest.mark.parametrize("path", ["/restart", "/reinitialize"])
@pytest.mark.parametrize("raw", [b"[]", b"{", b"1", b"\xff"])
def test_malformed_json_starts_nothing(path: str, raw: bytes) -> None:
    assert refusal("POST", path, raw)[0] == 400


@pytest.mark.parametrize(("method", "path", "body"), [
    ("PATCH", "/config", {"ttl": None}),
    ("PUT", "/config", {"ttl": 20}),
])
def test_settings_go_to_the_inbox_as_they_came(method: str, path: str, body: dict[str, object]) -> None:
    assert order(method, path, body).body == body


def test_reload_ignores_its_body() -> None:
    assert order("POST", "/reload", b"{nonsense").body is None


def test_sigterm_is_not_for_the_network() -> None:
    assert refusal("POST", "/sigterm")[0] == 501


@pytest.mark.parametrize(("body", "found", "status", "text"), [
    ({"schedule": LATER}, PAUSED, 500, "Can't schedule restart in the paused state"),
    ({"schedule": "2026-01-01T12:00:00"}, REPLICA, 400, "Timezone information is mandatory for the scheduled restart"),
    ({"schedule": BEFORE}, REPLICA, 422, "Cannot schedule restart in the past"),
    ({"schedule": "tomorrow"}, REPLICA, 422, UNCLEAR),
    ({"schedule": 5}, REPLICA, 422, UNCLEAR),
    ({"role": "master"}, REPLICA, 400, "PostgreSQL role should be either primary, standby_leader, or replica"),
    ({"role": ["replica"]}, REPLICA, 400, "PostgreSQL role should be either primary, standby_leader, or replica"),
    ({"postgres_version": "x"}, REPLICA, 400,
     "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: x"),
    ({"postgres_version": "9.6"}, REPLICA, 400, "Invalid PostgreSQL version: 9.6"),
    ({"timeout": 0}, REPLICA, 400, "Timeout should be a positive number of seconds"),
    ({"timeout": "-1s"}, REPLICA, 400, "Timeout should be a positive number of seconds"),
    ({"timeout": [1]}, REPLICA, 400, "Timeout should be a positive number of seconds"),
    ({"timeout": "1MB"}, REPLICA, 400, "Timeout should be a positive number of seconds"),
    ({"colour": "red"}, REPLICA, 400, "Unknown filter for the scheduled restart: colour"),
    ({"restart_pending": "maybe"}, REPLICA, 400, "restart_pending should be true or false"),
    ({"timeout": 0, "role": "master"}, REPLICA, 400, "Timeout should be a positive number of seconds"),
    ({"role": "master", "timeout": 0}, REPLICA, 400,
     "PostgreSQL role should be either primary, standby_leader, or replica"),
    ({}, BUSY, 503, "clone already in progress"),
])
def test_restarts_refused(body: dict[str, object], found: Notice, status: int, text: str) -> None:
    assert refusal("POST", "/restart", body, found) == (status, text)


@pytest.mark.parametrize(("body", "checked"), [
    (None, {}),
    (b"", {}),
    ({}, {}),
    ({"timeout": "1min"}, {"timeout": 60.0}),
    ({"restart_pending": False}, {"restart_pending": False}),
    ({"role": "replica", "postgres_version": "15.9"}, {"role": "replica", "postgres_version": "15.9"}),
    ({"schedule": LATER}, {"schedule": LATER}),
])
def test_restarts_accepted(body: Any, checked: dict[str, object]) -> None:
    assert order("POST", "/restart", body).body == checked


def test_a_restart_is_waited_for_as_long_as_it_may_take() -> None:
    assert order("POST", "/restart").limit == Seconds(360)
    assert order("POST", "/restart", {"timeout": "10min"}).limit == Seconds(660)
    assert order("POST", "/restart", {"schedule": LATER}).limit == Seconds(30)


def test_cancelling_is_an_order_without_body() -> None:
    assert order("DELETE", "/restart").body is order("DELETE", "/switchover").body is None


@pytest.mark.parametrize(("body", "found", "status", "text"), [
    (None, LEADERLESS, 503, "Cluster has no leader, can not reinitialize"),
    (None, LEADER, 503, "I am the leader, can not reinitialize"),
    (None, BUSY, 503, "clone already in progress"),
    (None, BLIND, 503, "the store cannot be read: connection refused"),
    ({"force": "perhaps"}, REPLICA, 400, "force should be true or false"),
])
def test_reinitializations_refused(body: Any, found: Notice, status: int, text: str) -> None:
    assert refusal("POST", "/reinitialize", body, found) == (status, text)


def test_reinitializations_accepted_by_both_spellings() -> None:
    assert order("POST", "/reinitialize").body == {"force": False, "from_leader": False}
    assert order("POST", "/reinitialize", {"force": True}, BUSY).body == {"force": True, "from_leader": False}
    for name in ("from_leader", "from-leader"):
        assert order("POST", "/reinitialize", {name: "on"}).body == {"force": False, "from_leader": True}


SWITCH = {"leader": "b", "candidate": "c"}


@pytest.mark.parametrize(("path", "body", "found", "status", "text"), [
    ("/failover", {"leader": "b"}, REPLICA, 400, "Failover could be performed only to a specific candidate"),
    ("/switchover", {"candidate": "c"}, REPLICA, 400, "Switchover could be performed only from a specific leader"),
    ("/failover", SWITCH | {"scheduled_at": LATER}, REPLICA, 400, "Failover can't be scheduled"),
    ("/switchover", SWITCH | {"scheduled_at": LATER}, PAUSED, 400, "Can't schedule switchover in the paused state"),
    ("/switchover", SWITCH | {"scheduled_at": "2026-01-01T12:00"}, REPLICA, 400,
     "Timezone information is mandatory for the scheduled switchover"),
    ("/switchover", SWITCH | {"scheduled_at": BEFORE}, REPLICA, 422, "Cannot schedule switchover in the past"),
    ("/switchover", SWITCH | {"scheduled_at": "soon"}, REPLICA, 422, UNCLEAR),
    ("/switchover", SWITCH | {"scheduled_at": "0001-01-01T00:00:00+23:00"}, REPLICA, 422, UNCLEAR),
    ("/switchover", {"leader": "b"}, PAUSED, 400,
     "Switchover is possible only to a specific candidate in a paused state"),
    ("/switchover", {"leader": "b", "candidate": "b"}, REPLICA, 400, "Switchover target and source are the same"),
    ("/switchover", {"leader": "b", "candidate": "b", "scheduled_at": LATER}, REPLICA, 400,
     "Switchover target and source are the same"),
    ("/switchover", SWITCH, BLIND, 503, "the store cannot be read: connection refused"),
])
def test_switchovers_refused(path: str, body: dict[str, object], found: Notice, status: int, text: str) -> None:
    assert refusal("POST", path, body, found) == (status, text)


@pytest.mark.parametrize(("path", "body", "checked"), [
    ("/switchover", SWITCH, SWITCH),
    ("/switchover", {"leader": "b", "member": "c"}, SWITCH),
    ("/switchover", {"leader": "b", "candidate": ""}, {"leader": "b", "candidate": None}),
    ("/switchover", SWITCH | {"scheduled_at": LATER}, SWITCH | {"scheduled_at": LATER}),
    ("/failover", {"candidate": "c"}, {"leader": None, "candidate": "c"}),
    ("/failover", SWITCH, SWITCH),
])
def test_switchovers_accepted(path: str, body: dict[str, object], checked: dict[str, object]) -> None:
    assert order("POST", path, body).body == checked


def test_who_waits_for_a_switchover_in_vain_is_told_that_it_may_still_happen() -> None:
    accepted = order("POST", "/switchover", SWITCH)
    assert (accepted.limit, accepted.silence) == (
        Seconds(20), Reply(503, "Switchover status unknown after 20 seconds; operation may still be in progress"))
    assert order("POST", "/failover", {"candidate": "c"}).silence.body.startswith("Failover status unknown")


FAILSAFE = Settings(failsafe_mode=True)
PING = {"name": "b", "conn_url": "postgres://10.0.0.2:5432/postgres", "api_url": "http://10.0.0.2:8008/patroni"}


@pytest.mark.parametrize(("found", "status", "text"), [
    (REPLICA, 502, "failsafe_mode is disabled"),
    (notice(primary(), cluster("a", FAILSAFE), leads=True), 500, "Running as a leader"),
    (notice(standby(), cluster("c", FAILSAFE)), 500, "the store says that c leads"),
])
def test_a_leader_without_the_store_is_refused(found: Notice, status: int, text: str) -> None:
    assert refusal("POST", "/failsafe", PING, found) == (status, text)


@pytest.mark.parametrize("found", [notice(standby(), cluster(leader, FAILSAFE)) for leader in ("b", None)])
def test_a_leader_without_the_store_may_ask(found: Notice) -> None:
    body = {**PING, "slots": {"a": 83886080, "bad": "x"}, "pgctl": {"ttl": 30}}
    assert send("POST", "/failsafe", body, found) == Ping(
        "b", PING["conn_url"], PING["api_url"], {"a": 83886080}, 30.0)
    assert send("POST", "/failsafe", PING, found) == Ping("b", PING["conn_url"], PING["api_url"])
    assert refusal("POST", "/failsafe", {"name": "b"}, found)[0] == 400
    unread = notice(standby())
    assert isinstance(send("POST", "/failsafe", body, unread), Ping)
    assert refusal("POST", "/failsafe", PING, unread)[0] == 502
    blank = Board("prod", boards.host(), Instant(NOW), WALL).read()
    assert refusal("POST", "/failsafe", body, blank)[0] == 503
    assert refusal("POST", "/failsafe", None, found)[0] == 411


def test_citus_events_are_taken_note_of() -> None:
    assert refusal("POST", "/citus", {"type": "before_demote"}) == (200, "OK")


def test_a_standby_cluster_s_leader_cannot_be_reinitialized() -> None:
    leader = notice(standby(), cluster("a", STANDBY_CLUSTER), leads=True)
    assert refusal("POST", "/reinitialize", None, leader)[1] == "I am the leader, can not reinitialize"
