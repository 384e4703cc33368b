"""The stores under contract that have a server: a row for each, and nothing else knows them by name.

To add a store: a class with the methods of `Server` beside its programs in a `services*.py`, and a row here. Every test
of test_contract_store.py and of test_contract_faults.py then runs on it. What only that store can do, or suffer, is in
its own file.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals
from typing import Protocol

from tests.contract import services, services_consul, services_kubernetes, services_zookeeper
from tests.contract.services_kubernetes import KubeApi


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
    apart: Callable[[Server, str], Mapping[str, object]] = lambda server, name: {}
    """Further options that keep clusters of that name to themselves, where the section's namespace does not."""
    admit: Callable[[Server, Mapping[str, object], str, str], None] | None = None
    """Does for a member what its surroundings would have done before it writes itself: (server, options, scope, name)."""
    member: str = "n\u00f6de 1"
    """The oddest name that a member may have."""
    members_expire: bool = True
    """Whether a member's key hangs on its lease."""
    greets: bool = False
    """Whether the server must speak before a request can be sent, as with TLS: then a frozen one was sent nothing."""
    kind: str = ""
    """That of the section, where it is not the name of the row."""


@contextmanager
def _etcd(directory: Path) -> Iterator[Server]:
    with services.etcd(directory) as (node,):
        yield node


@contextmanager
def _etcd2(directory: Path) -> Iterator[Server]:
    with services.etcd(directory, 1, "--enable-v2=true") as (node,):
        yield node


@contextmanager
def _newer_etcd(directory: Path) -> Iterator[Server]:
    with services.etcd(directory, 1, "--enable-v2=true", program=services.newer_etcd_program()) as (node,):
        yield node


@contextmanager
def _consul(directory: Path) -> Iterator[Server]:
    with services_consul.consul(directory) as server:
        yield server


@contextmanager
def _kubernetes(directory: Path) -> Iterator[Server]:
    with services_kubernetes.kubernetes(directory) as server:
        yield server


def _kube_options(server: Server, port: int) -> Mapping[str, object]:
    assert isinstance(server, KubeApi)
    return {"kubeconfig": server.kubeconfig(port), "labels": services_kubernetes.LABELS}


def _kube_namespace(server: Server, name: str) -> Mapping[str, object]:
    assert isinstance(server, KubeApi)
    return {"namespace": server.namespace(name) if server.healthy() else name}


def _pod(server: Server, options: Mapping[str, object], scope: str, member: str) -> None:
    assert isinstance(server, KubeApi)
    server.pod(str(options["namespace"]), member, {**services_kubernetes.LABELS, "cluster-name": scope})


@contextmanager
def _zookeeper(directory: Path) -> Iterator[Server]:
    with services_zookeeper.zookeeper(directory) as server:
        yield server


LAUNCHERS: Mapping[str, Launcher] = {
    # As a proxy's: else it would learn from the server where the server itself is.
    "etcd3": Launcher(_etcd, lambda server, port: {"hosts": [f"127.0.0.1:{port}"], "use_proxies": True}, 2.5),
    "etcd": Launcher(_etcd2, lambda server, port: {"hosts": [f"127.0.0.1:{port}"], "use_proxies": True}, 2.0),
    "kubernetes": Launcher(_kubernetes, _kube_options, 1.0, _kube_namespace, _pod, "node-1.a", members_expire=False,
                           greets=True),
    "consul": Launcher(_consul, lambda server, port: {"host": f"127.0.0.1:{port}"}, 1.5),
    "zookeeper": Launcher(_zookeeper, lambda server, port: {"hosts": [f"127.0.0.1:{port}"]}, 1.5, greets=True),
}
"""By the kind of the section."""
NEWER: Mapping[str, Launcher] = {
    "etcd3 on 3.5": replace(LAUNCHERS["etcd3"], serve=_newer_etcd, kind="etcd3"),
    "etcd on 3.5": replace(LAUNCHERS["etcd"], serve=_newer_etcd, kind="etcd"),
}
"""Other versions of the same servers, for the contract alone."""
EVERY: Mapping[str, Launcher] = {**LAUNCHERS, **NEWER}
