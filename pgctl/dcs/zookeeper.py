"""ZooKeeper over kazoo, 3.5 or later. Knows no key by name, and no document.

Two sessions: one for reading, watching and for keys that hang on no lease, and that of the lease (`zookeeper_lease`),
which its holder's renewals alone keep alive. Keys, ephemeral nodes and their owners are Patroni's, so that both kinds of
members share a cluster (dcs.md 6.4). A key's revision is the transaction that last changed it (mzxid); what ZooKeeper
compares is the version of a node, which is read just before. `hold` compares its guards in one transaction with the
making of the key; that a guarded key is absent is compared by making and removing it there.

Weak place: versions begin anew with each life of a node. A key that is removed and made again by another, between the
look at it and the write that compares, cannot be told from the one seen. Nobody removes keys but a cluster's removal, a
bootstrap that failed, and the end of synchronous mode.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import keys, zookeeper_lease, zookeeper_options
from pgctl.dcs.store import ABSENT, Applied, Item, Rejected, Snapshot
from pgctl.dcs.zookeeper_lease import Lease, ZookeeperLease
from pgctl.dcs.zookeeper_session import BadVersion, NoNode, NotEmpty, Session
from pgctl.dcs.zookeeper_watch import ZookeeperWatch
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_READER = Seconds(10.0)
_MOST = 20
_CHANGED = Rejected("what was read has changed since")


def open_store(section: StoreSection, clock: Clock) -> "ZookeeperStore":
    """Raises ConfigError for wrong options. Nothing is asked yet."""
    options = zookeeper_options.arguments(section.options)
    return ZookeeperStore(options, keys.base_path(section.namespace, section.scope), clock)


class ZookeeperStore:
    """One cluster in ZooKeeper; the verbs are those of `store.Store`."""

    def __init__(self, options: Mapping[str, Any], base: str, clock: Clock) -> None:
        self._options = options
        self._base = base
        self._clock = clock
        self._opening = threading.Lock()
        self._session: Session | None = None
        self._lease = ZookeeperLease(options, clock)
        self._watch = ZookeeperWatch(self._reader, base, clock)

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        found = self._watch.read(self._end(budget))
        mine = self._lease.ids()
        items = {key: Item(node.value, node.revision, node.owner in mine) for key, node in found.nodes.items()}
        return Snapshot(items, found.revision)

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        path = self._path(key)
        if not leased:
            return self._put(key, value, expect, self._end(budget))
        with self._lease.turn(budget) as end:
            lease = self._lease.current(ttl, end)
            self._lease.carries(path)
            done = self._attach(key, value, expect, lease, end)
        return done._replace(deadline=lease.deadline) if isinstance(done, Applied) else done

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        if expect == ABSENT:
            return Rejected(f"{key} does not exist")
        end = self._end(budget)
        node = zookeeper_lease.look(self._reader(), self._path(key), end)
        if node is None:
            return Applied(Revision(self._reader().seen)) if expect is None else Rejected(f"{key} does not exist")
        if expect is not None and node.revision != expect:
            return Rejected(f"{key} has changed")
        version = -1 if expect is None else node.version
        try:
            self._reader().write(lambda client: client.delete_async(self._path(key), version), end)
        except NoNode:
            return Applied(Revision(self._reader().seen)) if expect is None else Rejected(f"{key} does not exist")
        except NotEmpty:  # others stand below it: it stays as their directory
            return self._put(key, "", None, end)
        except BadVersion:
            return Rejected(f"{key} has changed")
        return Applied(Revision(self._reader().seen))

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        path = self._path(key)
        with self._lease.turn(budget) as end:
            lease = self._lease.extended(ttl, end)
            self._lease.carries(path)
            session = lease.session
            node = zookeeper_lease.look(session, path, end)
            if node is not None:
                mine = node.owner in self._lease.ids() and node.value == value
                return Applied(node.revision, lease.deadline) if mine else Rejected(f"{key} is held by {node.value}")
            versions: dict[str, int | None] = {}
            for name, at in (guard or {}).items():
                found = zookeeper_lease.look(session, self._path(name), end)
                if (found.revision if found else ABSENT) != at:
                    return _CHANGED
                versions[self._path(name)] = found.version if found else None
            self._prepare([path, *(name for name, version in versions.items() if version is None)], session, end)
            answers = session.write(partial(_take, path=path, value=value, versions=versions), end)
            if any(isinstance(each, Exception) for each in answers):
                other = zookeeper_lease.look(session, path, end)
                return Rejected(f"{key} is held by {other.value}") if other else _CHANGED
            return Applied(Revision(answers[-1].mzxid), lease.deadline)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        return self._lease.renew(ttl, budget)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        self._watch.run(since, changed, budget)

    def close(self) -> None:
        self._watch.close()
        self._lease.close()
        with self._opening:
            if self._session is not None:
                self._session.leave()

    def _reader(self) -> Session:
        with self._opening:
            if self._session is None:
                self._session = Session(self._options, _READER, self._clock, again=True)
                self._session.on_change = self._watch.wake
            return self._session

    def _path(self, key: str) -> str:
        return f"{self._base}/{key}"

    def _end(self, budget: Seconds) -> Instant:
        return Instant(self._clock.now() + budget)

    def _put(self, key: str, value: str, expect: Revision | None, end: Instant) -> Applied | Rejected:
        """A key that stays."""
        session, path = self._reader(), self._path(key)
        for _ in range(_MOST):
            node = None if expect in (None, ABSENT) else zookeeper_lease.look(session, path, end)
            if expect not in (None, ABSENT) and (node is None or node.revision != expect):
                return Rejected(f"{key} has changed" if node else f"{key} does not exist")
            if expect != ABSENT:
                version = -1 if node is None else node.version
                try:
                    stat = session.write(partial(_set, path=path, value=value, version=version), end)
                except BadVersion:
                    return Rejected(f"{key} has changed")
                except NoNode:
                    if expect is not None:
                        return Rejected(f"{key} does not exist")
                else:
                    return Applied(Revision(stat.mzxid))
            if stat := zookeeper_lease.made(session, path, value, end, ephemeral=False):
                return Applied(Revision(stat.mzxid))
            if expect == ABSENT:
                return Rejected(f"{key} exists")
        raise StoreUnreachable("ZooKeeper is too busy", detail=f"others make and remove {key}")

    def _attach(self, key: str, value: str, expect: Revision | None, lease: Lease, end: Instant) -> Applied | Rejected:
        """A key on the lease: made, or made anew when it hangs on nothing or on another's."""
        session, path = lease.session, self._path(key)
        for _ in range(_MOST):
            node = zookeeper_lease.look(session, path, end)
            if expect is not None and (node.revision if node else ABSENT) != expect:
                return Rejected(f"{key} does not exist" if node is None else
                                f"{key} has changed" if expect else f"{key} exists")
            if node is None:
                if stat := zookeeper_lease.made(session, path, value, end, ephemeral=True):
                    return Applied(Revision(stat.mzxid))
            elif node.owner == session.id:
                try:
                    stat = session.write(partial(_set, path=path, value=value, version=node.version), end)
                except (BadVersion, NoNode):
                    continue
                return Applied(Revision(stat.mzxid))
            else:
                answers = zookeeper_lease.replace(session, path, value, node.version, end)
                if not any(isinstance(each, Exception) for each in answers):
                    return Applied(Revision(answers[-1].mzxid))
        raise StoreUnreachable("ZooKeeper is too busy", detail=f"others wrote {key} each time before us")

    def _prepare(self, paths: list[str], session: Session, end: Instant) -> None:
        """The directories above these paths: a transaction makes none."""
        for parent in sorted({path.rpartition("/")[0] for path in paths}):
            if zookeeper_lease.look(session, parent, end) is None:
                zookeeper_lease.made(session, parent, "", end, ephemeral=False)


def _set(client: Any, path: str, value: str, version: int) -> Any:
    return client.set_async(path, value.encode(), version)


def _take(client: Any, path: str, value: str, versions: Mapping[str, int | None]) -> Any:
    """The transaction of `hold`."""
    transaction = client.transaction()
    for name, version in versions.items():
        if version is None:
            transaction.create(name, b"")
            transaction.delete(name)
        else:
            transaction.check(name, version)
    zookeeper_lease.attach(transaction, path, value)
    return transaction.commit_async()
