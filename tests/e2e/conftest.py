"""Clusters for the end-to-end tests: one for each store, built when first asked for, shared while it heals."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import cluster as clusters
from tests.e2e.cluster import Cluster

Build = Callable[..., Cluster]


STORES = [pytest.param(name, marks=pytest.mark.store(name)) for name in ("sqlite", "etcd3")]


@pytest.fixture(params=STORES)
def each_store(request: pytest.FixtureRequest) -> str:
    """Runs a test once on each store; `pytest.mark.usefixtures("each_store")` for a whole file."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cluster]]:
    """Running clusters by store."""
    known: dict[str, Cluster] = {}
    yield known
    for one in known.values():
        one.stop()


def _store(request: pytest.FixtureRequest) -> str:
    """The store that the test's marker `store(name)` asks for."""
    marker = request.node.get_closest_marker("store")
    return str(marker.args[0]) if marker else "sqlite"


def _skip_unless_possible(dcs: str) -> None:
    reason = clusters.why_not(dcs)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, shared: dict[str, Cluster],
            tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A healthy cluster of three. The same one as before, if it is healthy again; a test may leave it hurt."""
    dcs = _store(request)
    _skip_unless_possible(dcs)
    if dcs in shared:
        try:
            shared[dcs].heal()
        except AssertionError:
            shared.pop(dcs).stop()
    if dcs not in shared:
        shared[dcs] = Cluster(str(tmp_path_factory.mktemp(dcs)), dcs=dcs)
        shared[dcs].start()
    return shared[dcs]


@pytest.fixture
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    """Makes a cluster of the test's own, not started; it is stopped afterwards."""
    dcs = _store(request)
    _skip_unless_possible(dcs)
    with ExitStack() as stack:
        def make(**arguments: object) -> Cluster:
            made = Cluster(str(tmp_path / "cluster"), dcs=dcs, **arguments)  # type: ignore[arg-type]
            stack.callback(made.stop)
            return made

        yield make
