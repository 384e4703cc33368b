"""How a demo starts its store's server, and where members find it."""

import pytest

from pgctl.cli.demo.store import KINDS, StoreServer
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory


@pytest.mark.parametrize(("kind", "words"), [
    ("etcd3", {"/d/etcd", "http://127.0.0.1:1", "http://127.0.0.1:2", "demo=http://127.0.0.1:2"}),
    ("etcd", {"/d/etcd", "--enable-v2"}),
    ("consul", {"/d/consul", "-client=127.0.0.1", "-bind=127.0.0.1", "1", "2", "3", "4"}),
])
def test_a_server_listens_on_the_loopback_and_keeps_its_data_in_the_demos_directory(kind: str, words: set[str]) -> None:
    server = StoreServer(kind, "/bin/program", tuple(range(1, KINDS[kind][1] + 1)))
    arguments = server.arguments("/d")
    assert arguments[0] == "/bin/program" and words <= set(arguments)
    assert server.section == {kind: {"host": "127.0.0.1:1"}}


def test_only_the_old_api_is_switched_on_where_it_is_wanted() -> None:
    assert "--enable-v2" not in StoreServer("etcd3", "etcd", (1, 2)).arguments("/d")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_store_that_can_be_opened(kind: str) -> None:
    factory.open_store(StoreSection(kind, StoreServer(kind, "x", (1,)).section[kind], scope="demo"), SystemClock()).close()
