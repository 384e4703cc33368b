"""Consul in words: the section as configured, operations, refusals and what they mean, what a watch makes of a reading."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from pgctl.config.sections import StoreSection
from pgctl.dcs import consul_access, consul_service, consul_watch
from pgctl.dcs import consul_wire as wire
from pgctl.dcs.consul_wire import Bounds, Meaning, Reading, Row
from pgctl.errors import ConfigError
from pgctl.model.cluster import Revision
from pgctl.model.member import Member, MemberName
from pgctl.units import Seconds


@pytest.mark.parametrize(("options", "url"), [
    ({}, "http://127.0.0.1:8500"),
    ({"host": "a"}, "http://a:8500"),
    ({"host": "a:1"}, "http://a:1"),
    ({"host": "a", "port": 2, "scheme": "https"}, "https://a:2"),
    ({"host": "[::1]:5"}, "http://[::1]:5"),
    ({"url": "https://a:1/", "host": "b"}, "https://a:1"),
])
def test_the_agent_as_configured(options: dict[str, object], url: str) -> None:
    assert consul_access.access(options).url == url


@pytest.mark.parametrize("options", [{"host": "a:x"}, {"url": "http://:5"}, {"scheme": "ftp"}, {"consistency": "lazy"},
                                     {"port": "x"}])
def test_wrong_options_are_the_operators_to_mend(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        consul_access.access(options)


def test_tls_token_and_checks_are_kept_and_the_token_is_not_shown() -> None:
    found = consul_access.access({"url": "https://a", "token": "hush", "verify": "off", "cacert": "/ca", "checks": "a, b"})
    assert found.tls is not None and not found.tls.verify and found.tls.cacert == "/ca"
    assert (found.token, found.checks) == ("hush", ("a", "b")) and "hush" not in repr(found)
    assert consul_access.access({"host": "a", "cacert": "/ca"}).tls is None


def test_a_service_is_registered_only_for_a_member() -> None:
    options = {"register_service": "on", "service_tags": ["x"], "service_check_interval": "9s"}
    mine = consul_access.service(StoreSection("consul", options, scope="prod", member="a"))
    assert (mine.registered, mine.tags, mine.interval, mine.scope) == (True, ("x",), "9s", "prod")
    assert consul_access.service(StoreSection("consul", options, scope="prod")).registered is None
    assert consul_access.service(StoreSection("consul", {}, scope="prod", member="a")).registered is None


@pytest.mark.parametrize(("status", "text", "meaning"), [
    (500, "Invalid Session TTL '3000000000', must be between [10s=24h0m0s]", Meaning.BOUNDS),
    (500, 'invalid session "x"', Meaning.SESSION_GONE),
    (404, "Session id 'x' not found", Meaning.SESSION_GONE),
    (404, "404 page not found", Meaning.REFUSED),
    (500, "No cluster leader", Meaning.ELSEWHERE),
    (500, "rpc error making call: rpc error getting client: failed to get conn: dial tcp: refused", Meaning.ELSEWHERE),
    (500, "rpc error making call: leadership lost while committing log", Meaning.UNSURE),
    (500, "rpc error making call: Permission denied", Meaning.REFUSED),
    (403, "ACL not found", Meaning.REFUSED),
    (413, "Request body(800048 bytes) too large", Meaning.REFUSED),
    (429, "Your IP is issuing too many concurrent connections", Meaning.ELSEWHERE),
    (502, "<html>Bad Gateway", Meaning.UNSURE),
    (500, "", Meaning.UNSURE),
])
def test_what_a_refusal_means(status: int, text: str, meaning: Meaning) -> None:
    """What is not known is never taken for the loss of a session, nor for certain."""
    assert wire.meaning(status, text) is meaning


@pytest.mark.parametrize(("text", "bounds"), [
    ("Invalid Session TTL '3000000000', must be between [10s=24h0m0s]", Bounds(10, 86400)),  # type: ignore[arg-type]
    ("Invalid Session TTL '1', must be between [1m30s=1h]", Bounds(90, 3600)),  # type: ignore[arg-type]
    ("Invalid Session TTL '1', must be between [500ms=1h0m0.5s]", Bounds(0.5, 3600.5)),  # type: ignore[arg-type]
    ("Invalid Session TTL 'abc'", None),
    ("must be between [soon=late]", None),
])
def test_the_bounds_of_a_session_are_read_from_the_refusal(text: str, bounds: Bounds | None) -> None:
    assert wire.bounds(text) == bounds


def test_why_a_transaction_was_rolled_back() -> None:
    body = json.dumps({"Results": None, "Errors": [{"OpIndex": 0, "What": 'failed to lock key "a" due to lock delay'}]})
    assert wire.lock_failed(wire.failures(body)) and wire.failures(body)[0].endswith("lock delay")
    for text in ('{"Errors": null}', "[]", "<html>"):
        with pytest.raises(ValueError):
            wire.failures(text)


def rows(**revisions: int) -> tuple[Row, ...]:
    return tuple(Row(key, "", Revision(revision), "") for key, revision in revisions.items())


@pytest.mark.parametrize(("before", "heard", "found", "told"), [
    (None, 0, Reading(rows(a=3), Revision(3)), set()),  # no place to start from: anything may have changed
    (None, 5, Reading(rows(a=3, b=5), Revision(5)), None),
    (None, 5, Reading(rows(a=3, b=7), Revision(7)), {"b"}),
    (None, 5, Reading(rows(a=3, b=7), Revision(8)), set()),  # something was deleted, and it is not known what
    (rows(a=3, c=4), 5, Reading(rows(a=3), Revision(6)), {"c"}),
    (rows(a=3, c=4), 5, Reading(rows(a=7), Revision(7)), {"a", "c"}),
    (rows(a=3), 5, Reading(rows(a=3), Revision(6)), set()),  # made and deleted meanwhile
    (rows(a=3), 5, Reading(rows(a=2), Revision(2)), set()),  # another Consul, or one restored from a copy
    (rows(), 5, Reading((), Revision(9)), None),  # elsewhere in Consul
    (rows(a=3), 5, Reading((), Revision(6)), {"a"}),
])
def test_what_a_watch_makes_of_a_reading(before: tuple[Row, ...] | None, heard: int, found: Reading,
                                         told: set[str] | None) -> None:
    earlier = None if before is None else Reading(before, Revision(heard))
    assert consul_watch.news(earlier, Revision(heard), found) == told


def test_what_a_member_is_registered_as() -> None:
    service = consul_access.service(StoreSection("consul", {
        "register_service": True, "service_tags": "blue", "service_check_tls_server_name": "db",
    }, scope="My_Prod.1", member="a"))
    member = Member(MemberName("a"), "postgres://[::1]:5433/postgres", "https://10.0.0.1:8008/patroni", "running",
                    "standby_leader")
    assert consul_service.registration(service, member, Seconds(30)) == {
        "ID": "My_Prod.1/a", "Name": "my-prod-1", "Address": "::1", "Port": 5433, "Tags": ["blue", "standby-leader"],
        "EnableTagOverride": True,
        "Check": {"HTTP": "https://10.0.0.1:8008/standby-leader", "Interval": "5s",
                  "DeregisterCriticalServiceAfter": "150s", "TLSServerName": "db"}}
    for odd in (replace(member, role="demoted"), replace(member, conn_url=None), replace(member, api_url=None)):
        assert consul_service.registration(service, odd, Seconds(30)) is None
    assert consul_service.service_name("Zo\u00eb 1" + "x" * 300).startswith("zou0235-1x")
    assert len(consul_service.service_name("x" * 300)) == 230


def test_the_library_is_not_imported_before_the_store_is_asked_for() -> None:
    code = ("import sys; from pgctl.dcs import factory, consul_access, consul_wire; from pgctl.cli import main;"
            "print([name for name in ('consul', 'requests', 'etcd') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
