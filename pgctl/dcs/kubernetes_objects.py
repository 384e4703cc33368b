"""Objects in the Kubernetes API: read, listed, and changed by comparing their version. Knows no lease.

Law. A change that compares is sent on the version at which its condition was checked; the server refuses it (409) when
the object has any other version, and then it was certainly not applied, so that the object is read again, the condition
is checked again, and only then it is sent again. What has not been answered is never sent again.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from pgctl.clock import Clock
from pgctl.dcs import kubernetes_client
from pgctl.dcs.kubernetes_book import KubernetesBook
from pgctl.dcs.kubernetes_client import Document, KubernetesClient, Refusal
from pgctl.dcs.kubernetes_layout import Layout, Spot, Thing
from pgctl.dcs.store import Rejected
from pgctl.errors import StoreUnreachable
from pgctl.units import Instant, Seconds

_MOST = 20
"""Times that others may be faster before we say that the store is too busy."""

T = TypeVar("T")


class Change(NamedTuple):
    """What to write on an object; None takes an annotation or label away. `subsets` are those of Endpoints."""

    notes: Mapping[str, str | None]
    labels: Mapping[str, str | None] | None = None
    subsets: list[object] | None = None


class KubernetesObjects:
    """Of one cluster. All that is read goes into the book."""

    def __init__(self, client: KubernetesClient, layout: Layout, book: KubernetesBook, clock: Clock) -> None:
        self._client = client
        self._layout = layout
        self._book = book
        self._clock = clock

    def look(self, spot: Spot, end: Instant) -> Thing | None:
        """The object as it is now; None when it does not exist. Raises StoreUnreachable."""
        try:
            found = self._client.call("GET", self._path(spot), budget=self._left(end), repeatable=True)
        except Refusal as error:
            if error.code != 404:
                raise refused(error) from error
            self._book.gone(spot, self._book.highest(spot.resource))
            return None
        return self._see(found, spot.resource)

    def look_all(self, resource: str, end: Instant) -> int:
        """Reads all objects of the cluster of that resource; the version of the list. Raises StoreUnreachable."""
        floor = self._book.highest(resource)
        try:
            found = self._client.call("GET", self._path(Spot(resource, "")), query={"labelSelector": self._layout.selector},
                                      accept=kubernetes_client.LIST, budget=self._left(end), repeatable=True)
        except Refusal as error:
            raise refused(error) from error
        version = _number(_mapping(found.get("metadata")).get("resourceVersion"))
        if version < floor:  # it sees all that was written before it was asked for, unless another store is answering
            self._book.forget()
        items = found.get("items")
        things = (thing_of(_mapping(item), resource) for item in (items if isinstance(items, list) else []))
        self._book.see_all(resource, things, version, self._clock.now())
        return version

    def write(self, spot: Spot, change: Change, end: Instant, *, version: int | None = None,
              repeatable: bool = False) -> Thing:
        """Changes an object that exists. Raises Refusal (404, 409), StoreUnreachable, OutcomeUnknown."""
        metadata: dict[str, object] = {"annotations": dict(change.notes)}
        labels = {} if spot.resource == "pods" else dict(self._layout.own_labels)
        if found := {**labels, **(change.labels or {})}:
            metadata["labels"] = found
        if version is not None:
            metadata["resourceVersion"] = str(version)
        body = {"metadata": metadata, **({} if change.subsets is None else {"subsets": change.subsets})}
        return self._see(self._client.call("PATCH", self._path(spot), body=body, budget=self._left(end),
                                           repeatable=repeatable), spot.resource)

    def create(self, spot: Spot, change: Change, end: Instant) -> Thing:
        """Makes an object. Raises Refusal (409: it exists), StoreUnreachable, OutcomeUnknown."""
        if spot.resource == "pods":
            raise StoreUnreachable(f'there is no pod "{spot.name}" in namespace {self._client.namespace}',
                                   hint="On Kubernetes a member is called like the pod it runs in.")
        notes = {name: value for name, value in change.notes.items() if value is not None}
        body: dict[str, object] = {
            "apiVersion": "v1", "kind": "Endpoints" if spot.resource == "endpoints" else "ConfigMap",
            "metadata": {"name": spot.name, "labels": dict(self._layout.own_labels), "annotations": notes},
        }
        if change.subsets:
            body["subsets"] = change.subsets
        if spot.resource == "endpoints" and spot.name.endswith("-config"):
            self._keep_endpoints(spot.name, end)
        path = self._path(Spot(spot.resource, ""))
        try:
            made = self._client.call("POST", path, body=body, budget=self._left(end), repeatable=False)
        except Refusal as error:
            if error.code == 404:
                raise StoreUnreachable("Kubernetes refused", detail=error.detail,
                                       hint="Make the namespace, or name another in kubernetes.namespace.") from error
            raise
        return self._see(made, spot.resource)

    def change(self, key: str, check: Callable[[Thing | None], Rejected | T], make: Callable[[Thing | None, T], Change],
               end: Instant, *, repeatable: bool = False) -> Thing | Rejected:
        """Writes what `make` gives for the object that `check` found good. Raises StoreUnreachable, OutcomeUnknown.

        What is in the book will do for a first try: if it is old, the server or the second look says so.
        """
        spot = self._layout.spot(key)
        thing, fresh = self._book.thing(spot), False
        for _ in range(_MOST):
            found = check(thing) if fresh or thing is not None else Rejected("")
            if isinstance(found, Rejected):
                if fresh:
                    return found
                thing, fresh = self.look(spot, end), True
                continue
            try:
                if thing is None:
                    return self.create(spot, make(None, found), end)
                return self.write(spot, make(thing, found), end, version=thing.version, repeatable=repeatable)
            except Refusal as error:
                if error.code not in (404, 409):
                    raise refused(error) from error
                before, thing, fresh = thing, self.look(spot, end), True
                if thing is not None and thing == before:
                    raise StoreUnreachable("Kubernetes is behind", detail=f"it shows a {spot.name} of the past") from error
        raise StoreUnreachable("Kubernetes is too busy", detail=f"others wrote {spot.name} each time before us")

    def overwrite(self, key: str, change: Change, end: Instant) -> Thing:
        """Writes whatever is there. Raises StoreUnreachable, OutcomeUnknown."""
        spot = self._layout.spot(key)
        for _ in range(_MOST):
            try:
                return self.write(spot, change, end)
            except Refusal as error:
                if error.code != 404:
                    raise refused(error) from error
            try:
                return self.create(spot, change, end)
            except Refusal as error:
                if error.code != 409:
                    raise refused(error) from error
        raise StoreUnreachable("Kubernetes is too busy", detail=f"others make and remove {spot.name}")

    def address_of(self, pod: str, end: Instant) -> str:
        """The address that a pod reports; empty while it has none. Raises StoreUnreachable."""
        try:
            found = self._client.call("GET", self._path(Spot("pods", pod)), accept="application/json",
                                      budget=self._left(end), repeatable=True)
        except Refusal as error:
            raise refused(error) from error
        return str(_mapping(found.get("status")).get("podIP") or "")

    def _keep_endpoints(self, name: str, end: Instant) -> None:
        """A Service of the same name, or the control plane would remove the Endpoints that hold the settings."""
        body = {"apiVersion": "v1", "kind": "Service", "spec": {"clusterIP": "None"},
                "metadata": {"name": name, "labels": dict(self._layout.own_labels)}}
        try:
            self._client.call("POST", self._path(Spot("services", "")), body=body, budget=self._left(end), repeatable=True)
        except (Refusal, StoreUnreachable):
            return  # it exists, or we have not the right to make it: then somebody else has to

    def _see(self, document: Document, resource: str) -> Thing:
        thing = thing_of(document, resource)
        self._book.see(thing, self._clock.now())
        return thing

    def _path(self, spot: Spot) -> str:
        below = f"/{quote(spot.name, safe='')}" if spot.name else ""
        return f"/api/v1/namespaces/{self._client.namespace}/{spot.resource}{below}"

    def _left(self, end: Instant) -> Seconds:
        return Seconds(end - self._clock.now())


def refused(error: Refusal) -> StoreUnreachable:
    return StoreUnreachable("Kubernetes refused", detail=error.detail)


def thing_of(document: Document, resource: str) -> Thing:
    """An object, or what is left of it in an answer about metadata only."""
    metadata = _mapping(document.get("metadata"))
    return Thing(Spot(resource, str(metadata.get("name"))), _number(metadata.get("resourceVersion")),
                 _texts(metadata.get("annotations")), _texts(metadata.get("labels")))


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> Mapping[str, str]:
    return {name: str(text) for name, text in _mapping(value).items()}


def _number(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdigit() else 0
