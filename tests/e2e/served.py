"""A cluster on any store that has a server: the one that the contract suite starts, from the same table."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pgctl.cli.demo import files
from pgctl.cli.demo.look import Window
from tests.contract.launchers import LAUNCHERS, Server
from tests.e2e.cluster import QUICK, Cluster


@dataclass(frozen=True)
class Outside:
    """A store that somebody else keeps, of that kind: its server, and the options of its section, apart from others'."""

    kind: str
    server: Server
    options: Mapping[str, object]

    def take(self, cluster: Cluster) -> None:
        """Has a cluster that is not yet started use this store, and lets its members in."""
        cluster.plan = replace(cluster.plan, outside={self.kind: dict(self.options)})
        cluster.window = Window(cluster.plan, cluster.clock)
        files.write_all(cluster.plan)
        admit = LAUNCHERS[self.kind].admit
        if admit is not None:
            for name in cluster.names:
                admit(self.server, dict(self.options), cluster.plan.scope, name)


@contextmanager
def outside(directory: Path, kind: str, name: str, more: Mapping[str, object]) -> Iterator[Outside]:
    """A store that is served meanwhile; what lies in it is under `name`. Skips the test where its programs are missing."""
    directory.mkdir()
    launcher = LAUNCHERS[kind]
    with launcher.serve(directory) as server:
        yield Outside(kind, server, {**launcher.options(server, server.port), **launcher.apart(server, name), **more})


class ServedCluster(Cluster):
    """Members on a store of that kind. `server_of_store` may be frozen, killed and started again."""

    def __init__(self, directory: str, store: Outside, *, nodes: int = 3, settings: Mapping[str, object] = QUICK) -> None:
        super().__init__(directory, nodes=nodes, settings=settings)
        self.kind = store.kind
        self.server_of_store = store.server
        store.take(self)


@contextmanager
def served(directory: Path, kind: str, more: Mapping[str, object]) -> Iterator[ServedCluster]:
    """A healthy cluster with its store, whose section has `more` options; both end with it."""
    with (outside(directory / "store", kind, "e2e", more) as store,
          ServedCluster(str(directory / "cluster"), store).running() as cluster):
        yield cluster
