"""Laws of synchronous replication: `/sync`, synchronous_standby_names, and who may be promoted. Source: ha.md 3, 7.1."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pgctl.model import sync as law_of_overlap
from pgctl.model.sync import SyncState
from tests.sim import sync_names_model
from tests.sim.checks.law import HELD, PRIORITY, SYNCHRONOUS, Law, Seen, Watch, watched
from tests.sim.modes import Mode
from tests.sim.record import Closed, Event, KeySet, NamesSet, Opened, Record, SyncSet
from tests.sim.sync_names_model import SyncNames


@dataclass
class State:
    """`/sync` and the names in force on each server, after an event."""

    sync: SyncState = SyncState()
    names: dict[str, SyncNames] = field(default_factory=dict)

    def of(self, member: str) -> SyncNames:
        return self.names.get(member, SyncNames())


def states(record: Record) -> Iterator[tuple[Event, Watch, State]]:
    state = State()
    for event, now in watched(record):
        if isinstance(event, SyncSet):
            state.sync = event.sync
        if isinstance(event, NamesSet):
            state.names[event.member] = sync_names_model.parse(event.text)
        if isinstance(event, SyncSet | NamesSet | Opened | Closed | KeySet):
            yield event, now, state


def promoted_from_sync(record: Record) -> Seen:
    """Who takes the key as a standby was leader or standby in `/sync` then; but by a manual failover that names it."""
    for event in record.events:
        if not isinstance(event, KeySet) or event.holder is None or event.phase != "standby" or not event.sync.active:
            continue
        if event.sync.lists(event.holder):
            yield HELD
        elif event.named != event.holder:
            yield f"at {event.at:.3f} {event.holder} takes the key, and is not in {event.sync}"


def listed_confirm(record: Record) -> Seen:
    """Priority mode: who takes writes and maintains `/sync` waits for every standby listed there."""
    for event, now, state in states(record):
        leader = state.sync.leader
        if leader is None or leader not in now.guarded or now.holder != leader:
            continue
        names = state.of(leader)
        missing = [each for each in state.sync.standbys if not names.priority(each)]
        if missing or (state.sync.standbys and names.count < len(names.names)):
            yield f"at {event.at:.3f} {leader} waits for {names}, and /sync lists {', '.join(state.sync.standbys)}"
        elif state.sync.standbys:
            yield HELD


def claimed_before_promotion(record: Record) -> Seen:
    """`/sync`.leader is the member's own before its server leaves recovery."""
    for event in record.events:
        if not isinstance(event, Opened) or event.how != "promoted" or not event.sync.active:
            continue
        if event.sync.leader == event.member:
            yield HELD
        else:
            yield f"at {event.at:.3f} {event.member} is promoted while /sync is {event.sync.leader}'s"


def overlapping(record: Record) -> Seen:
    """Quorum mode: after every single write, voters and names overlap, and one contains the other."""
    for event, now, state in states(record):
        leader, voters = state.sync.leader, frozenset(state.sync.standbys)
        if leader is None or not voters:
            continue
        for primary in now.guarded & {now.holder}:
            names = state.of(primary or "")
            who, listed = voters | {leader}, frozenset(names.names) | {primary or ""}
            count = names.count if names.names else 0
            whole = law_of_overlap.overlap(voters, leader, frozenset(names.names), primary or "", state.sync.quorum, count)
            if not whole or not (who <= listed or listed <= who):
                yield f"at {event.at:.3f} {primary} waits for {names}, /sync is {state.sync}"
            else:
                yield HELD


def strict_never_alone(record: Record) -> Seen:
    """Strict: a primary that holds the key never runs with no names at all."""
    for event, now, state in states(record):
        for primary in now.guarded & {now.holder}:
            alone = not state.of(primary or "").names
            yield f"at {event.at:.3f} {primary} would confirm commits alone" if alone else HELD


LAWS = (
    Law("INV9 promoted from sync", promoted_from_sync, modes=PRIORITY),
    Law("INV10 listed confirm", listed_confirm, modes=PRIORITY),
    Law("INV11 claimed before promotion", claimed_before_promotion, modes=SYNCHRONOUS),
    Law("INV12 overlap", overlapping, modes=frozenset({Mode.QUORUM})),
    Law("INV16 strict", strict_never_alone, modes=frozenset({Mode.STRICT})),
)
