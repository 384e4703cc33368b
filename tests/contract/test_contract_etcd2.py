"""etcd v2 as only it is: without leases, what a refresh moves and what it leaves; with a short memory; not everywhere."""

import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract import services, services_consul
from tests.contract.conftest import Servers
from tests.contract.services import Etcd, wait_for

pytestmark = pytest.mark.contract

SOON = Seconds(10)
TTL = Seconds(30)
CLOCK = SystemClock()

Open = Callable[..., Store]


@pytest.fixture
def namespace() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def opened(namespace: str) -> Iterator[Open]:
    """Opens stores of one fresh cluster, and closes them."""
    stores: list[Store] = []

    def open_store(nodes: Sequence[Etcd], **options: object) -> Store:
        section = StoreSection("etcd", {"hosts": [node.url for node in nodes], **options}, namespace, "prod")
        stores.append(factory.open_store(section, CLOCK))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def node(servers: Servers) -> Etcd:
    found = servers.get("etcd")
    assert isinstance(found, Etcd)
    return found


def put(node: Etcd, path: str, **form: str) -> None:
    """What another program writes."""
    request = urllib.request.Request(f"{node.url}/v2/keys/{path}", urllib.parse.urlencode(form).encode(), method="PUT")
    with urllib.request.urlopen(request, timeout=5):
        pass


def test_a_leader_of_another_kind_is_the_same_after_it_was_refreshed(node: Etcd, opened: Open, namespace: str) -> None:
    """A Patroni member swaps the key's value for itself each cycle; whoever saw the key saw that life of it."""
    store = opened([node])
    put(node, f"{namespace}/prod/leader", value="other", ttl="30", prevExist="false")
    seen = store.snapshot(budget=SOON).items["leader"]
    put(node, f"{namespace}/prod/leader", value="other", ttl="30", prevValue="other")
    again = store.snapshot(budget=SOON).items["leader"]
    assert again == seen and not seen.mine
    assert isinstance(store.hold("leader", "me", ttl=TTL, budget=SOON), Rejected)
    assert isinstance(store.delete("leader", expect=seen.revision, budget=SOON), Applied)
    assert isinstance(store.delete("leader", expect=seen.revision, budget=SOON), Rejected)


def test_what_was_seen_of_a_leader_holds_while_it_renews(node: Etcd, opened: Open) -> None:
    a, b = opened([node]), opened([node])
    held = a.hold("leader", "a", ttl=TTL, budget=SOON)
    assert isinstance(held, Applied)
    assert isinstance(a.renew(ttl=TTL, budget=SOON), Applied)
    assert b.snapshot(budget=SOON).items["leader"].revision == held.revision
    assert isinstance(b.hold("sync", "b", ttl=TTL, guard={"leader": held.revision}, budget=SOON), Applied)
    assert isinstance(a.delete("leader", expect=held.revision, budget=SOON), Applied)


def test_a_renewal_wakes_nobody(node: Etcd, opened: Open) -> None:
    a, b = opened([node]), opened([node])
    a.hold("leader", "a", ttl=TTL, budget=SOON)
    heard: list[frozenset[str]] = []
    since = b.snapshot(budget=SOON).revision
    watching = threading.Thread(target=lambda: b.watch(since, heard.append, budget=Seconds(1.5)))
    watching.start()
    for _ in range(3):
        assert isinstance(a.renew(ttl=TTL, budget=SOON), Applied)
    watching.join()
    assert heard == []


def test_a_held_key_that_another_life_made_anew_ends_the_lease(node: Etcd, opened: Open, namespace: str) -> None:
    store = opened([node])
    store.put("members/a", "1", leased=True, ttl=TTL, budget=SOON)
    store.hold("leader", "a", ttl=TTL, budget=SOON)
    put(node, f"{namespace}/prod/leader", value="a", ttl="30")  # set anew, not swapped
    assert not store.snapshot(budget=SOON).items["leader"].mine
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Rejected)


def test_a_member_key_that_was_deleted_does_not_end_the_lease(node: Etcd, opened: Open) -> None:
    a, b = opened([node]), opened([node])
    a.put("members/a", "1", leased=True, ttl=TTL, budget=SOON)
    a.hold("leader", "a", ttl=TTL, budget=SOON)
    b.delete("members/a", budget=SOON)
    assert isinstance(a.renew(ttl=TTL, budget=SOON), Applied)
    assert set(b.snapshot(budget=SOON).items) == {"leader"}


def test_guards_under_race_let_no_stale_holder_in(node: Etcd, opened: Open) -> None:
    """While another writes `sync`, whoever takes the lead has seen what stood there when its key was made, or later."""
    a, b = opened([node]), opened([node])
    b.put("sync", "0", budget=SOON)
    with ThreadPoolExecutor(1) as pool:
        for number in range(20):
            seen = a.snapshot(budget=SOON).items["sync"].revision
            written = pool.submit(b.put, "sync", str(number), budget=SOON)
            held = a.hold("leader", "a", ttl=TTL, guard={"sync": seen}, budget=SOON)
            sync = written.result()
            assert isinstance(sync, Applied)
            if isinstance(held, Applied):
                assert held.revision < sync.revision
            a.delete("leader", budget=SOON)


def test_what_etcd_has_forgotten_is_told_as_anything_may_have_changed(node: Etcd, opened: Open) -> None:
    a, b = opened([node]), opened([node])
    b.put("status", "0", budget=SOON)
    since = a.snapshot(budget=SOON).revision
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: b.put("status", str(number), budget=SOON), range(1100)))
    heard: list[frozenset[str]] = []
    watching = threading.Thread(target=lambda: a.watch(since, heard.append, budget=Seconds(20)))
    watching.start()
    wait_for(lambda: frozenset() in heard, within=5, what="the empty set")
    b.put("config", "1", budget=SOON)
    wait_for(lambda: frozenset({"config"}) in heard, within=5, what="the next change")
    a.close()
    watching.join()


def test_an_etcd_without_the_old_api_is_said_with_what_to_do(servers: Servers, opened: Open) -> None:
    new = servers.get("etcd3")
    assert isinstance(new, Etcd)
    store = opened([new])
    for call in (lambda: store.snapshot(budget=SOON), lambda: store.put("config", "1", budget=SOON)):
        with pytest.raises(StoreUnreachable, match="there is no v2 API") as caught:
            call()
        assert "--enable-v2" in caught.value.hint


def test_an_answer_of_something_else_is_no_empty_cluster() -> None:
    with services_consul.other_program() as port:
        store = factory.open_store(StoreSection("etcd", {"host": f"127.0.0.1:{port}"}, "x", "prod"), CLOCK)
        for call in (lambda: store.snapshot(budget=Seconds(0.5)),
                     lambda: store.hold("leader", "a", ttl=TTL, budget=Seconds(0.5))):
            with pytest.raises(StoreUnreachable):
                call()
        store.close()


def test_one_dead_node_of_three_is_got_round_and_the_others_are_learnt(tmp_path: Path, opened: Open) -> None:
    with services.etcd(tmp_path, 3, "--enable-v2=true") as three:
        store = opened(three[:1])
        assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
        three[0].kill()
        wait_for(lambda: three[1].healthy() and three[2].healthy(), within=20, what="the other two to agree")
        assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
        assert store.snapshot(budget=SOON).items["leader"].mine
        heard: list[frozenset[str]] = []
        watching = threading.Thread(target=lambda: store.watch(Revision(0), heard.append, budget=Seconds(20)))
        watching.start()
        time.sleep(0.3)
        assert isinstance(store.put("config", "1", budget=SOON), Applied)
        wait_for(lambda: any("config" in keys for keys in heard), within=5, what="the change")
        store.close()
        watching.join()
