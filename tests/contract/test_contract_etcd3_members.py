"""Members of etcd that come, go and fall behind: what is read is the newest, and whoever is there now is asked."""

import base64
import contextlib
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import etcd_access, factory
from pgctl.dcs.store import Applied, Store
from pgctl.errors import StoreUnreachable
from pgctl.units import Seconds
from tests.contract import services
from tests.contract.services import Etcd, settled, text, wait_for

pytestmark = [pytest.mark.contract, pytest.mark.store("etcd3")]

SOON = Seconds(10)
TTL = Seconds(30)
TOO_MANY = 32

Open = Callable[..., Store]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens stores of one fresh cluster, and closes them."""
    with contextlib.ExitStack() as stack:
        namespace = uuid.uuid4().hex

        def open_store(nodes: Sequence[Etcd], **options: object) -> Store:
            section = StoreSection("etcd3", {"hosts": [node.url for node in nodes], **options}, namespace, "prod")
            return stack.enter_context(contextlib.closing(factory.open_store(section, SystemClock())))

        yield open_store


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Sequence[Etcd]]:
    with services.etcd(tmp_path, 3) as nodes:
        yield nodes


def test_a_member_that_was_left_behind_tells_nothing_old(three: Sequence[Etcd], opened: Open) -> None:
    """It stood still while the others went on, and is alone now: what it has is of the past."""
    behind, others = three[0], three[1:]
    old, new = uuid.uuid4().hex, uuid.uuid4().hex
    store, alone = opened(others, use_proxies=True), opened([behind], use_proxies=True)
    assert isinstance(settled(lambda: store.put("config", old, budget=SOON)), Applied)
    wait_for(lambda: old in on_disk(behind), within=5, what="it to have what was written")
    behind.signal(signal.SIGSTOP)
    try:
        for _ in range(TOO_MANY):  # for the kernel to keep for it: it would read them when it wakes
            settled(lambda: store.put("junk", "x" * 2**19, budget=SOON))
        assert isinstance(settled(lambda: store.put("config", new, budget=SOON)), Applied)
        for node in others:
            node.signal(signal.SIGSTOP)
        behind.signal(signal.SIGCONT)
        assert old in on_disk(behind) and new not in on_disk(behind)
        with pytest.raises(StoreUnreachable):
            alone.snapshot(budget=Seconds(2))
    finally:
        for node in three:
            node.signal(signal.SIGCONT)
    wait_for(behind.healthy, within=20, what="the members to agree")
    assert alone.snapshot(budget=SOON).items["config"].value == new


def test_members_that_are_replaced_one_by_one_are_followed(tmp_path: Path, opened: Open,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """No endpoint that the configuration names is left in the end; the lease has lived through it."""
    monkeypatch.setattr(etcd_access, "LEARN_EVERY", Seconds(0.2))
    with services.etcd(tmp_path) as (first,), contextlib.ExitStack() as stack:
        store = opened([first])
        assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
        second = stack.enter_context(services.joined(first, tmp_path, "second"))
        time.sleep(0.3)
        assert store.snapshot(budget=SOON).items["leader"].mine
        services.leave(first, "n0")
        wait_for(second.healthy, within=20, what="the second to go on alone")
        first.kill()
        assert isinstance(settled(lambda: store.renew(ttl=TTL, budget=SOON)), Applied)
        third = stack.enter_context(services.joined(second, tmp_path, "third"))
        time.sleep(0.3)
        assert store.snapshot(budget=SOON).items["leader"].mine
        services.leave(second, "second")
        wait_for(third.healthy, within=20, what="the third to go on alone")
        second.kill()
        assert store.snapshot(budget=SOON).items["leader"].mine
        assert isinstance(settled(lambda: store.renew(ttl=TTL, budget=SOON)), Applied)


def on_disk(node: Etcd) -> set[str]:
    """The values that this node has by itself, whether they are the newest or not."""
    everything = {"key": text("/"), "range_end": text("~"), "serializable": True}
    found = node.post("/v3/kv/range", everything).get("kvs")
    return {base64.b64decode(row.get("value", "")).decode() for row in found} if isinstance(found, list) else set()
