"""The stores under contract: each test gets a fresh cluster in each of them."""

import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.inproc import InprocStore, Universe
from pgctl.dcs.store import Store
from tests.contract import services_kubernetes
from tests.contract.kube_lab import Lab
from tests.contract.kube_proxy import Between, between
from tests.contract.launchers import EVERY, Server
from tests.contract.proxy import Proxy, proxy
from tests.contract.services import Etcd, wait_for
from tests.contract.services_kubernetes import Admitting, KubeApi

CLOCK = SystemClock()


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
    member: str = "n\u00f6de 1"
    """The oddest name that a member may have."""
    members_expire: bool = True
    """Whether a member's key hangs on its lease."""

    def open(self, scope: str | None = None) -> Store:
        store = self.make(scope or self.scope)
        self.opened.append(store)
        return store

    def close(self) -> None:
        for store in self.opened:
            store.close()


@dataclass
class Frail:
    """A cluster on a server that the test may harm, and a proxy before it."""

    kind: str
    server: Server
    proxy: Proxy
    direct: Place
    """Stores opened here speak to the server itself,"""
    distant: Place
    """and here through the proxy."""


class Servers:
    """One running server for each kind, started when it is first asked for."""

    def __init__(self, stack: ExitStack, factory: pytest.TempPathFactory) -> None:
        self._stack = stack
        self._factory = factory
        self._running: dict[str, Server] = {}

    def get(self, kind: str) -> Server:
        if kind not in self._running:
            serving = EVERY[kind].serve(self._factory.mktemp(kind))
            self._running[kind] = self._stack.enter_context(serving)
        return self._running[kind]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that no test may harm."""
    with ExitStack() as stack:
        yield Servers(stack, tmp_path_factory)


@pytest.fixture(scope="session")
def frail_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers to be harmed: each test finds them healthy."""
    with ExitStack() as stack:
        yield Servers(stack, tmp_path_factory)


@pytest.fixture(scope="session")
def etcd_node(servers: Servers) -> Etcd:
    node = servers.get("etcd3")
    assert isinstance(node, Etcd)
    return node


SERVED = [pytest.param(name, marks=pytest.mark.slow) if name == "etcd on 3.5" else name for name in EVERY]


@pytest.fixture(params=["inproc", "sqlite", *SERVED])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = _place(request.param, request, tmp_path)
    yield found
    found.close()


@pytest.fixture(params=SERVED)
def frail(request: pytest.FixtureRequest, frail_servers: Servers) -> Iterator[Frail]:
    server = frail_servers.get(request.param)
    scope = uuid.uuid4().hex
    with proxy(server.port) as between:
        found = Frail(request.param, server, between, served(request.param, server, server.port, scope),
                      served(request.param, server, between.port, scope))
        yield found
        found.direct.close()
        found.distant.close()
    server.signal(signal.SIGCONT)
    if not server.healthy():
        server.kill()
        server.start()
    wait_for(server.healthy, within=60, what=f"{request.param} to be well again")


def _place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind == "inproc":
        universes: dict[str, Universe] = {}
        return Place(kind, lambda scope: InprocStore(universes.setdefault(scope, Universe(CLOCK)), "m", CLOCK), 0.3)
    if kind == "sqlite":
        return placed(StoreSection(kind, {"path": str(tmp_path / "store")}, f"test-{uuid.uuid4().hex}", "prod"), 0.5)
    server = request.getfixturevalue("servers").get(kind)
    return served(kind, server, server.port, uuid.uuid4().hex)


def served(kind: str, server: Server, port: int, name: str) -> Place:
    """A cluster of that name on a server, reached at that port."""
    launcher = EVERY[kind]
    options = {**launcher.options(server, port), **launcher.apart(server, name)}
    found = placed(StoreSection(launcher.kind or kind, options, f"test-{name}", "prod"), launcher.slack)
    bare, admit = found.make, launcher.admit

    def make(scope: str) -> Store:
        return Admitting(bare(scope), partial(admit, server, options, scope)) if admit else bare(scope)

    return replace(found, make=make, member=launcher.member, members_expire=launcher.members_expire)


def placed(section: StoreSection, slack: float) -> Place:
    def make(scope: str) -> Store:
        return factory.open_store(StoreSection(section.kind, section.options, section.namespace, scope), CLOCK)

    return Place(section.kind, make, slack, section)


@pytest.fixture
def lab(servers: Servers) -> Iterator[Lab]:
    server = servers.get("kubernetes")
    assert isinstance(server, KubeApi)
    found = Lab(server)
    yield found
    found.close()


@pytest.fixture
def middle(lab: Lab) -> Iterator[Between]:
    with between(lab.server) as found:
        yield found


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Lab]:
    """On a server that the test may maltreat, where rights are looked at."""
    with services_kubernetes.kubernetes(tmp_path, "--authorization-mode=RBAC") as server:
        found = Lab(server)
        yield found
        found.close()
