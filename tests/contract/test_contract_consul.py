"""Consul as only Consul is: bounds of a session's ttl, tokens, health checks and lock delay, services, other programs."""

import base64
import contextlib
import json
import logging
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract import services_consul
from tests.contract.conftest import Servers
from tests.contract.services import wait_for
from tests.contract.services_consul import Consul

pytestmark = pytest.mark.contract

SOON = Seconds(10)
TTL = Seconds(30)
CLOCK = SystemClock()

Open = Callable[..., Store]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens stores of one fresh cluster, and closes them."""
    stores: list[Store] = []
    namespace = uuid.uuid4().hex

    def open_store(server: Consul, member: str = "a", **options: object) -> Store:
        section = StoreSection("consul", {"url": server.url, **options}, namespace, "prod", member)
        stores.append(factory.open_store(section, CLOCK))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def server(servers: Servers) -> Consul:
    found = servers.get("consul")
    assert isinstance(found, Consul)
    return found


def sessions(server: Consul) -> list[dict[str, Any]]:
    found = server.ask("GET", "/v1/session/list")
    assert isinstance(found, list)
    return found


def rows(server: Consul, key: str) -> list[dict[str, Any]]:
    """Keys that end so."""
    found = server.ask("GET", "/v1/kv/?recurse")
    assert isinstance(found, list)
    return [row for row in found if row["Key"].endswith(key)]


def test_a_session_shorter_than_the_agent_allows_is_made_as_long_as_it_must(
        tmp_path: Path, opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    with services_consul.consul(tmp_path, least_ttl="3s") as strict:
        store = opened(strict)
        with caplog.at_level(logging.WARNING, "pgctl"):
            before = CLOCK.now()
            held = store.hold("leader", "a", ttl=Seconds(4), budget=SOON)
            renewed = store.renew(ttl=Seconds(4), budget=SOON)
            store.renew(ttl=Seconds(5), budget=SOON)
        assert isinstance(held, Applied) and held.deadline is not None and held.deadline < before + 5
        assert isinstance(renewed, Applied)
        assert [session["TTL"] for session in sessions(strict)] == ["3.0s"]
        said = [record.getMessage() for record in caplog.records if record.name.startswith("pgctl")]
        assert said == ["Consul allows no session of 2s: 3s is used, so a lost leader is replaced after up to 6s"]


def test_what_others_see_of_a_session(server: Consul, opened: Open) -> None:
    """As Patroni members make theirs: half the ttl, no check of the node's health, keys deleted at the end."""
    store = opened(server, "n1")
    assert isinstance(store.hold("leader", "n1", ttl=TTL, budget=SOON), Applied)
    (found,) = (each for each in sessions(server) if each["Name"] == "prod-n1")
    assert (found["TTL"], found["Behavior"], found["NodeChecks"], found["LockDelay"]) == ("15.0s", "delete", [], 1_000_000)


def test_a_leader_of_another_kind_is_respected_and_seen(server: Consul) -> None:
    """A Patroni member: a session of its own on the leader and the member key, texts as dcs.md has them."""
    namespace = uuid.uuid4().hex
    store = factory.open_store(StoreSection("consul", {"url": server.url}, f"/{namespace}/", "batman"), CLOCK)
    body = {"Name": "batman-other", "TTL": "15.0s", "LockDelay": "0.001s", "Behavior": "delete", "Checks": []}
    made = server.ask("PUT", "/v1/session/create", json.dumps(body).encode())
    assert isinstance(made, dict)
    member = '{"conn_url":"postgres://10.0.0.1:5432/postgres","state":"running","role":"primary","version":"4.1.0"}'
    for key, value in (("leader", "other"), ("members/other", member)):
        assert server.ask("PUT", f"/v1/kv/{namespace}/batman/{key}?acquire={made['ID']}", value.encode()) is True
    server.ask("PUT", f"/v1/kv/{namespace}/batman/history", b"\xff{")
    cluster = ClusterStore(store, "batman").read(budget=SOON)
    assert cluster.leader is not None and not cluster.leader.mine and cluster.leader_member is not None
    assert (cluster.leader_member.role, cluster.leader_member.state) == ("primary", "running")
    assert isinstance(store.hold("leader", "me", ttl=TTL, budget=SOON), Rejected)
    store.put("members/me", "{}", leased=True, ttl=TTL, budget=SOON)
    (row,) = rows(server, f"{namespace}/batman/members/me")
    assert base64.b64decode(row["Value"]) == b"{}" and row["Session"] not in ("", made["ID"])
    store.close()


def test_a_session_destroyed_by_others_is_replaced_for_a_write_and_not_for_a_renewal(server: Consul, opened: Open) -> None:
    store = opened(server, "n2")

    def destroy() -> None:
        for session in sessions(server):
            if session["Name"] == "prod-n2":
                server.ask("PUT", f"/v1/session/destroy/{session['ID']}")

    writes: list[Callable[[], Applied | Rejected]] = [
        lambda: store.put("members/n2", "1", leased=True, ttl=TTL, budget=SOON),
        lambda: store.hold("leader", "n2", ttl=TTL, budget=SOON),
    ]
    for write in writes:
        assert isinstance(store.put("members/n2", "0", leased=True, ttl=TTL, budget=SOON), Applied)
        destroy()
        time.sleep(0.05)  # the lock delay: a millisecond
        assert isinstance(write(), Applied)
    destroy()
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Rejected)
    assert isinstance(store.renew(ttl=Seconds(20), budget=SOON), Rejected)


def test_a_value_that_is_too_large_is_refused_and_nothing_was_written(server: Consul, opened: Open) -> None:
    store = opened(server)
    with pytest.raises(StoreUnreachable, match="too large"):
        store.put("history", "x" * 600_000, budget=SOON)
    assert store.snapshot(budget=SOON).items == {}


def test_an_answer_of_something_else_is_not_the_loss_of_the_lease() -> None:
    """A gateway that answers 404 for everything: the store is down, and nobody said no."""
    with services_consul.other_program() as port:
        section = StoreSection("consul", {"host": f"127.0.0.1:{port}"}, "x", "prod")
        store = factory.open_store(section, CLOCK)
        calls: list[Callable[[], object]] = [
            lambda: store.snapshot(budget=Seconds(0.5)),
            lambda: store.hold("leader", "a", ttl=TTL, budget=Seconds(0.5)),
            lambda: store.put("config", "1", budget=Seconds(0.5)),
        ]
        for call in calls:
            with pytest.raises((StoreUnreachable, OutcomeUnknown)):  # who knows what is behind a gateway
                call()
        store.close()


# --- health checks ---


def test_with_a_check_that_fails_nobody_else_leads_before_the_holder_has_given_up(server: Consul, opened: Open) -> None:
    check = f"alive-{uuid.uuid4().hex}"
    server.ask("PUT", "/v1/agent/check/register", json.dumps({"ID": check, "Name": check, "TTL": "60s"}).encode())
    server.ask("PUT", f"/v1/agent/check/pass/{check}")
    holder, other = opened(server, "a", checks=[check]), opened(server, "b")
    ttl = Seconds(2)
    wait_for(lambda: _held(holder, ttl), within=5, what="the check to be known")  # it reaches the catalogue a little later
    renewed = holder.renew(ttl=ttl, budget=SOON)
    assert isinstance(renewed, Applied) and renewed.deadline is not None
    server.ask("PUT", f"/v1/agent/check/fail/{check}")
    wait_for(lambda: "leader" not in other.snapshot(budget=SOON).items, within=5, what="the session to end")
    assert CLOCK.now() < renewed.deadline  # the holder still believes
    refused = other.hold("leader", "b", ttl=ttl, budget=SOON)
    assert isinstance(refused, Rejected) and "lock delay" in refused.reason
    wait_for(lambda: isinstance(other.hold("leader", "b", ttl=ttl, budget=SOON), Applied), within=5, what="the lock delay")
    assert CLOCK.now() >= renewed.deadline


def _held(store: Store, ttl: Seconds) -> bool:
    with contextlib.suppress(StoreUnreachable):
        return isinstance(store.hold("leader", "a", ttl=ttl, budget=Seconds(1)), Applied)
    return False


# --- tokens ---


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consul]:
    """A Consul that denies what no token allows; `master` allows everything."""
    acl = {"acl": {"enabled": True, "default_policy": "deny", "tokens": {"master": MASTER, "agent": MASTER}}}
    with services_consul.consul(tmp_path_factory.mktemp("acl"), settings=acl, token=MASTER) as one:
        yield one


MASTER = "3e2cbd0a-7e21-4b0f-8f0c-0123456789ab"


def test_a_token_is_used_and_a_wrong_one_is_said_and_not_shown(guarded: Consul, opened: Open) -> None:
    store = opened(guarded, token=MASTER)
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
    wrong = opened(guarded, token="no-such-token")
    with pytest.raises(StoreUnreachable) as caught:
        wrong.snapshot(budget=SOON)
    assert "ACL not found" in str(caught.value) and "consul.token" in caught.value.hint
    assert "no-such-token" not in f"{caught.value} {caught.value.hint}"


def test_what_may_not_be_read_is_not_taken_for_an_empty_cluster(guarded: Consul, opened: Open) -> None:
    assert isinstance(opened(guarded, token=MASTER).put("initialize", "1", budget=SOON), Applied)
    nobody = opened(guarded)
    for call in (lambda: nobody.snapshot(budget=SOON), lambda: nobody.put("config", "1", budget=SOON)):
        with pytest.raises(StoreUnreachable, match="[Pp]ermission denied"):
            call()


# --- several servers ---


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Consul]]:
    with services_consul.ensemble(tmp_path_factory.mktemp("three"), 3) as servers:
        yield servers


def leads(server: Consul) -> bool:
    found = server.ask("GET", "/v1/agent/self")
    assert isinstance(found, dict)
    return bool(found["Stats"]["consul"]["leader"] == "true")


def renewed(store: Store) -> bool:
    """Never a no: it is Consul that has nobody to write."""
    try:
        return isinstance(store.renew(ttl=TTL, budget=Seconds(1)), Applied)
    except (StoreUnreachable, OutcomeUnknown):
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lease_outlives_the_leader_of_consul(three: Sequence[Consul], opened: Open, number: signal.Signals) -> None:
    """Ours is asked of one server that goes on; the one that leads is killed or stands still."""
    leader = next(server for server in three if leads(server))
    ours = next(server for server in three if server is not leader)
    store = opened(ours)
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    since = store.snapshot(budget=SOON).revision
    heard: list[frozenset[str]] = []
    watching = threading.Thread(target=lambda: _watched(store, since, heard))
    watching.start()
    leader.signal(number)
    try:
        wait_for(lambda: renewed(store), within=20, what="a renewal by way of the others")
        assert store.snapshot(budget=SOON).items["leader"].mine
        assert isinstance(store.put("config", str(number), budget=SOON), Applied)
        wait_for(lambda: bool(heard), within=10, what="the change")
        assert heard[-1] <= {"config"}  # empty: it cannot be told what
    finally:
        if number is signal.SIGKILL:
            leader.kill()
            leader.start()
        leader.signal(signal.SIGCONT)
        wait_for(leader.healthy, within=60, what="the server")
        store.close()
        watching.join(20)
    assert not watching.is_alive()


def _watched(store: Store, since: Revision, heard: list[frozenset[str]]) -> None:
    """As an agent's watcher does: begun again a moment after it failed."""
    end = CLOCK.now() + 40
    while CLOCK.now() < end and not heard:
        try:
            store.watch(since, heard.append, budget=Seconds(2))
        except StoreUnreachable:
            time.sleep(0.2)


def test_without_a_majority_nothing_is_known(three: Sequence[Consul], opened: Open) -> None:
    store = opened(three[0])
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    for server in three[1:]:
        server.kill()
    wait_for(lambda: not renewed(store), within=20, what="renewals to fail")
    began = CLOCK.now()
    with pytest.raises(StoreUnreachable):
        store.snapshot(budget=Seconds(1))
    assert CLOCK.now() - began < 2.5
    for server in three[1:]:
        server.start()
    wait_for(lambda: renewed(store), within=60, what="renewals")
    assert store.snapshot(budget=SOON).items["leader"].mine


@pytest.mark.parametrize("consistency", ["default", "consistent", "stale"])
def test_each_consistency_of_watches_tells_of_a_change(server: Consul, opened: Open, consistency: str) -> None:
    store = opened(server, consistency=consistency)
    since = store.snapshot(budget=SOON).revision
    heard: list[frozenset[str]] = []
    watching = threading.Thread(target=lambda: store.watch(since, heard.append, budget=Seconds(2)))
    watching.start()
    assert isinstance(opened(server).put("config", "1", budget=SOON), Applied)
    wait_for(lambda: any("config" in keys for keys in heard), within=5, what="the change")
    watching.join()


# --- services ---


def document(role: str, state: str = "running") -> str:
    return json.dumps({"conn_url": "postgres://10.0.0.1:5433/postgres", "api_url": "http://10.0.0.1:8008/patroni",
                       "role": role, "state": state, "version": "4.1.0"})


def service(server: Consul, name: str) -> Mapping[str, Any] | None:
    found = server.ask("GET", "/v1/agent/services")
    assert isinstance(found, dict)
    return found.get(name)


def test_a_member_is_registered_as_a_service_with_its_role_and_taken_away_when_it_stops(
        server: Consul, opened: Open) -> None:
    store = opened(server, "Node.1", register_service=True, service_tags=["blue"], service_check_interval="7s")

    def write(text: str) -> Mapping[str, Any] | None:
        assert isinstance(store.put("members/Node.1", text, leased=True, ttl=TTL, budget=SOON), Applied)
        return service(server, "prod/Node.1")

    assert write(document("replica", "starting")) is None
    replica, primary = write(document("replica")), write(document("primary"))
    assert replica is not None and primary is not None
    assert (replica["Service"], replica["Address"], replica["Port"]) == ("prod", "10.0.0.1", 5433)
    assert (replica["Tags"], primary["Tags"]) == (["blue", "replica"], ["blue", "primary", "master"])
    assert primary["EnableTagOverride"] is True
    checks = server.ask("GET", "/v1/agent/checks")
    assert isinstance(checks, dict) and any(check["ServiceID"] == "prod/Node.1" for check in checks.values())
    assert write(document("primary", "stopped")) is None


def test_a_service_whose_option_was_turned_off_is_taken_away(server: Consul, opened: Open) -> None:
    on, off = opened(server, "n9", register_service=True), opened(server, "n9", register_service=False)
    on.put("members/n9", document("replica"), leased=True, ttl=TTL, budget=SOON)
    assert service(server, "prod/n9") is not None
    off.put("members/n9", document("replica"), leased=True, ttl=TTL, budget=SOON)
    assert service(server, "prod/n9") is None


def test_a_service_that_may_not_be_registered_stops_nobody(guarded: Consul, opened: Open,
                                                          caplog: pytest.LogCaptureFixture) -> None:
    rules = 'key_prefix "" { policy = "write" } session_prefix "" { policy = "write" }'
    policy = guarded.ask("PUT", "/v1/acl/policy", json.dumps({"Name": "keys", "Rules": rules}).encode())
    assert isinstance(policy, dict)
    token = guarded.ask("PUT", "/v1/acl/token", json.dumps({"Policies": [{"ID": policy["ID"]}]}).encode())
    assert isinstance(token, dict)
    store = opened(guarded, "a", token=token["SecretID"], register_service=True)
    with caplog.at_level(logging.WARNING, "pgctl"):
        for role in ("replica", "primary"):
            assert isinstance(store.put("members/a", document(role), leased=True, ttl=TTL, budget=SOON), Applied)
        assert store.snapshot(budget=SOON).items["members/a"].mine
    assert len([record for record in caplog.records if "service prod/a" in record.getMessage()]) == 1
