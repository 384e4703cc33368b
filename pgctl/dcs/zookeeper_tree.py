"""The cluster's keys as a tree of ZooKeeper nodes: one reading of it, and the paths of keys. Writes nothing.

Nodes are read one by one, but sent for together, after a `sync` that brings the server up to date; the keys that are not
members' are then looked at once more, and all is read again when one has changed meanwhile: so their values belong to
one instant. A node without a value that has others below it, or may have, is a directory and no key.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from pgctl.dcs import keys
from pgctl.dcs.zookeeper_session import Session
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant

_TIMES = 5
_DIRECTORIES = frozenset({"", "members", "optime"})


class Node(NamedTuple):
    """A key as read. `revision` is the transaction that last changed it, `version` what ZooKeeper compares."""

    value: str
    revision: Revision
    version: int
    owner: int


class Reading(NamedTuple):
    """All keys; `revision`: every change that is not in it has a later one.

    `removed`: when something was last removed from a directory, where nothing was added since.
    """

    nodes: dict[str, Node]
    revision: Revision
    removed: Revision


Watch = Callable[[Any], None]


def node_of(data: bytes, stat: Any) -> Node:
    return Node(data.decode("utf-8", "replace"), Revision(stat.mzxid), stat.version, stat.ephemeralOwner)


def read(session: Session, base: str, end: Instant, watch: Watch) -> Reading:
    """The tree below `base`; `watch` is called once at the next change of each node or directory."""
    for _ in range(_TIMES):
        session.read(lambda client: client.sync_async(base), end)
        at = Revision(session.seen)
        found = _once(session, base, end, watch)
        watched = [key for key in found.nodes if keys.member_name(key) is None]
        again = session.read_all([partial(_exists, path=f"{base}/{key}") for key in watched], end)
        if all(stat is not None and stat.mzxid == found.nodes[key].revision
               for key, stat in zip(watched, again, strict=True)):
            return found._replace(revision=at)
    raise StoreUnreachable("ZooKeeper is too busy", detail="the cluster's keys changed while they were read")


def _once(session: Session, base: str, end: Instant, watch: Watch) -> Reading:
    nodes: dict[str, Node] = {}
    edited: set[int] = set()
    made: set[int] = set()
    level = [base]
    while level:
        got = session.read_all([partial(_get, path=path, watch=watch) for path in level], end)
        there = [(path, *answer) for path, answer in zip(level, got, strict=True) if not isinstance(answer, Exception)]
        parents = []
        for path, data, stat in there:
            key = path[len(base) + 1:]
            edited.add(stat.pzxid)
            made.add(stat.czxid)
            if stat.numChildren or key in _DIRECTORIES:
                parents.append(path)
            if data or not (stat.numChildren or key in _DIRECTORIES):
                nodes[key] = node_of(data, stat)
        listed = session.read_all([partial(_children, path=path, watch=watch) for path in parents], end)
        level = [f"{path}/{child}" for path, children in zip(parents, listed, strict=True)
                 if not isinstance(children, Exception) for child in children]
    if not made:
        session.read(partial(_exists, path=base, watch=watch), end)
    return Reading(nodes, Revision(0), Revision(max(edited - made, default=0)))


def _get(client: Any, path: str, watch: Watch) -> Any:
    return client.get_async(path, watch=watch)


def _children(client: Any, path: str, watch: Watch) -> Any:
    return client.get_children_async(path, watch=watch)


def _exists(client: Any, path: str, watch: Watch | None = None) -> Any:
    return client.exists_async(path, watch=watch)
