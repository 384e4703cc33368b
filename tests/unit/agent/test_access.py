"""Access checks in their order. Source: rest.md 16 and 17."""

import base64
import logging
from dataclasses import replace

import pytest

from pgctl.agent import access
from pgctl.agent.access import Access, Asker
from pgctl.config.sections import RestSection
from tests.unit.agent.boards import cluster

NOBODY: frozenset[str] = frozenset()
SECRET = RestSection(username="admin", password="p:ä")
GOOD = "Basic " + base64.b64encode("admin:p:ä".encode()).decode()


def verdict(section: RestSection, asker: Asker, members: frozenset[str] = NOBODY, *, failsafe: bool = False) -> int:
    refusal = Access(section).refusal(asker, members, failsafe=failsafe)
    return refusal.status if refusal else 200


def test_without_any_rule_everybody_may() -> None:
    assert verdict(RestSection(), Asker("203.0.113.5")) == 200


@pytest.mark.parametrize(("address", "status"), [
    ("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("10.2.0.1", 403), ("192.0.2.7", 200), ("192.0.2.8", 403),
    ("2001:db8::1", 200), ("fe80::1%eth0", 200), ("2001:db9::1", 403), ("", 403), ("nonsense", 403),
])
def test_allowlist_of_addresses_and_networks(address: str, status: int) -> None:
    section = RestSection(allowlist=("10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "fe80::1"))
    assert verdict(section, Asker(address)) == status


def test_a_host_name_is_resolved_when_the_settings_are_loaded() -> None:
    assert verdict(RestSection(allowlist=("localhost",)), Asker("127.0.0.1")) == 200


def test_a_list_of_unusable_entries_allows_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert verdict(RestSection(allowlist=("no such host.invalid",)), Asker("127.0.0.1")) == 403
    assert "no such host.invalid" in caplog.text


def test_members_are_allowed_where_that_is_configured() -> None:
    section, member = RestSection(allowlist_include_members=True), Asker("10.0.0.2")
    assert verdict(section, member) == 403, "without a reading of the store nobody is a member"
    assert verdict(section, member, frozenset({"10.0.0.2"})) == 200
    assert verdict(RestSection(allowlist=("192.0.2.1",)), member, frozenset({"10.0.0.2"})) == 403


def test_failsafe_pings_do_not_need_to_be_members_but_obey_the_list() -> None:
    assert verdict(RestSection(allowlist_include_members=True), Asker("10.0.0.9"), failsafe=True) == 200
    assert verdict(RestSection(allowlist=("192.0.2.1",)), Asker("10.0.0.9"), failsafe=True) == 403


@pytest.mark.parametrize(("authorization", "status", "text"), [
    ("", 401, "no auth header received"),
    ("Basic", 401, "not authenticated"),
    ("basic " + GOOD[6:], 401, "not authenticated"),
    ("Basic ÿþ", 401, "not authenticated"),
    ("Basic " + base64.b64encode(b"admin:wrong").decode(), 401, "not authenticated"),
    ("Bearer " + GOOD[6:], 401, "not authenticated"),
])
def test_wrong_credentials(authorization: str, status: int, text: str) -> None:
    refusal = Access(SECRET).refusal(Asker("10.0.0.9", authorization), NOBODY)
    assert refusal is not None
    assert (refusal.status, refusal.body) == (status, text)
    assert refusal.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_right_credentials() -> None:
    assert verdict(SECRET, Asker("10.0.0.9", GOOD)) == 200


@pytest.mark.parametrize(("verify", "status"), [("none", 200), ("optional", 403), ("REQUIRED", 403), ("typo", 200)])
def test_a_client_certificate_is_wanted_where_they_are_verified(verify: str, status: int) -> None:
    section = RestSection(certfile="server.pem", verify_client=verify)
    assert verdict(section, Asker("10.0.0.9")) == status
    assert verdict(section, Asker("10.0.0.9", certified=True)) == 200


def test_checks_come_in_order_address_certificate_password() -> None:
    section = replace(SECRET, allowlist=("192.0.2.1",), certfile="server.pem", verify_client="optional")
    assert Access(section).refusal(Asker("10.0.0.9"), NOBODY) == access.DENIED
    assert Access(section).refusal(Asker("192.0.2.1"), NOBODY) == access.NO_CERTIFICATE
    last = Access(section).refusal(Asker("192.0.2.1", certified=True), NOBODY)
    assert last is not None and last.status == 401


def test_hosts_of_members() -> None:
    odd = replace(cluster().members[0], api_url="http://[::1")
    names = replace(cluster().members[1], api_url="https://db-b.example:8008/patroni")
    found = replace(cluster(), members=(odd, names, replace(cluster().members[2], api_url=None), cluster().members[0]))
    assert access.member_hosts(found) == {"db-b.example", "10.0.0.1"}
    assert access.member_hosts(None) == frozenset()
