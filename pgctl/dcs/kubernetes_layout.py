"""Where each key lives in Kubernetes, and how a value is spelt there. Pure: opens nothing, knows no clock.

Keys are annotations, as Patroni has them (dcs.md 6.5): those of the cluster on objects of one kind, ConfigMaps or
Endpoints, those of members on their pods. A document of Patroni's that is spread over several annotations (`status`,
`sync`, `failover`) is put together again for reading. A key that Patroni does not know has an object of its own.

Each write of ours leaves a stamp, `pgctl/<key>`, that no other write has: so a write is never one that changes nothing
(for which Kubernetes would keep the version as it was), a key made anew is not the one seen before, and an empty
document is told from none. Members that leave no stamp are read as well: what they write differs in its text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pgctl.dcs import keys

Notes = Mapping[str, str]
"""Annotations of one object, by name."""

_DOCUMENTS: Mapping[str, tuple[str, ...]] = {
    keys.STATUS: ("optime", "slots", "retain_slots"),
    keys.SYNC: ("leader", "sync_standby", "quorum"),
    keys.FAILOVER: ("leader", "member", "scheduled_at"),
}
"""Keys whose fields are annotations of their own."""
_BY = "by"
"""Who ordered a switchover: left out here. Peers would not take such an annotation away with the others, and it would then
be said of the next order, too."""
_NUMBERS = frozenset({"optime", "quorum"})
_TREES = frozenset({"slots", "retain_slots"})
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "leader": (keys.LEADER, keys.STATUS, keys.FAILSAFE),
    "config": (keys.CONFIG, keys.INITIALIZE, keys.HISTORY),
    "sync": (keys.SYNC,),
    "failover": (keys.FAILOVER,),
}
"""Suffix of an object's name → the keys on it."""
_HOME = {key: suffix for suffix, found in _TOGETHER.items() for key in found}
_OWN = "pgctl/"
_KEY = f"{_OWN}key"
RECORD = ("ttl", "acquireTime", "renewTime", "transitions")
"""The annotations that say how a leased key is held; beside them stands who holds it."""


class Spot(NamedTuple):
    """One object: its resource (`pods`, `configmaps`, `endpoints`) and its name."""

    resource: str
    name: str


@dataclass(frozen=True, slots=True)
class Thing:
    """An object as read; `version` is its resourceVersion, a number as every Kubernetes on etcd has it."""

    spot: Spot
    version: int
    notes: Notes
    labels: Notes


class Part(NamedTuple):
    """One key on a thing. Two parts with the same `identity` are the same write; `record` changes with each renewal."""

    value: str
    identity: tuple[str, ...]
    stamp: str
    record: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Of one cluster; with an empty `scope` of all that the labels choose."""

    scope: str
    endpoints: bool
    labels: Notes
    scope_label: str

    @property
    def resource(self) -> str:
        return "endpoints" if self.endpoints else "configmaps"

    @property
    def selector(self) -> str:
        """For listing and watching."""
        return ",".join(f"{name}={value}" for name, value in sorted(self.own_labels.items()))

    @property
    def own_labels(self) -> Notes:
        """Those of every object of this cluster."""
        return {**self.labels, **({self.scope_label: self.scope} if self.scope else {})}

    def spot(self, key: str) -> Spot:
        if (member := keys.member_name(key)) is not None:
            return Spot("pods", member)
        suffix = _HOME.get(key) or re.sub("[^a-z0-9.]+", "-", key.lower())
        return Spot(self.resource, self._base if suffix == "leader" and self.endpoints else f"{self._base}-{suffix}")

    @property
    def _base(self) -> str:
        return self.scope.replace("/", "-")

    def parts(self, thing: Thing) -> Mapping[str, Part]:
        """The keys on a thing, as they are called below the cluster's path."""
        if thing.spot.resource == "pods":
            text = thing.notes.get("status")
            found = {} if text is None else {keys.member(thing.spot.name): _part(thing.notes, "member", text)}
        else:
            found = {key: part for key in self.keys(thing) if (part := _read(thing.notes, key)) is not None}
        if self.scope:
            return found
        return {f"{thing.labels.get(self.scope_label, '')}/{key}": part for key, part in found.items()}

    def keys(self, thing: Thing) -> tuple[str, ...]:
        """The keys that may stand on an object of the cluster."""
        scope = self._base or thing.labels.get(self.scope_label, "").replace("/", "-")
        if thing.spot.name == scope:
            return _TOGETHER["leader"]
        found = _TOGETHER.get(thing.spot.name.removeprefix(f"{scope}-"))
        own = thing.notes.get(_KEY)
        return found or ((own,) if own else ())


def written(key: str, value: str | None, stamp: str) -> dict[str, str | None]:
    """Annotations that make `key` hold `value`, or with None be absent; None takes an annotation away.

    A key that can be leased is made one that hangs on no lease; but of one that is taken away the record stays, as
    Patroni leaves it: who holds it next counts on from there.
    """
    if keys.member_name(key) is not None:
        return {"status": value, f"{_OWN}member": None if value is None else stamp}
    ours: dict[str, str | None] = {f"{_OWN}{_short(key)}": None if value is None else stamp}
    if key not in _DOCUMENTS:
        own: dict[str, str | None] = {} if key in _HOME else {_KEY: key}
        free = NO_RECORD if value is not None and leasable(key) else {}
        return {**ours, **own, **free, _short(key): value}
    fields: dict[str, str | None] = dict.fromkeys(_DOCUMENTS[key])
    document = _spread(value, _DOCUMENTS[key])
    text = value if document is None else None  # a text that is no such document is kept whole
    return {**ours, f"{_OWN}{key}.text": text, **fields, **(document or {})}


def record(ttl: int, acquired: str, renewed: str, transitions: int) -> dict[str, str | None]:
    """The annotations that say how a leased key is held. Times are for people: nobody compares them with a clock."""
    return dict(zip(RECORD, (str(ttl), acquired, renewed, str(transitions)), strict=True))


NO_RECORD: Mapping[str, str | None] = dict.fromkeys(RECORD)
"""Of a key that hangs on no lease."""


def leasable(key: str) -> bool:
    """Members are not: their keys last as long as their pods. Nor is what shares an object with others."""
    return key == keys.LEADER or key not in _HOME and keys.member_name(key) is None


def holder(notes: Notes, key: str) -> str | None:
    """Whom the object names as the holder of a key, whether or not the lease is over."""
    return notes.get(_short(key))


def transitions(notes: Notes) -> int:
    text = notes.get("transitions", "")
    return int(text) if text.isdigit() else 0


def _short(key: str) -> str:
    return key if key in _HOME else "value"


def _part(notes: Notes, name: str, value: str, rest: tuple[str, ...] = (), held: tuple[str, ...] = ()) -> Part:
    stamp = notes.get(f"{_OWN}{name}", "")
    return Part(value, (value, stamp, *rest), stamp, held)


def _read(notes: Notes, key: str) -> Part | None:
    if key in _DOCUMENTS:
        fields = {name: notes[name] for name in _DOCUMENTS[key] if name in notes}
        text = notes.get(f"{_OWN}{key}.text")
        if fields or text is None:
            found = {name: _field(name, value) for name, value in fields.items()}
            text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
        return _part(notes, key, text) if fields or f"{_OWN}{key}" in notes else None
    value = notes.get(_short(key))
    if value is None:
        return None
    if not leasable(key) or key != keys.LEADER and "renewTime" not in notes:
        return _part(notes, _short(key), value)
    held = tuple(notes.get(name, "") for name in RECORD)
    return _part(notes, _short(key), value, (notes.get("acquireTime", ""), notes.get("transitions", "")), (value, *held))


def _spread(value: str | None, names: tuple[str, ...]) -> dict[str, str | None] | None:
    """The fields of a document as texts; None when it is none of these fields alone, or when there is no value."""
    try:
        found = json.loads(value) if value is not None else None
    except ValueError:
        return None
    if not isinstance(found, dict) or not set(found) <= {*names, _BY}:
        return None
    return {name: _text(inner) for name, inner in found.items() if name != _BY}


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _field(name: str, text: str) -> object:
    """Patroni's numbers and trees are texts here; what cannot be read stays a text, for the codec to judge."""
    try:
        if name in _NUMBERS:
            return int(text)
        return json.loads(text) if name in _TREES else text
    except ValueError:
        return text
