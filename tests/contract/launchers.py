"""The stores under contract that have a server: a row for each, and nothing else knows them by name.

To add a store: a class with the methods of `Server` beside its programs in a `services*.py`, and a row here. Every test
of test_contract_store.py and of test_contract_faults.py then runs on it. What only that store can do, or suffer, is in
its own file.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Protocol

from tests.contract import services


class Server(Protocol):
    """One server of a store, alone, with its data: tests freeze it, kill it, and start it again."""

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1: a proxy may stand before it."""

    def start(self) -> None:
        """Starts it, with the data it had. Does not wait."""

    def kill(self) -> None:
        """kill -9, if it runs."""

    def signal(self, number: Signals) -> None:
        """To all processes of it."""

    def healthy(self) -> bool:
        """Whether it serves readings and writes; within about a second."""


@dataclass(frozen=True)
class Launcher:
    """How a store comes to a test."""

    serve: Callable[[Path], AbstractContextManager[Server]]
    """Starts a server with its files in that directory, yields it healthy, and ends it. Skips the test, with the
    command that would help, where the programs are missing."""
    options: Callable[[Server, int], Mapping[str, object]]
    """The options of the configuration's section to reach the server at that port of 127.0.0.1: its own, or a proxy's."""
    slack: float
    """Seconds after its deadline within which a lease must have ended for everyone."""


@contextmanager
def _etcd(directory: Path) -> Iterator[Server]:
    with services.etcd(directory) as (node,):
        yield node


LAUNCHERS: Mapping[str, Launcher] = {
    # As a proxy's: else it would learn from the server where the server itself is.
    "etcd3": Launcher(_etcd, lambda server, port: {"hosts": [f"127.0.0.1:{port}"], "use_proxies": True}, 2.5),
}
"""By the kind of the section."""
