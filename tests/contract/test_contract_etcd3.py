"""etcd as only etcd fails: compacted, begun anew, one node of three lost; other people's keys; passwords and TLS."""

import base64
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.errors import OutcomeUnknown, PgctlError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract import services
from tests.contract.services import Etcd, settled, text, wait_for

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

    def open_store(nodes: Sequence[Etcd], **options: object) -> Store:
        section = StoreSection("etcd3", {"hosts": [node.url for node in nodes], **options}, namespace, "prod")
        stores.append(factory.open_store(section, CLOCK))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Etcd]:
    """A node that the test may maltreat."""
    with services.etcd(tmp_path) as (node,):
        yield node


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Etcd]]:
    with services.etcd(tmp_path_factory.mktemp("three"), 3) as nodes:
        yield nodes


def took(call: Callable[[], object], error: type[PgctlError]) -> tuple[float, str]:
    started = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    return time.monotonic() - started, str(caught.value)


# --- one node ---


def test_a_lease_revoked_by_others_is_replaced(etcd_node: Etcd, opened: Open) -> None:
    store = opened([etcd_node])
    writes: list[Callable[[], Applied | Rejected]] = [
        lambda: store.put("members/a", "1", leased=True, ttl=TTL, budget=SOON),
        lambda: store.hold("leader", "a", ttl=TTL, budget=SOON),
    ]
    for write in writes:
        assert isinstance(store.put("members/a", "0", leased=True, ttl=TTL, budget=SOON), Applied)
        _revoke_all(etcd_node)
        assert isinstance(write(), Applied)
    _revoke_all(etcd_node)
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Rejected)
    assert isinstance(store.renew(ttl=Seconds(20), budget=SOON), Rejected)


def test_when_the_lease_is_gone_a_changed_ttl_does_not_bring_it_back(etcd_node: Etcd, opened: Open) -> None:
    store = opened([etcd_node])
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    _revoke_all(etcd_node)
    assert isinstance(store.renew(ttl=Seconds(20), budget=SOON), Rejected)
    assert store.snapshot(budget=SOON).items == {}


def _revoke_all(node: Etcd) -> None:
    leases = node.post("/v3/lease/leases", {}).get("leases", [])
    assert isinstance(leases, list)
    for lease in leases:
        node.post("/v3/lease/revoke", {"ID": lease["ID"]})


def test_a_leader_of_another_kind_is_respected_and_seen(etcd_node: Etcd) -> None:
    """A Patroni member: one lease of its own on the leader and the member key, texts as dcs.md has them."""
    namespace = uuid.uuid4().hex
    section = StoreSection("etcd3", {"url": etcd_node.url}, f"/{namespace}/", "batman")
    store = factory.open_store(section, CLOCK)
    lease = etcd_node.post("/v3/lease/grant", {"TTL": 30})["ID"]
    member = '{"conn_url":"postgres://10.0.0.1:5432/postgres","state":"running","role":"primary","version":"4.1.0"}'
    for key, value in (("leader", "other"), ("members/other", member), ("history", "not json")):
        etcd_node.post("/v3/kv/put", {"key": text(f"/{namespace}/batman/{key}"), "value": text(value), "lease": lease})
    cluster = ClusterStore(store, "batman").read(budget=SOON)
    assert cluster.leader is not None and not cluster.leader.mine and cluster.leader_member is not None
    assert (cluster.leader_member.role, cluster.leader_member.state) == ("primary", "running")
    assert isinstance(store.hold("leader", "me", ttl=TTL, budget=SOON), Rejected)
    store.put("members/me", "{}", leased=True, ttl=TTL, budget=SOON)
    read = etcd_node.post("/v3/kv/range", {"key": text(f"/{namespace}/batman/members/me")})["kvs"]
    assert isinstance(read, list) and base64.b64decode(read[0]["value"]) == b"{}" and read[0]["lease"] != lease
    store.close()


def test_bytes_that_are_no_text_stop_nobody(etcd_node: Etcd) -> None:
    namespace = uuid.uuid4().hex
    store = factory.open_store(StoreSection("etcd3", {"host": etcd_node.url}, namespace, "prod"), CLOCK)
    etcd_node.post("/v3/kv/put", {"key": text(f"/{namespace}/prod/config"), "value": base64.b64encode(b"\xff{").decode()})
    assert store.snapshot(budget=SOON).items["config"].value == "\ufffd{"
    store.close()


def test_a_compacted_history_is_told_as_anything_may_have_changed(alone: Etcd, opened: Open) -> None:
    store = opened([alone])
    since = store.snapshot(budget=SOON).revision
    done = [store.put("status", str(number), budget=SOON) for number in range(5)]
    last = done[-1]
    assert isinstance(last, Applied)
    alone.post("/v3/kv/compaction", {"revision": str(last.revision), "physical": True})
    heard: list[frozenset[str]] = []
    watching = threading.Thread(target=lambda: store.watch(since, heard.append, budget=Seconds(20)))
    watching.start()
    wait_for(lambda: frozenset() in heard, within=5, what="the empty set")
    time.sleep(0.5)
    heard.clear()
    store.put("config", "1", budget=SOON)
    wait_for(lambda: any("config" in keys for keys in heard), within=5, what="the next change")
    store.close()
    watching.join()


def test_a_store_emptied_and_begun_anew_is_noticed(tmp_path: Path, opened: Open) -> None:
    with services.etcd(tmp_path) as (node,):
        store = opened([node])
        for number in range(5):
            store.put("status", str(number), budget=SOON)
        since = store.snapshot(budget=SOON).revision
        heard: list[frozenset[str]] = []
        (tmp_path / "gone").mkdir()
        node.kill()
        (tmp_path / "n0").rename(tmp_path / "gone" / "n0")
        node.start()
        wait_for(node.healthy, within=20, what="etcd")
        assert store.snapshot(budget=SOON).items == {}
        watching = threading.Thread(target=lambda: store.watch(since, heard.append, budget=Seconds(20)))
        watching.start()
        wait_for(lambda: frozenset() in heard, within=5, what="the empty set")
        store.close()
        watching.join()


def test_space_that_ran_out_is_told_and_nothing_was_written(tmp_path: Path, opened: Open) -> None:
    with services.etcd(tmp_path, 1, "--quota-backend-bytes", "1000000") as (node,):
        store = opened([node])
        with pytest.raises(StoreUnreachable, match="database space exceeded") as caught:
            for number in range(200):
                store.put(f"filler{number}", "x" * 200_000, budget=SOON)
        assert "defragment" in caught.value.hint


# --- three nodes ---


def test_one_dead_node_of_three_costs_nobody_anything(three: Sequence[Etcd], opened: Open) -> None:
    store, watcher = opened(three), opened(three)
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    heard: list[frozenset[str]] = []
    watching = threading.Thread(target=lambda: watcher.watch(Revision(0), heard.append, budget=Seconds(60)))
    watching.start()
    for node in three:
        node.kill()
        assert isinstance(settled(lambda: store.put("status", "1", budget=SOON)), Applied)
        assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
        assert store.snapshot(budget=SOON).items["leader"].mine
        wait_for(lambda: any("status" in keys for keys in heard), within=10, what="the change")
        heard.clear()
        node.start()
        wait_for(node.healthy, within=20, what=f"{node.url} to be healthy")
    watcher.close()
    watching.join()


def test_from_one_endpoint_the_others_are_learnt(three: Sequence[Etcd], opened: Open) -> None:
    store = opened(three[:1])
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    three[0].kill()
    try:
        assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
        assert store.snapshot(budget=SOON).items["leader"].mine
    finally:
        three[0].start()
        wait_for(three[0].healthy, within=20, what="the node to be back")
    with_proxy = opened(three[:1], use_proxies=True)
    assert with_proxy.snapshot(budget=SOON).items
    three[0].signal(signal.SIGSTOP)
    try:
        took(lambda: with_proxy.snapshot(budget=Seconds(1)), StoreUnreachable)
    finally:
        three[0].signal(signal.SIGCONT)


def test_what_was_learnt_must_be_of_the_same_cluster(tmp_path: Path, opened: Open) -> None:
    """An advertised address that leads to another etcd from here is never written to."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with services.etcd(tmp_path / "one") as (stranger,):
        with services.etcd(tmp_path / "two", 1, "--advertise-client-urls", stranger.url) as (node,):
            store = opened([node])
            store.put("config", "1", budget=SOON)
            node.kill()
            took(lambda: store.put("config", "2", budget=Seconds(1)), StoreUnreachable)
        assert "kvs" not in stranger.post("/v3/kv/range", {"key": text("/"), "range_end": text("~")})


def test_one_frozen_node_of_three_delays_readings_once(three: Sequence[Etcd], opened: Open) -> None:
    store = opened(three)
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    three[0].signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert store.snapshot(budget=Seconds(9)).items["leader"].mine
        assert isinstance(store.renew(ttl=TTL, budget=Seconds(9)), Applied)
        assert time.monotonic() - started < 8
        started = time.monotonic()
        assert isinstance(store.put("config", "1", budget=Seconds(9)), Applied)
        assert store.snapshot(budget=Seconds(9)).items["leader"].mine
        assert time.monotonic() - started < 2
    finally:
        three[0].signal(signal.SIGCONT)


def test_without_a_quorum_nothing_is_taken_for_done(three: Sequence[Etcd], opened: Open) -> None:
    store = opened(three)
    store.put("config", "1", budget=SOON)
    for node in three[1:]:
        node.signal(signal.SIGSTOP)
    try:
        with pytest.raises((OutcomeUnknown, StoreUnreachable)):
            store.put("config", "2", budget=Seconds(1.5))
        took(lambda: store.snapshot(budget=Seconds(1.5)), StoreUnreachable)
    finally:
        for node in three[1:]:
            node.signal(signal.SIGCONT)
    wait_for(three[0].healthy, within=20, what="a quorum")
    assert isinstance(store.put("config", "3", budget=SOON), Applied)


# --- passwords and TLS ---


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Etcd]:
    """A node that asks for a password, with tokens that end after two seconds."""
    with services.etcd(tmp_path, 1, "--auth-token-ttl", "2") as (node,):
        node.post("/v3/auth/user/add", {"name": "root", "password": "pw"})
        node.post("/v3/auth/role/add", {"name": "root"})
        node.post("/v3/auth/user/grant", {"user": "root", "role": "root"})
        node.post("/v3/auth/enable", {})
        yield node


def test_a_password_is_used_and_its_token_renewed(guarded: Etcd, opened: Open) -> None:
    store = opened([guarded], username="root", password="pw")
    assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    heard: list[frozenset[str]] = []
    watching = threading.Thread(target=lambda: store.watch(Revision(0), heard.append, budget=Seconds(2)))
    watching.start()
    watching.join()
    assert heard
    time.sleep(2.5)
    assert isinstance(store.put("config", "1", budget=SOON), Applied)
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)


def test_a_password_in_the_url_is_used(guarded: Etcd) -> None:
    url = guarded.url.replace("://", "://root:pw@")
    store = factory.open_store(StoreSection("etcd3", {"url": url}, "x", "prod"), CLOCK)
    assert store.snapshot(budget=SOON).items == {}
    store.close()


@pytest.mark.parametrize("options", [{}, {"username": "root", "password": "wrong-one"}], ids=["none", "wrong"])
def test_a_wrong_password_is_said_at_once_and_not_shown(guarded: Etcd, opened: Open, options: dict[str, str]) -> None:
    store = opened([guarded], **options)
    seconds, said = took(lambda: store.snapshot(budget=SOON), StoreUnreachable)
    assert seconds < 3 and "etcd refused" in said and "wrong-one" not in said
