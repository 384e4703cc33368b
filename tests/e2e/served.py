"""A cluster on any store that has a server: the one that the contract suite starts, from the same table."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from pgctl.cli.demo import files
from pgctl.cli.demo.look import Window
from tests.contract.launchers import LAUNCHERS, Server
from tests.e2e.cluster import Cluster


class ServedCluster(Cluster):
    """Three members on a store of that kind. `server` may be frozen, killed and started again."""

    def __init__(self, directory: str, kind: str, server: Server) -> None:
        super().__init__(directory)
        launcher = LAUNCHERS[kind]
        options = {**launcher.options(server, server.port), **launcher.apart(server, "e2e")}
        self.kind = kind
        self.server_of_store = server
        self.plan = replace(self.plan, outside={kind: options})
        self.window = Window(self.plan, self.clock)
        files.write_all(self.plan)
        if launcher.admit is not None:
            for name in self.names:
                launcher.admit(server, options, self.plan.scope, name)


@contextmanager
def served(directory: Path, kind: str) -> Iterator[ServedCluster]:
    """A healthy cluster with its store; both end with it. Skips the test where the store's programs are missing."""
    with ExitStack() as stack:
        (directory / "store").mkdir()
        server = stack.enter_context(LAUNCHERS[kind].serve(directory / "store"))
        cluster = ServedCluster(str(directory / "cluster"), kind, server)
        stack.callback(cluster.stop)
        cluster.start()
        yield cluster
