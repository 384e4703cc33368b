"""A reading that is kept while nothing changes: what it costs, and that it never hides a change."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kazoo.protocol.states import Callback as Told

from pgctl.dcs.store import Store
from pgctl.dcs.zookeeper import ZookeeperStore
from pgctl.units import Instant
from tests.contract import services_zookeeper
from tests.contract.proxy import proxy
from tests.contract.services import wait_for
from tests.contract.services_zookeeper import Zookeeper
from tests.contract.test_contract_zookeeper import CLOCK, SOON, TTL, applied, opened

pytestmark = [pytest.mark.contract, pytest.mark.store("zookeeper")]
__all__ = ["opened"]

Open = Callable[..., Store]
KEYS = ("config", "status", "history", "sync", "failsafe", "members/a", "members/b", "members/c")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Zookeeper]:
    """One that nobody else asks."""
    with services_zookeeper.zookeeper(tmp_path) as found:
        yield found


def value(store: Store, key: str) -> str | None:
    item = store.snapshot(budget=SOON).items.get(key)
    return item.value if item is not None else None


def held_reading(server: Zookeeper, opened: Open) -> tuple[ZookeeperStore, Store]:
    """Two stores; the first has read what the second wrote."""
    ours, theirs = opened(server.port), opened(server.port)
    applied(theirs.put("config", "before", budget=SOON))
    assert value(ours, "config") == "before"
    assert isinstance(ours, ZookeeperStore)
    return ours, theirs


def received(server: Zookeeper) -> int:
    """Requests of all clients since the server's start, pings among them."""
    found = re.search(r"^Received: (\d+)", server.says("srvr"), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_reading_where_nothing_has_changed_is_one_request(server: Zookeeper, opened: Open) -> None:
    store = opened(server.port)
    for key in KEYS:
        applied(store.put(key, "1", budget=SOON))
    before = store.snapshot(budget=SOON)
    since = received(server)
    for _ in range(50):
        assert store.snapshot(budget=SOON).items == before.items
    assert received(server) - since < 50 + 10


def test_a_reading_after_a_write_has_it_whoever_wrote(server: Zookeeper, opened: Open) -> None:
    """Written, made, removed; and below a directory that was not there before."""
    ours, theirs = opened(server.port), opened(server.port)
    for number in range(100):
        applied(theirs.put("config", str(number), budget=SOON))
        assert value(ours, "config") == str(number)
    applied(theirs.put("members/a", "1", budget=SOON))
    assert value(ours, "members/a") == "1"
    applied(theirs.delete("members/a", budget=SOON))
    assert value(ours, "members/a") is None
    applied(theirs.hold("leader", "b", ttl=TTL, budget=SOON))
    assert value(ours, "leader") == "b"
    applied(theirs.delete("leader", budget=SOON))
    assert value(ours, "leader") is None


def test_many_readers_beside_writers_see_each_write(server: Zookeeper, opened: Open) -> None:
    ours, theirs = opened(server.port), opened(server.port)
    written, stale = [0], list[tuple[int, int]]()
    over = threading.Event()

    def reads() -> None:
        while not over.is_set():
            least = written[0]
            found = int(value(ours, "config") or 0)
            if found < least:
                stale.append((found, least))

    readers = [threading.Thread(target=reads) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 200):
        applied(theirs.put("config", str(number), budget=SOON))
        written[0] = number
        over.wait(0.02)  # a reading that finds no quiet moment at all gives up
    over.set()
    for reader in readers:
        reader.join()
    assert stale == []


def test_what_changed_while_the_connection_was_lost_is_seen(server: Zookeeper, opened: Open) -> None:
    with proxy(server.port) as between:
        ours, theirs = opened(between.port), opened(server.port)
        for number in range(5):
            applied(theirs.put("config", f"before {number}", budget=SOON))
            assert value(ours, "config") == f"before {number}"
            between.cut()
            applied(theirs.put("config", f"meanwhile {number}", budget=SOON))
            assert value(ours, "config") == f"meanwhile {number}"
        ours.close()


def test_a_client_that_was_begun_anew_has_no_watch_and_counts_on_none(server: Zookeeper, opened: Open) -> None:
    """kazoo gave up, its watches untold; the next one of ours knows nothing of what came between."""
    ours, theirs = held_reading(server, opened)
    session = ours._reader()
    client = session._client
    client._stopped.set()
    client.handler.stop()
    client._connection._socket.shutdown(socket.SHUT_RDWR)
    client._connection._connection_routine.join(10)
    applied(theirs.put("config", "meanwhile", budget=SOON))
    session.wait(Instant(CLOCK.now() + SOON))
    assert session.life == 2
    assert value(ours, "config") == "meanwhile"


def test_the_server_comes_back_and_all_is_read_anew(server: Zookeeper, opened: Open) -> None:
    ours = opened(server.port)
    applied(ours.put("config", "before", budget=SOON))
    assert value(ours, "config") == "before"
    server.kill()
    server.start()
    wait_for(server.healthy, within=60, what="ZooKeeper")
    theirs = opened(server.port)
    applied(theirs.put("config", "after", budget=SOON))
    assert value(ours, "config") == "after"


def test_a_watch_that_is_told_late_is_waited_for(server: Zookeeper, opened: Open) -> None:
    """kazoo tells of watches in a thread of its own, which may be behind."""
    ours, theirs = held_reading(server, opened)
    late = threading.Event()
    ours._reader()._client.handler.dispatch_callback(Told("watch", late.wait, (0.5,)))
    applied(theirs.put("config", "after", budget=SOON))
    assert value(ours, "config") == "after"
