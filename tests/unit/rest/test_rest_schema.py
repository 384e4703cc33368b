"""A member's status body, by Patroni or by us, and what a race makes of it. Source: rest.md 18.1."""

import json
from typing import Any

import pytest

from pgctl.rest import schema

PRIMARY = {"state": "running", "role": "primary", "server_version": 160004, "xlog": {"location": 500}, "timeline": 4,
           "patroni": {"version": "4.1.4", "scope": "prod", "name": "a"}}
STANDBY = {"state": "running", "role": "replica", "timeline": 4, "tags": {"nofailover": True},
           "xlog": {"received_location": 400, "replayed_location": 300, "replayed_timestamp": None, "paused": False}}


def read(body: Any) -> schema.PeerStatus:
    return schema.read_status("a", json.dumps(body))


def test_a_primary() -> None:
    found = read(PRIMARY)
    assert (found.reachable, found.primary, found.lsn, found.timeline, found.version, found.software) == (
        True, True, 500, 4, 160004, "4.1.4")


def test_a_standby_is_as_far_as_the_larger_of_its_positions() -> None:
    found = read(STANDBY)
    assert (found.reachable, found.primary, found.lsn, found.received, found.replayed) == (True, False, 400, 400, 300)
    assert found.tags.nofailover
    assert read(STANDBY | {"xlog": {"received_location": 200, "replayed_location": 300}}).lsn == 300


def test_older_members_say_wal_and_master() -> None:
    found = read({"role": "master", "wal": {"location": 0, "received_location": 7}, "xlog": {"received_location": 9}})
    assert (found.primary, found.role, found.lsn) == (True, "primary", 7)


@pytest.mark.parametrize("body", [
    {}, {"state": "stopped", "role": "replica"}, STANDBY | {"xlog": None},
    STANDBY | {"xlog": {"received_location": None, "replayed_location": 5}}, [], 5, None, "text",
])
def test_who_does_not_say_how_far_it_is_counts_as_unreachable(body: Any) -> None:
    found = read(body)
    assert not found.reachable and found.problem


def test_a_body_without_positions_is_kept_for_who_wants_the_rest() -> None:
    found = read({"state": "creating replica", "role": "uninitialized"})
    assert (found.state, found.role, found.body["state"]) == ("creating replica", "uninitialized", "creating replica")


def test_missing_positions_are_zero() -> None:
    assert (read(STANDBY | {"xlog": {}}).reachable, read(STANDBY | {"xlog": {}}).lsn) == (True, 0)


@pytest.mark.parametrize(("extra", "looked"), [
    ({}, True),
    ({"cluster_unlocked": True}, True),
    ({"pgctl": {"version": "1"}}, False),
    ({"pgctl": {"version": "1"}, "cluster_unlocked": True}, True),
])
def test_one_of_ours_has_looked_once_it_saw_that_nobody_leads(extra: dict[str, object], looked: bool) -> None:
    assert read(STANDBY | extra).looked is looked


@pytest.mark.parametrize("text", ["", "<html>", "{", "[" * 9999, '{"xlog": {"location": 1e999}}', "\ufffd"])
def test_no_text_raises(text: str) -> None:
    assert schema.read_status("a", text).name == "a"


@pytest.mark.parametrize(("api_url", "path", "wanted"), [
    ("http://10.0.0.1:8008/patroni", "/restart", "http://10.0.0.1:8008/restart"),
    ("https://[::1]:8008", "/config", "https://[::1]:8008/config"),
    ("http://10.0.0.1:8008/patroni?x=1#y", "/config", "http://10.0.0.1:8008/config"),
])
def test_an_endpoint_replaces_the_path(api_url: str, path: str, wanted: str) -> None:
    assert schema.endpoint(api_url, path) == wanted
