"""Kubernetes as the store, over its REST API: the cluster's keys are annotations of ConfigMaps or Endpoints and of pods.

They are laid out as Patroni members have them, so that both kinds share a cluster (dcs.md 6.5). All of the cluster's keys
but its members' are on objects of one kind, so that one list is one consistent reading of them; members are read after
it. Nothing expires by itself: `kubernetes_lease` has the law by which the lead is kept, `kubernetes_book` the proof.

The pod of this member carries labels that say what it is (`role=primary`), by which a Service finds it. They are written
with its document, and put right at each renewal of the lease.
"""

import contextlib
from collections.abc import Callable, Mapping

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import keys, kubernetes_labels, kubernetes_options
from pgctl.dcs import kubernetes_layout as layouts
from pgctl.dcs.kubernetes_book import KubernetesBook
from pgctl.dcs.kubernetes_client import KubernetesClient
from pgctl.dcs.kubernetes_labels import Labels
from pgctl.dcs.kubernetes_layout import Layout, Spot, Thing
from pgctl.dcs.kubernetes_lease import KubernetesLease
from pgctl.dcs.kubernetes_objects import Change, KubernetesObjects
from pgctl.dcs.kubernetes_options import Choice
from pgctl.dcs.kubernetes_stamps import Stamps
from pgctl.dcs.kubernetes_watch import KubernetesWatch
from pgctl.dcs.store import ABSENT, Applied, Item, Rejected, Snapshot
from pgctl.errors import PgctlError
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds

_LABELS_WITHIN = Seconds(1.0)


def open_store(section: StoreSection, clock: Clock) -> "KubernetesStore":
    """Raises ConfigError for wrong options, or when no way to the API server is known. Nothing is asked yet."""
    choice = kubernetes_options.choice(section)
    return KubernetesStore(KubernetesClient(section.options, clock), choice, section.member, clock)


class KubernetesStore:
    """One cluster in Kubernetes; the verbs are those of `store.Store`."""

    def __init__(self, client: KubernetesClient, choice: Choice, member: str, clock: Clock) -> None:
        """`member` is this process's own: the name of its pod."""
        self._client = client
        self._choice = choice
        self._layout: Layout = choice.layout
        self._member = member
        self._address = choice.pod_ip
        self._clock = clock
        self._book = KubernetesBook(self._layout)
        self._stamps = Stamps(member, clock)
        self._objects = KubernetesObjects(client, self._layout, self._book, clock)
        self._lease = KubernetesLease(self._objects, self._layout, self._book, self._stamps, clock, self._subsets)
        self._watch = KubernetesWatch(client, self._layout, self._book, clock)

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        end = Instant(self._clock.now() + budget)
        versions = [self._objects.look_all(resource, end) for resource in (self._layout.resource, "pods")]
        lease = self._lease.alive()
        items = {key: Item(part.value, revision, self._lease.mine(key, part, lease))
                 for key, (part, revision) in self._book.entries(self._clock.now()).items()}
        return Snapshot(items, Revision(min(versions)))

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        check = None if expect is None else self._compared(key, expect)
        if not leased:
            change = Change(layouts.written(key, value, self._stamps.token()), self._labels(key, value))
            return self._outcome(key, self._write(key, change, check, Instant(self._clock.now() + budget)))
        with self._lease.turn(budget) as end:
            lease = self._lease.current(ttl)
            if layouts.leasable(key):
                done = self._outcome(key, self._lease.attach(key, value, lease, check, end))
            else:
                change = Change(layouts.written(key, value, lease.token), self._labels(key, value))
                done = self._outcome(key, self._write(key, change, check, end))
        return done._replace(deadline=lease.deadline) if isinstance(done, Applied) else done

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        if expect == ABSENT:
            return Rejected(f"{key} does not exist")
        end = Instant(self._clock.now() + budget)
        change = self._lease.release(key, layouts.written(key, None, ""))
        if expect is None and self._objects.look(self._layout.spot(key), end) is None:
            self._lease.drop(key)
            return Applied(Revision(self._book.highest(self._layout.resource)))
        done = self._outcome(key, self._write(key, change, None if expect is None else self._compared(key, expect), end))
        if isinstance(done, Applied):
            self._lease.drop(key)
        return done

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        return self._lease.hold(key, value, ttl, guard or {}, budget)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        end = self._clock.now() + budget
        done = self._lease.renew(ttl, budget)
        if isinstance(done, Applied) and self._member:
            self._put_labels_right(Seconds(min(end - self._clock.now(), _LABELS_WITHIN)))
        return done

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        self._watch.run(since, changed, budget)

    def close(self) -> None:
        self._watch.close()
        self._client.close()

    def _write(self, key: str, change: Change, check: Callable[[Thing | None], Rejected | Revision] | None,
               end: Instant) -> Thing | Rejected:
        if check is None:
            return self._objects.overwrite(key, change, end)
        return self._objects.change(key, check, lambda thing, seen: change, end)

    def _compared(self, key: str, expect: Revision) -> Callable[[Thing | None], Rejected | Revision]:
        """Whether the key, on an object that the book has seen, is at that revision."""
        def check(thing: Thing | None) -> Rejected | Revision:
            found = self._book.entry(key, self._clock.now())
            if (found.revision if found.part else ABSENT) == expect:
                return expect
            return Rejected(f"{key} does not exist" if found.part is None else
                            f"{key} has changed" if expect else f"{key} exists")

        return check

    def _outcome(self, key: str, done: Thing | Rejected) -> Applied | Rejected:
        """With the revision that the key has for this process: a key put again on its lease is the one it was."""
        if isinstance(done, Rejected):
            return done
        part, entry = self._layout.parts(done).get(key), self._book.entry(key, self._clock.now())
        same = part is not None and entry.part is not None and part.identity == entry.part.identity
        return Applied(entry.revision if same else Revision(done.version))

    def _subsets(self, key: str, end: Instant) -> list[object] | None:
        """What the leader's Endpoints say of this pod; None where there are none, or its address is not known yet."""
        if not self._layout.endpoints or key != keys.LEADER or not self._member:
            return None
        self._address = self._address or self._objects.address_of(self._member, end)
        return [{"addresses": [{"ip": self._address}], "ports": list(self._choice.ports)}] if self._address else None

    def _labels(self, key: str, document: str) -> Labels | None:
        """The labels of this member's own pod, with its document."""
        if not self._member or key != keys.member(self._member):
            return None
        leads = self._lease.holds(keys.LEADER) == self._member
        return kubernetes_labels.wanted(self._choice.names, document, leads=leads)

    def _put_labels_right(self, budget: Seconds) -> None:
        """By what was last read of the pod; what fails is done at the next renewal."""
        spot = Spot("pods", self._member)
        pod = self._book.thing(spot)
        if pod is None or "status" not in pod.notes or budget <= 0:
            return
        wish = self._labels(keys.member(self._member), pod.notes["status"])
        if wish and kubernetes_labels.differ(pod.labels, wish):
            with contextlib.suppress(PgctlError):
                self._objects.write(spot, Change({}, wish), Instant(self._clock.now() + budget))
