"""Laws of how `/sync` and the names are written: upon what was read, in the safe order, and never beyond what is proven."""

from tests.sim.checks.law import HELD, PRIORITY, SYNCHRONOUS, Law, Seen
from tests.sim.checks.synchrony import states
from tests.sim.modes import Mode
from tests.sim.record import NamesSet, Record, SyncSet
from tests.sim.record_agents import SyncAsked, SyncRefused


def upon_what_was_read(record: Record) -> Seen:
    """`/sync` is written for the revision that the plan was made upon; a refusal ends the plan."""
    for event in record.events:
        match event:
            case SyncAsked(at=at, member=member, planned=planned, expected=expected):
                yield HELD if planned == expected else f"at {at:.3f} {member} writes /sync upon {expected}, not {planned}"
            case SyncRefused(at=at, member=member, effects=effects) if effects:
                yield f"at {at:.3f} {member} goes on with {', '.join(effects)} after a refused write"
            case _:
                pass


def enters_with_everything(record: Record) -> Seen:
    """Priority mode: who enters `/sync` has on its disk all that was acknowledged before."""
    listed: frozenset[str] = frozenset()
    for event in record.events:
        if not isinstance(event, SyncSet):
            continue
        now = frozenset(event.sync.standbys)
        if event.have is not None:
            for name in sorted(now - listed):
                lacking = f"at {event.at:.3f} {name} enters /sync, and lacks what was acknowledged"
                yield HELD if name in event.have else lacking
        listed = now


def leaves_in_order(record: Record) -> Seen:
    """Priority mode: the primary stops waiting for a standby only once `/sync` does not list it any more."""
    before: dict[str, frozenset[str]] = {}
    for event, now, state in states(record):
        if not isinstance(event, NamesSet):
            continue
        names = frozenset(state.of(event.member).names)
        gone, before[event.member] = before.get(event.member, frozenset()) - names, names
        if not gone or state.sync.leader != event.member or event.member not in now.guarded or now.holder != event.member:
            continue
        early = sorted(gone & frozenset(state.sync.standbys))
        yield f"at {event.at:.3f} {event.member} stops waiting for {', '.join(early)}, whom /sync lists" if early else HELD


def voters_in_order(record: Record) -> Seen:
    """Quorum mode: a voter is let go only once the primary does not wait for it any more; but where all have to confirm,
    or none is left, as in priority mode (ha.md Q30, Q32).
    """
    voters, spare = frozenset[str](), 0
    for event, now, state in states(record):
        if not isinstance(event, SyncSet):
            continue
        gone, voters = voters - frozenset(event.sync.standbys), frozenset(event.sync.standbys)
        before, spare, leader = spare, event.sync.quorum, event.sync.leader or ""
        if not gone or not before or not voters or leader not in now.guarded or now.holder != leader:
            continue
        early = sorted(gone & frozenset(state.of(leader).names))
        yield f"at {event.at:.3f} /sync lets {', '.join(early)} go, for whom {leader} waits" if early else HELD


def winners_have_everything(record: Record) -> Seen:
    """Quorum mode: of any voters whose answers let one of them win, at least one has all that was acknowledged.

    Who has no data does not answer. The leader that `/sync` names needs nobody's vote, and has everything.
    """
    for event in record.events:
        if not isinstance(event, SyncSet) or event.have is None or not event.sync.standbys:
            continue
        lacking = (frozenset(event.sync.standbys) & event.hold) - event.have
        if len(lacking) > event.sync.quorum:
            yield f"at {event.at:.3f} {', '.join(sorted(lacking))} could win by {event.sync}, and lack what was acknowledged"
        else:
            yield HELD


LAWS = (
    Law("INV14 upon what was read", upon_what_was_read, modes=SYNCHRONOUS),
    Law("INV15 enters with everything", enters_with_everything, modes=PRIORITY),
    Law("INV15 leaves in order", leaves_in_order, modes=PRIORITY),
    Law("INV15 voters in order", voters_in_order, modes=frozenset({Mode.QUORUM})),
    Law("INV13 winners have everything", winners_have_everything, modes=frozenset({Mode.QUORUM})),
)
