"""A namespace of a Kubernetes API server, with stores and pods in it, for the tests of what only Kubernetes does."""

import json
import uuid
from collections.abc import Mapping

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.units import Seconds
from tests.contract import services_kubernetes
from tests.contract.services_kubernetes import KubeApi

SOON = Seconds(10)
TTL = Seconds(30)
CLOCK = SystemClock()
LABELS = {**services_kubernetes.LABELS, "cluster-name": "prod"}
RUNNING = json.dumps({"state": "running", "role": "replica"})


class Lab:
    """A namespace of its own, and stores of one cluster in it."""

    def __init__(self, server: KubeApi) -> None:
        self.server = server
        self.namespace = server.namespace(f"n{uuid.uuid4().hex}")
        self.path = f"/api/v1/namespaces/{self.namespace}"
        self._opened: list[Store] = []

    def open(self, member: str = "", *, port: int = 0, token: str = "admin", **options: object) -> Store:
        kubeconfig = self.server.kubeconfig(port or self.server.port, token)
        known = {"namespace": self.namespace, "labels": services_kubernetes.LABELS, "kubeconfig": kubeconfig}
        return self.keep(factory.open_store(StoreSection("kubernetes", {**known, **options}, "x", "prod", member), CLOCK))

    def keep(self, store: Store) -> Store:
        self._opened.append(store)
        return store

    def pod(self, name: str, address: str = "") -> None:
        self.server.pod(self.namespace, name, LABELS, address)

    def labels(self, pod: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self.server.ask("GET", f"{self.path}/pods/{pod}")["metadata"]["labels"]
        return {name: value for name, value in found.items() if name not in LABELS}

    def notes(self, name: str, resource: str = "configmaps") -> Mapping[str, str]:
        found: Mapping[str, str] = self.server.ask("GET", f"{self.path}/{resource}/{name}")["metadata"]["annotations"]
        return found

    def close(self) -> None:
        for store in self._opened:
            store.close()


def applied(answer: Applied | Rejected) -> Applied:
    assert isinstance(answer, Applied), answer
    return answer


def values(store: Store) -> Mapping[str, str]:
    return {key: item.value for key, item in store.snapshot(budget=SOON).items.items()}
