"""etcd 3 over its JSON gateway: the default store. Knows no key by name, and no document.

One lease for a process, on its member key and, if it leads, on the leader key, as Patroni members have it: both kinds
share a cluster (dcs.md 6.2). `hold` compares absence and guards in one transaction. Its lease is extended in a request
before that, so that the deadline it answers is a whole ttl.
"""

from collections.abc import Callable, Mapping

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import etcd3_wire as wire
from pgctl.dcs import etcd_access, keys
from pgctl.dcs.etcd3_client import Etcd3Client
from pgctl.dcs.etcd3_lease import Etcd3Lease, Lease
from pgctl.dcs.etcd3_watch import Etcd3Watch
from pgctl.dcs.etcd3_wire import Document, Meaning, Refusal
from pgctl.dcs.store import ABSENT, Applied, Item, Rejected, Snapshot
from pgctl.endpoints import Finder
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds


def open_store(section: StoreSection, clock: Clock, find: Finder | None = None) -> "Etcd3Store":
    """`find` where DNS tells where etcd is. Raises ConfigError for wrong options. Nothing is asked yet."""
    client = Etcd3Client(etcd_access.access("etcd3", section.options), clock, find)
    return Etcd3Store(client, keys.base_path(section.namespace, section.scope), clock)


class Etcd3Store:
    """One cluster in etcd; the verbs are those of `store.Store`."""

    def __init__(self, client: Etcd3Client, base: str, clock: Clock) -> None:
        self._client = client
        self._base = base + "/"
        self._clock = clock
        self._lease = Etcd3Lease(client, clock)
        self._watch = Etcd3Watch(client, self._base, clock)

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        try:
            reply = self._client.call("/kv/range", wire.below(self._base), budget=budget, repeatable=True)
        except Refusal as error:
            raise StoreUnreachable("etcd refused", detail=error.detail) from error
        mine = self._lease.numbers
        items = {row.key[len(self._base):]: Item(row.value, row.revision, row.lease in mine)
                 for row in wire.key_values(reply)}
        return Snapshot(items, wire.header_revision(reply))

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        path = self._base + key
        compare = [] if expect is None else [wire.is_at(path, expect)]
        if not leased:
            body = wire.transaction(compare, {"request_put": wire.put_body(path, value)}, path)
            return _outcome(key, expect, self._change(body, Instant(self._clock.now() + budget)))

        def attach(lease: Lease, end: Instant) -> Applied | Rejected:
            body = wire.transaction(compare, {"request_put": wire.put_body(path, value, lease.number)}, path)
            done = _outcome(key, expect, self._change(body, end))
            return done._replace(deadline=lease.deadline) if isinstance(done, Applied) else done

        return self._attached(path, lambda end: self._lease.current(ttl, end), attach, budget)

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        if expect == ABSENT:
            return Rejected(f"{key} does not exist")
        path = self._base + key
        compare = [] if expect is None else [wire.is_at(path, expect)]
        body = wire.transaction(compare, {"request_delete_range": {"key": wire.b64(path)}}, path)
        return _outcome(key, expect, self._change(body, Instant(self._clock.now() + budget)))

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        path = self._base + key
        compare = [wire.is_at(path, ABSENT)]
        compare += [wire.is_at(self._base + name, revision) for name, revision in (guard or {}).items()]

        def attach(lease: Lease, end: Instant) -> Applied | Rejected:
            body = wire.transaction(compare, {"request_put": wire.put_body(path, value, lease.number)}, path)
            reply = self._change(body, end)
            if reply.get("succeeded"):
                return Applied(wire.header_revision(reply), lease.deadline)
            found = wire.found_instead(reply)
            if found and found.value == value and found.lease in self._lease.numbers:
                return Applied(found.revision, lease.deadline)
            return Rejected(f"{key} is held by {found.value}" if found else "what was read has changed since")

        return self._attached(path, lambda end: self._lease.extended(ttl, end), attach, budget)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        return self._lease.renew(ttl, budget)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        self._watch.run(since, changed, budget)

    def close(self) -> None:
        self._watch.close()
        self._client.close()

    def _attached(self, path: str, lease: Callable[[Instant], Lease],
                  attach: Callable[[Lease, Instant], Applied | Rejected], budget: Seconds) -> Applied | Rejected:
        """What `attach` answers with a lease that etcd knows; one that has ended is replaced, once."""
        with self._lease.attaching(budget) as end:
            for _ in range(2):
                found = lease(end)
                self._lease.carries(path)
                try:
                    return attach(found, end)
                except Refusal:
                    self._lease.lost(found)
        raise StoreUnreachable("etcd lost a lease it had just granted")

    def _change(self, body: Document, end: Instant) -> Document:
        """A transaction, sent once. Raises StoreUnreachable, OutcomeUnknown; Refusal only when its lease is gone."""
        try:
            return self._client.call("/kv/txn", body, budget=Seconds(end - self._clock.now()), repeatable=False)
        except Refusal as error:
            if error.meaning is Meaning.LEASE_GONE:
                raise
            raise StoreUnreachable("etcd refused", detail=error.detail) from error


def _outcome(key: str, expect: Revision | None, reply: Document) -> Applied | Rejected:
    """Of a transaction that compared `key` with `expect`."""
    if reply.get("succeeded"):
        return Applied(wire.header_revision(reply))
    found = wire.found_instead(reply)
    return Rejected(f"{key} does not exist" if found is None else f"{key} has changed" if expect else f"{key} exists")
