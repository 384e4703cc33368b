"""What only ZooKeeper does to a store: sessions that outlive connections, ensembles, rights, holders that are frozen."""

import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest
from kazoo.security import make_digest_acl_credential

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import ABSENT, Applied, Rejected, Store
from pgctl.errors import StoreUnreachable
from pgctl.units import Seconds
from tests.contract import services_zookeeper
from tests.contract.conftest import Servers
from tests.contract.proxy import proxy
from tests.contract.services import wait_for
from tests.contract.services_zookeeper import Zookeeper

pytestmark = [pytest.mark.contract, pytest.mark.store("zookeeper")]

SOON = Seconds(10)
TTL = Seconds(30)
CLOCK = SystemClock()

Open = Callable[..., Store]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens stores of one fresh cluster, and closes them."""
    stores: list[Store] = []
    namespace = uuid.uuid4().hex

    def open_store(*ports: int, **options: object) -> Store:
        hosts = [f"127.0.0.1:{port}" for port in ports]
        stores.append(factory.open_store(StoreSection("zookeeper", {"hosts": hosts, **options}, namespace, "prod"), CLOCK))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def port(servers: Servers) -> int:
    return servers.get("zookeeper").port


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Zookeeper]]:
    with services_zookeeper.ensemble(tmp_path_factory.mktemp("three"), 3) as servers:
        yield servers


def applied(answer: Applied | Rejected) -> Applied:
    assert isinstance(answer, Applied), answer
    return answer


def keys_of(store: Store) -> set[str]:
    return set(store.snapshot(budget=SOON).items)


# --- sessions ---


def test_a_lost_connection_is_not_a_lost_lease(port: int, opened: Open) -> None:
    with proxy(port) as between:
        store = opened(between.port)
        applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
        for _ in range(3):
            between.cut()
            applied(store.renew(ttl=TTL, budget=SOON))
        assert store.snapshot(budget=SOON).items["leader"].mine
        store.close()


def test_an_expired_session_is_a_lost_lease(port: int, opened: Open) -> None:
    with proxy(port) as between:
        store, other = opened(between.port), opened(port)
        held = applied(store.hold("leader", "a", ttl=Seconds(1), budget=SOON))
        between.deaf = True
        with pytest.raises(StoreUnreachable):
            store.renew(ttl=Seconds(1), budget=Seconds(0.3))
        wait_for(lambda: "leader" not in keys_of(other), within=5, what="the session to end")
        assert held.deadline is not None and CLOCK.now() >= held.deadline
        applied(other.hold("leader", "b", ttl=TTL, budget=SOON))
        between.deaf = False
        between.cut()
        assert isinstance(store.renew(ttl=Seconds(1), budget=SOON), Rejected)
        assert not store.snapshot(budget=SOON).items["leader"].mine
        store.close()


HOLDER = """
import sys, time
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
store = factory.open_store(StoreSection("zookeeper", {"hosts": [sys.argv[1]]}, sys.argv[2], "prod"), SystemClock())
print(store.hold("leader", "a", ttl=2.0, budget=10).deadline, flush=True)
while True:
    print(store.renew(ttl=2.0, budget=1).deadline, flush=True)
    time.sleep(0.5)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_lead_of_a_dead_or_frozen_process_ends_and_not_before_it_believes_so(port: int, number: signal.Signals) -> None:
    namespace = uuid.uuid4().hex
    place = f"127.0.0.1:{port}"
    other = factory.open_store(StoreSection("zookeeper", {"hosts": [place]}, namespace, "prod"), CLOCK)
    with subprocess.Popen([sys.executable, "-c", HOLDER, place, namespace], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        believed = [float(holder.stdout.readline()) for _ in range(3)][-1]
        holder.send_signal(number)
        wait_for(lambda: "leader" not in keys_of(other), within=8, what="the lead to end")
        assert believed <= CLOCK.now() <= believed + 2 * 1.25 + 1 + 1.5
        holder.kill()
    other.close()


def test_another_ttl_never_shows_the_lead_free(port: int, opened: Open) -> None:
    store, other = opened(port), opened(port)
    applied(store.put("members/a", "1", leased=True, ttl=Seconds(5), budget=SOON))
    applied(store.hold("leader", "a", ttl=Seconds(5), budget=SOON))
    done = threading.Event()
    free: list[float] = []

    def look() -> None:
        while not done.is_set():
            if keys_of(other) != {"leader", "members/a"}:
                free.append(time.monotonic())

    thread = threading.Thread(target=look)
    thread.start()
    for ttl in (20, 6, 30):
        answer = applied(store.renew(ttl=Seconds(ttl), budget=SOON))
        assert answer.deadline is not None and CLOCK.now() + ttl - 1 < answer.deadline <= CLOCK.now() + ttl
    done.set()
    thread.join(10)
    assert free == [] and all(item.mine for item in store.snapshot(budget=SOON).items.values())


def test_guards_and_the_key_are_one_transaction(port: int, opened: Open) -> None:
    store, other = opened(port), opened(port)
    seen = applied(other.put("sync", "1", budget=SOON)).revision
    applied(store.hold("leader", "a", ttl=TTL, guard={"sync": seen, "failover": ABSENT}, budget=SOON))
    assert keys_of(other) == {"leader", "sync"}
    applied(other.put("failover", "{}", expect=ABSENT, budget=SOON))
    assert isinstance(other.hold("leader2", "b", ttl=TTL, guard={"failover": ABSENT}, budget=SOON), Rejected)
    assert keys_of(other) == {"leader", "sync", "failover"}


# --- an ensemble ---


def test_a_lease_outlives_any_one_server(three: Sequence[Zookeeper], opened: Open) -> None:
    store = opened(*(server.port for server in three))
    held = applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    for server in three:
        server.kill()
        wait_for(lambda: renewed(store), within=20, what="a renewal by way of the others")
        assert store.snapshot(budget=SOON).items["leader"].revision == held.revision
        server.start()
        wait_for(server.healthy, within=30, what="the server")
    assert store.snapshot(budget=SOON).items["leader"].mine


def test_without_a_majority_nothing_is_known(three: Sequence[Zookeeper], opened: Open) -> None:
    store = opened(*(server.port for server in three))
    applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    for server in three[:2]:
        server.kill()
    wait_for(lambda: not renewed(store), within=20, what="renewals to fail")
    with pytest.raises(StoreUnreachable):
        store.snapshot(budget=Seconds(1))
    for server in three[:2]:
        server.start()
    wait_for(lambda: renewed(store), within=30, what="renewals")
    assert store.snapshot(budget=SOON).items["leader"].mine


def renewed(store: Store) -> bool:
    """Never a no: it is the store that is away."""
    try:
        return bool(applied(store.renew(ttl=TTL, budget=Seconds(1))))
    except StoreUnreachable:
        return False


# --- rights ---


def test_nodes_belong_to_those_whom_the_acls_name(port: int, opened: Open) -> None:
    credential = make_digest_acl_credential("pgctl", "secret")
    rights = {"set_acls": {f"digest:{credential}": ["ALL"]}, "auth_data": {"digest": "pgctl:secret"}}
    store, stranger, friend = opened(port, **rights), opened(port), opened(port, auth_data=rights["auth_data"])
    applied(store.put("config", "1", budget=SOON))
    applied(store.hold("leader", "a", ttl=TTL, guard={"failover": ABSENT}, budget=SOON))
    with pytest.raises(StoreUnreachable, match="refused") as caught:
        stranger.snapshot(budget=SOON)
    assert "auth_data" in caught.value.hint and "secret" not in str(caught.value)
    with pytest.raises(StoreUnreachable, match="refused"):
        stranger.put("config", "2", budget=SOON)
    assert keys_of(friend) == {"config", "leader"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # kazoo leaves the socket to the collector
def test_a_server_without_tls_is_unreachable_by_tls(port: int, opened: Open) -> None:
    """A server that speaks no TLS, asked for it: no connection, no traceback, within the budget."""
    store = opened(port, use_ssl=True, verify=False)
    started = time.monotonic()
    with pytest.raises(StoreUnreachable, match="could not reach ZooKeeper"):
        store.snapshot(budget=Seconds(1))
    assert time.monotonic() - started < 2.5
