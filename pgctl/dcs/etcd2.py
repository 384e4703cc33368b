"""etcd's v2 API: keys with a ttl of their own. For clusters that are still there; a new one wants `etcd3`.

Law: nobody else holds a key of mine before the deadline that I was given, on two conditions that only an operator can
keep (below). What nobody answered for is not believed.

Theory. v2 has neither leases nor transactions over several keys.

1. *Time.* A ttl is whole seconds, rounded up. The server that is asked turns it into an instant of its wall clock, and
   etcd's leader removes the key when its own wall clock says so, looked at twice a second: so late by half a second, and,
   from before the request was sent, never early, if the servers' clocks agree and do not jump. That is the first
   condition: their skew must stay below the fence's margin (`ttl / 6`, 1 to 5 s). v3 counts on monotonic clocks.
2. *Several keys, one lease* is what `etcd2_lease` pretends: it refreshes all, in its own order, and believes in the one
   that ends first.
3. *Comparing.* v2 compares with the index of the last change, which every refresh moves. A key that expires is therefore
   known to the others by the index at which it was made: of which life it is. A comparison that fails is looked at once
   more: a refresh is no change.
4. *Guards.* `hold` checks them, creates the key, and checks them again: it gives the key back if one has changed. Until
   then others may see a leader that never was; they do nothing about it but wait. If the second look fails, the outcome
   is unknown, and the first look is all there was.
5. *Names.* Nothing tells one process from another but what is written. Two members of one name at one time are the second
   condition: the agent's guard against a second one of its name is needed more here than elsewhere.
"""

import math
from collections.abc import Callable, Mapping

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import etcd_access, keys
from pgctl.dcs.etcd2_client import Etcd2Client, Failed, Node
from pgctl.dcs.etcd2_lease import Etcd2Lease
from pgctl.dcs.etcd2_watch import Etcd2Watch
from pgctl.dcs.store import ABSENT, Applied, Item, Rejected, Snapshot
from pgctl.endpoints import Finder
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_TRIES = 4
"""Of a comparison, between which refreshes may come."""

Write = Callable[[Revision | None], Node | Failed]
"""A write on condition that the key's last change is at that index (0: it does not exist; None: whatever it is)."""


def open_store(section: StoreSection, clock: Clock, find: Finder | None = None) -> "Etcd2Store":
    """`find` where DNS tells where etcd is. Raises ConfigError for wrong options. Nothing is asked yet."""
    client = Etcd2Client(etcd_access.access("etcd", section.options), clock, find)
    return Etcd2Store(client, keys.base_path(section.namespace, section.scope), clock)


class Etcd2Store:
    """One cluster in etcd v2; the verbs are those of `store.Store`."""

    def __init__(self, client: Etcd2Client, base: str, clock: Clock) -> None:
        self._client = client
        self._base = base
        self._clock = clock
        self._lease = Etcd2Lease(client, clock)
        self._watch = Etcd2Watch(client, base, clock)

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        found = self._client.tree(self._base, end=self._end(budget))
        items = {node.key.removeprefix(f"{self._base}/"): Item(node.value, node.revision, self._lease.mine(node))
                 for node in found.nodes}
        return Snapshot(items, found.revision)

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        path = f"{self._base}/{key}"
        if not leased:
            end = self._end(budget)
            return self._compared(key, expect, lambda index: self._client.write(path, value, end=end, **_if(index)), end)
        with self._lease.attaching(budget) as end:
            left = self._lease.begin(ttl)
            held = expect is not None and expect != ABSENT
            with self._lease.making(path, value, held=held):
                done = self._compared(
                    key, expect, lambda index: self._client.write(path, value, end=end, ttl=left, **_if(index)), end, held)
        return done._replace(deadline=self._lease.deadline) if isinstance(done, Applied) else done

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        if expect == ABSENT:
            return Rejected(f"{key} does not exist")
        path, end = f"{self._base}/{key}", self._end(budget)

        def delete(index: Revision | None) -> Node | Failed:
            found = self._client.delete(path, end=end, **_if(index))
            gone = isinstance(found, Failed) and found.absent and expect is None
            return Node(path, "", Revision(0), Revision(0), False) if gone else found

        done = self._compared(key, expect, delete, end)
        if isinstance(done, Applied):
            self._lease.drops(path)
        return done

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        """The guards are checked just before and once more after: see the theory."""
        path = f"{self._base}/{key}"
        with self._lease.attaching(budget) as end:
            self._lease.extend(ttl, end)
            if guard and self._client.node(path, end=end) is None and not self._guarded(guard, end):
                return Rejected("what was read has changed since")
            with self._lease.making(path, value, held=True):
                made = self._client.write(path, value, end=end, ttl=math.ceil(ttl), **_if(ABSENT))
            if isinstance(made, Failed):
                return self._again(key, path, value, ttl, end)
            self._lease.carries(made, held=True)
            if guard and not self._still(guard, made, end):
                return Rejected("what was read has changed since")
            return Applied(made.revision, self._lease.deadline)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        return self._lease.renew(ttl, budget)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        self._watch.run(since, changed, budget)

    def close(self) -> None:
        self._watch.close()
        self._client.close()

    def _end(self, budget: Seconds) -> Instant:
        return Instant(self._clock.now() + budget)

    def _compared(self, key: str, expect: Revision | None, write: Write, end: Instant,
                  held: bool | None = None) -> Applied | Rejected:
        """What became of a write that compares `key` with `expect`; one that succeeded is noted unless `held` is None."""
        index = expect
        for _ in range(_TRIES):
            answer = write(index)
            if not isinstance(answer, Failed):
                if held is not None:
                    self._lease.carries(answer, held=held)
                return Applied(answer.revision)
            found = None if answer.absent or not expect else self._client.node(f"{self._base}/{key}", end=end)
            if found is None or found.revision != expect:
                break
            index = found.modified
        else:
            raise StoreUnreachable(f"{key} is refreshed too often to be compared")
        absent = answer.absent or bool(expect) and found is None
        return Rejected(f"{key} does not exist" if absent else f"{key} has changed" if expect else f"{key} exists")

    def _again(self, key: str, path: str, value: str, ttl: Seconds, end: Instant) -> Applied | Rejected:
        """Of a key that exists: mine already, and then it is refreshed, or somebody's."""
        found = self._client.node(path, end=end)
        if found is None:
            return Rejected(f"{key} was held until now")
        if found.value != value or not self._lease.mine(found):
            return Rejected(f"{key} is held by {found.value}")
        self._lease.extend(ttl, end)
        return Applied(found.revision, self._lease.deadline)

    def _guarded(self, guard: Mapping[str, Revision], end: Instant) -> bool:
        found = {node.key: node.revision for node in self._client.tree(self._base, end=end).nodes}
        return all(found.get(f"{self._base}/{name}", ABSENT) == revision for name, revision in guard.items())

    def _still(self, guard: Mapping[str, Revision], made: Node, end: Instant) -> bool:
        """Whether the guards hold now that the key is mine; else it is given back. Raises OutcomeUnknown."""
        try:
            if self._guarded(guard, end):
                return True
            self._client.delete(made.key, end=end, prevIndex=made.modified)
        except StoreUnreachable as error:
            raise OutcomeUnknown("etcd gave no answer after a write", detail=str(error)) from error
        self._lease.drops(made.key)
        return False


def _if(index: Revision | None) -> dict[str, object]:
    if index is None:
        return {}
    return {"prevIndex": index} if index else {"prevExist": False}
