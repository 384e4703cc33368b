"""The stores under contract: each test gets a fresh cluster in each of them."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.inproc import InprocStore, Universe
from pgctl.dcs.store import Store
from tests.contract import services
from tests.contract.services import Etcd


@dataclass
class Place:
    """Where a cluster is kept. `open` gives a new store object: another process, as far as the store can tell."""

    kind: str
    make: Callable[[str], Store]
    slack: float
    """Seconds after its deadline within which a lease must have ended."""
    section: StoreSection | None = None
    scope: str = "prod"
    opened: list[Store] = field(default_factory=list)

    def open(self, scope: str | None = None) -> Store:
        store = self.make(scope or self.scope)
        self.opened.append(store)
        return store


@pytest.fixture(scope="session")
def etcd_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with services.etcd(tmp_path_factory.mktemp("etcd")) as (node,):
        yield node


@pytest.fixture(params=["inproc", "sqlite", "etcd3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = _place(request.param, request, tmp_path)
    yield found
    for store in found.opened:
        store.close()


def _place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    clock = SystemClock()
    if kind == "inproc":
        universes: dict[str, Universe] = {}
        return Place(kind, lambda scope: InprocStore(universes.setdefault(scope, Universe(clock)), "m", clock), 0.3)
    if kind == "sqlite":
        options: dict[str, object] = {"path": str(tmp_path / "store")}
    else:
        options = {"hosts": [request.getfixturevalue("etcd_node").url]}
    section = StoreSection(kind, options, namespace=f"test-{uuid.uuid4().hex}", scope="prod")

    def make(scope: str) -> Store:
        return factory.open_store(StoreSection(kind, options, namespace=section.namespace, scope=scope), clock)

    return Place(kind, make, 0.5 if kind == "sqlite" else 2.5, section)
