"""An answer that is none is the store's fault: never the loss of a lease, never a yes, never a no.

Law (pgctl/dcs/store.py): what was written and not answered is unknown. Here the real store does what it is asked, and what
comes back is spoiled on the way: by a gateway, a proxy with a page of its own, a server that dies in the middle.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Applied, Store
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Seconds
from tests.contract.conftest import Servers
from tests.contract.launchers import LAUNCHERS
from tests.contract.liar import LIES, Liar, Lie, liar
from tests.contract.services_kubernetes import KubeApi
from tests.contract.zookeeper_liar import WRITES as ZK_WRITES
from tests.contract.zookeeper_liar import ZK_LIES, ZkLiar, ZkLie, zookeeper_liar

pytestmark = pytest.mark.contract

SOON, SHORT, TTL = Seconds(10), Seconds(0.1), Seconds(60)
EITHER = (StoreUnreachable, OutcomeUnknown)
WRITES = {"etcd3": r"/kv/txn|/lease/keepalive", "etcd": "^(PUT|DELETE) ", "consul": "^PUT ", "kubernetes": "^(PATCH|POST) "}
"""The requests of each store that change something."""


@pytest.fixture(params=WRITES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def between(kind: str, servers: Servers) -> Iterator[Liar]:
    server = servers.get(kind)
    if isinstance(server, KubeApi):
        with liar(server.url, server.context) as found:
            yield found
    else:
        with liar(f"http://127.0.0.1:{server.port}") as found:
            yield found


@pytest.fixture
def store(kind: str, servers: Servers, between: Liar) -> Iterator[Store]:
    """One that is reached by way of the liar, and holds the lead."""
    server, launcher, name = servers.get(kind), LAUNCHERS[kind], uuid.uuid4().hex
    options = {**launcher.options(server, between.port), **launcher.apart(server, name)}
    if isinstance(server, KubeApi):
        options["kubeconfig"] = server.kubeconfig(between.port, scheme="http")
    found = factory.open_store(StoreSection(kind, options, name, "prod"), SystemClock())
    assert isinstance(found.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    assert isinstance(found.put("config", "0", budget=SOON), Applied)
    yield found
    found.close()


def raised(call: Callable[[], object], lie: Lie | ZkLie) -> StoreUnreachable | OutcomeUnknown:
    """What a verb raises; one that answers believed the lie."""
    try:
        answer = call()
    except EITHER as error:
        return error
    raise AssertionError(f"{lie.name}: it was taken for {answer}")


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_no_lie_is_believed(store: Store, between: Liar, kind: str, lie: Lie) -> None:
    between.tell(lie)
    for call in (lambda: store.renew(ttl=TTL, budget=SHORT), lambda: store.hold("leader", "a", ttl=TTL, budget=SHORT),
                 lambda: store.delete("sync", budget=SHORT), lambda: store.snapshot(budget=SHORT)):
        raised(call, lie)
    between.tell(lie, WRITES[kind])
    raised(lambda: store.renew(ttl=TTL, budget=SHORT), lie)
    between.tell(lie, WRITES[kind])
    error = raised(lambda: store.put("config", "1", budget=Seconds(1)), lie)
    assert lie.refuses or isinstance(error, OutcomeUnknown) and len(between.passed_on) == 1, (error, between.passed_on)
    between.tell(None)
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
    found = store.snapshot(budget=SOON).items
    assert found["leader"].mine and found["config"].value == "1"


def test_a_watch_that_is_lied_to_fails_or_waits(store: Store, between: Liar) -> None:
    """It may say that anything may have changed; it names no key."""
    heard: list[frozenset[str]] = []
    since = store.snapshot(budget=SOON).revision
    for lie in LIES[::3]:
        between.tell(lie)
        with contextlib.suppress(StoreUnreachable):
            store.watch(since, heard.append, budget=SHORT)
    assert not any(heard)


@pytest.fixture
def beyond(servers: Servers) -> Iterator[ZkLiar]:
    with zookeeper_liar(servers.get("zookeeper").port) as found:
        yield found


@pytest.fixture
def ensemble(beyond: ZkLiar) -> Iterator[Store]:
    """ZooKeeper by way of its liar; it holds the lead."""
    section = StoreSection("zookeeper", {"hosts": [f"127.0.0.1:{beyond.port}"]}, uuid.uuid4().hex, "prod")
    found = factory.open_store(section, SystemClock())
    assert isinstance(found.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
    assert isinstance(found.put("config", "0", budget=SOON), Applied)
    yield found
    found.close()


@pytest.mark.parametrize("lie", ZK_LIES, ids=lambda lie: lie.name)
def test_no_lie_of_zookeeper_is_believed(ensemble: Store, beyond: ZkLiar, lie: ZkLie) -> None:
    store = ensemble
    beyond.tell(lie)
    for call in (lambda: store.renew(ttl=TTL, budget=SHORT), lambda: store.hold("leader", "a", ttl=TTL, budget=SHORT),
                 lambda: store.delete("sync", budget=SHORT), lambda: store.snapshot(budget=SHORT)):
        raised(call, lie)
    beyond.tell(None)
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
    store.snapshot(budget=SOON)
    deletion = () if lie.of_bodies else (lambda: store.delete("config", budget=Seconds(2)),)
    for write in (lambda: store.put("config", "1", budget=Seconds(2)), lambda: store.put("fresh", "1", budget=Seconds(2)),
                  lambda: store.hold("second", "a", ttl=TTL, budget=Seconds(2)),
                  lambda: store.put("members/a", "1", leased=True, ttl=TTL, budget=Seconds(2)), *deletion):
        beyond.tell(lie, ZK_WRITES)
        error = raised(write, lie)
        assert lie.refuses or isinstance(error, OutcomeUnknown) and beyond.passed_on == 1, (error, beyond.passed_on)
        beyond.tell(None)
        assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
    assert store.snapshot(budget=SOON).items["leader"].mine
