"""Verbs ↔ `Cluster`: the one place that joins keys with the codec. Knows no backend.

Every write is answered Applied or Rejected, or raises as the store's law says; which writes compare with the revision
that was read is the matrix of dcs.md 5. Nothing here repeats a write. Source: dcs.md 2 to 5.
"""

from collections.abc import Callable, Mapping

from pgctl.dcs import keys
from pgctl.dcs.store import ABSENT, Applied, Item, Rejected, Snapshot, Store
from pgctl.model import codec
from pgctl.model import settings as settings_table
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.events import Journal
from pgctl.model.history import Claim, History
from pgctl.model.intent import Intent
from pgctl.model.member import Member
from pgctl.model.settings import Settings
from pgctl.model.sync import SyncState
from pgctl.units import Seconds

Answer = Applied | Rejected


class ClusterStore:
    """One cluster in one store. Keeps the last readable settings: an unreadable document leaves them in force.

    `settings` count until there is a `/config`: those of a cluster that is yet to be made.
    """

    def __init__(self, store: Store, scope: str, settings: Settings | None = None) -> None:
        self._store = store
        self._scope = scope
        self._text: str | None = None
        self._settings = settings
        self._remarks: tuple[str, ...] = ()
        self.revision = Revision(0)
        """Where a watch may continue after the last reading."""
        self.notes: tuple[str, ...] = ()
        """What the last reading found wrong in the settings and in other documents, in words."""

    def read(self, *, budget: Seconds) -> Cluster:
        """The cluster at one instant; a malformed document is read as far as it makes sense, never an error.

        Raises StoreUnreachable.
        """
        snapshot = self._store.snapshot(budget=budget)
        text = _value(snapshot, keys.CONFIG)
        config = None if text is None else codec.read_config(text)
        if self._settings is None or text != self._text:
            self._read_settings(text, config)
        assert self._settings is not None
        self.notes, self.revision = (*self._remarks, *malformed(snapshot)), snapshot.revision
        return cluster(self._scope, snapshot, self._settings, config)

    def _read_settings(self, text: str | None, config: Mapping[str, object] | None) -> None:
        self._settings, self._remarks = settings_table.read(config, previous=self._settings)
        if text is not None and config is None:
            unusable = "the stored configuration is no JSON object: the last settings stay in force"
            self._remarks = (*self._remarks, unusable)
        self._text = text

    # --- the lease ---

    def hold_leader(self, name: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
                    budget: Seconds) -> Answer:
        """Creates the leader key under my lease, if it is absent and every key of `guard` is at its revision."""
        return self._store.hold(keys.LEADER, name, ttl=ttl, guard=guard, budget=budget)

    def reclaim_leader(self, name: str, revision: Revision, *, ttl: Seconds, budget: Seconds) -> Answer:
        """Puts a leader key that names me, left by an earlier life of this agent, on my present lease."""
        return self._store.put(keys.LEADER, name, expect=revision, leased=True, ttl=ttl, budget=budget)

    def renew(self, ttl: Seconds, *, budget: Seconds) -> Answer:
        """Extends my lease, with the keys on it."""
        return self._store.renew(ttl=ttl, budget=budget)

    def release_leader(self, revision: Revision, *, budget: Seconds) -> Answer:
        """Deletes the leader key, if it is still the one seen."""
        return self._store.delete(keys.LEADER, expect=revision, budget=budget)

    def write_member(self, member: Member, *, ttl: Seconds, budget: Seconds) -> Answer:
        """The member's own key, on its lease."""
        return self._store.put(keys.member(member.name), codec.write_member(member), leased=True, ttl=ttl, budget=budget)

    # --- the cluster's documents ---

    def write_status(self, status: Status, *, budget: Seconds) -> Answer:
        return self._store.put(keys.STATUS, codec.write_status(status), budget=budget)

    def write_claim(self, claim: Claim, *, expect: Revision, budget: Seconds) -> Answer:
        """The claim to a timeline; always compared, for that is what makes it one."""
        return self._store.put(keys.PROMOTION, codec.write_claim(claim), expect=expect, budget=budget)

    def write_history(self, history: History, *, budget: Seconds) -> Answer:
        return self._store.put(keys.HISTORY, codec.write_history(history), budget=budget)

    def write_failsafe(self, members: Mapping[str, str], *, expect: Revision, budget: Seconds) -> Answer:
        return self._store.put(keys.FAILSAFE, codec.write_failsafe(members), expect=expect, budget=budget)

    def write_journal(self, journal: Journal, *, expect: Revision, budget: Seconds) -> Answer:
        """The event journal; compared, so that a leader that was replaced meanwhile does not undo its successor's."""
        return self._store.put(keys.EVENTS, codec.write_journal(journal), expect=expect, budget=budget)

    def write_config(self, document: Mapping[str, object], *, expect: Revision | None = None,
                     budget: Seconds) -> Answer:
        return self._store.put(keys.CONFIG, codec.write_config(document), expect=expect, budget=budget)

    def write_sync(self, sync: SyncState, *, expect: Revision, budget: Seconds) -> Answer:
        """The synchronous state; one that is not active removes the key (dcs.md 3.9)."""
        if sync.active:
            return self._store.put(keys.SYNC, codec.write_sync(sync), expect=expect, budget=budget)
        if expect == ABSENT:
            return Applied(ABSENT)
        return self._store.delete(keys.SYNC, expect=expect, budget=budget)

    def write_intent(self, intent: Intent | None, *, expect: Revision | None = None, budget: Seconds) -> Answer:
        """The wish in `failover`; None clears it by writing `{}`, for peers never delete that key."""
        return self._store.put(keys.FAILOVER, codec.write_intent(intent), expect=expect, budget=budget)

    def write_initialize(self, value: str, *, expect: Revision, budget: Seconds) -> Answer:
        return self._store.put(keys.INITIALIZE, value, expect=expect, budget=budget)

    def delete_initialize(self, *, expect: Revision | None = None, budget: Seconds) -> Answer:
        return self._store.delete(keys.INITIALIZE, expect=expect, budget=budget)

    def remove_cluster(self, *, budget: Seconds) -> int:
        """Deletes every key under the cluster's path; how many there were.

        One after another, `initialize` last: a removal cut short never looks like a cluster that was never there. Each
        step may take the whole budget; it may be repeated.
        """
        found = self._store.snapshot(budget=budget).items
        for key in sorted(found, key=lambda key: (key == keys.INITIALIZE, key)):
            self._store.delete(key, budget=budget)
        return len(found)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        """As the store's `watch`."""
        self._store.watch(since, changed, budget=budget)

    def close(self) -> None:
        self._store.close()


def cluster(scope: str, snapshot: Snapshot, settings: Settings, config: Mapping[str, object] | None) -> Cluster:
    """The values of a snapshot. Pure."""
    items = snapshot.items
    history, sync = _value(snapshot, keys.HISTORY), _value(snapshot, keys.SYNC)
    intent, failsafe = _value(snapshot, keys.FAILOVER), _value(snapshot, keys.FAILSAFE)
    claim = _value(snapshot, keys.PROMOTION)
    initialize, journal = _value(snapshot, keys.INITIALIZE), _value(snapshot, keys.EVENTS)
    named = ((keys.member_name(key), item.value) for key, item in sorted(items.items()))
    return Cluster(
        scope,
        leader=_leader(items.get(keys.LEADER)),
        members=tuple(codec.read_member(name, value) for name, value in named if name is not None),
        initialize=None if initialize is None else codec.read_initialize(initialize),
        settings=settings,
        config=config,
        status=_status(snapshot),
        sync=SyncState() if sync is None else codec.read_sync(sync),
        intent=None if intent is None else codec.read_intent(intent),
        claim=Claim() if claim is None else codec.read_claim(claim),
        history=History() if history is None else codec.read_history(history),
        failsafe=None if failsafe is None else codec.read_failsafe(failsafe),
        journal=Journal() if journal is None else codec.read_journal(journal),
        revisions={key: item.revision for key, item in items.items()},
    )


def malformed(snapshot: Snapshot) -> tuple[str, ...]:
    """A sentence for each document that cannot be what it was meant to be, and is read as far as it makes sense. Pure."""
    kinds = {keys.STATUS: codec.is_status, keys.HISTORY: codec.is_list, keys.EVENTS: codec.is_object,
             keys.SYNC: codec.is_object, keys.FAILSAFE: codec.is_object, keys.FAILOVER: codec.is_intent,
             keys.INITIALIZE: codec.is_identifier}
    found = []
    for key, item in sorted(snapshot.items.items()):
        fits = codec.is_object if keys.member_name(key) else kinds.get(key)
        if fits is not None and not fits(item.value):
            found.append(f'the key "{key}" holds no document that it may hold, and is read as empty')
    return tuple(found)


def _value(snapshot: Snapshot, key: str) -> str | None:
    item = snapshot.items.get(key)
    return None if item is None else item.value


def _leader(item: Item | None) -> Leader | None:
    """The owner is who the value names; `mine` is a matter of the lease and not of the name (dcs.md 3.1)."""
    name = None if item is None else codec.read_leader(item.value)
    return None if item is None or name is None else Leader(name, item.revision, item.mine)


def _status(snapshot: Snapshot) -> Status:
    """`status`; only where that key is absent, what members before 2.1.0 left in `optime/leader`."""
    status, optime = _value(snapshot, keys.STATUS), _value(snapshot, keys.OPTIME)
    if status is not None:
        return codec.read_status(status)
    return Status() if optime is None else codec.read_optime(optime)
