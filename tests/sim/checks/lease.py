"""Laws of the lease: who may take writes, and who may hold the leader key. Source: ha.md 7.1."""

from tests.sim.checks.law import HELD, PRIMARIES, Law, Seen, watched
from tests.sim.modes import Mode
from tests.sim.record import Closed, GivenUp, KeySet, LeadLost, Opened, Passed, Record, SetFree, Struck

HARMLESS = {"down", "empty", "standby", "unreadable"}


def one_writable(record: Record) -> Seen:
    """Never two servers that take writes, but those that a paused agent has set free: in pause the operator guards them."""
    before = ""
    for event, now in watched(record):
        if isinstance(event, Opened):
            if before not in ("", event.member):
                yield HELD
            before = event.member
        if isinstance(event, Opened | Closed | SetFree) and len(now.guarded) > 1:
            yield f"at {event.at:.3f} {' and '.join(sorted(now.guarded))} take writes"


def promoted_with_lease(record: Record) -> Seen:
    """A server becomes writable only by a deed whose point of no return was passed with time left on its own lease."""
    for event in record.events:
        if isinstance(event, Passed):
            yield HELD if event.left > 0 else f"at {event.at:.3f} {event.member} goes on without a lease"


def promoted_as_holder(record: Record) -> Seen:
    """And while the store named its member as leader; a primary that members let lead on without it may start again."""
    for event in record.events:
        if not isinstance(event, Passed):
            continue
        agreed = record.mode is Mode.FAILSAFE and not event.promotes
        if event.holder == event.member:
            yield HELD
        elif not agreed:
            yield f"at {event.at:.3f} {event.member} goes on, and the key is {event.holder or 'nobody'}'s"


def key_never_overwritten(record: Record) -> Seen:
    """The leader key is created when absent; from one holder it never goes to another at once."""
    holder = None
    for event in record.events:
        if isinstance(event, KeySet):
            if holder is not None and event.holder not in (None, holder):
                yield f"at {event.at:.3f} {event.holder} takes the key from {holder}"
            elif event.holder is not None:
                yield HELD
            holder = event.holder


def confirms_as_holder(record: Record) -> Seen:
    """Who confirms commits holds the leader key.

    But for who makes the cluster, and whom pause has set free, until they hold the key or stop; and whose fence is frozen
    while the agent's own stop of the server takes its time.
    """
    frozen = [event for event in record.events if isinstance(event, Struck) and event.kind == "freeze fence"]
    acknowledged, excused = iter(record.acknowledged), set[str]()
    commit, holder = next(acknowledged, None), None
    for event, now in watched(record):
        while commit is not None and commit[0] < event.at:
            unguarded = any(event.member == commit[2] and event.at <= commit[0] <= event.until for event in frozen)
            if commit[2] != holder and commit[2] not in excused and not unguarded:
                yield f"{commit[2]} confirms commits at {commit[0]:.3f} without the key"
                return
            yield HELD
            commit = next(acknowledged, None)
        holder = now.holder
        match event:
            case Opened(member=member, how="made") | SetFree(member=member, free=True):
                excused.add(member)
            case Closed(member=member):
                excused.discard(member)
            case KeySet(holder=str(member)) | SetFree(member=member):
                if member == holder and member not in now.free:
                    excused.discard(member)


def lease_believed(record: Record) -> Seen:
    """No holder believes in a lease for longer than the store promises it to the others."""
    for event in record.events:
        if isinstance(event, KeySet) and event.holder is None:
            yield HELD
        if isinstance(event, LeadLost):
            yield f"the key went at {event.at:.3f}, {event.member} believed in it until {event.believed:.3f}"


def given_up_harmless(record: Record) -> Seen:
    """A holder deletes its own key only when its server cannot write; in pause also when it is another cluster's."""
    for event in record.events:
        if isinstance(event, GivenUp) and (event.phase in HARMLESS or event.paused):
            yield HELD
        elif isinstance(event, GivenUp):
            yield f"at {event.at:.3f} {event.member} gives the key up while its server is {event.phase}"


def nofailover_never_takes(record: Record) -> Seen:
    """A standby tagged nofailover never takes the leader key, and is never promoted."""
    for event in record.events:
        if isinstance(event, KeySet) and event.holder is not None and event.phase == "standby" and record.barred:
            barred = event.holder in record.barred
            yield f"at {event.at:.3f} {event.holder} takes the key as a standby" if barred else HELD
        if isinstance(event, Opened) and event.how == "promoted" and event.member in record.barred:
            yield f"at {event.at:.3f} {event.member} is promoted"


def stale_never_takes(record: Record) -> Seen:
    """A primary that returns never takes the key when `/history` shows a later timeline than its own."""
    for event in record.events:
        if not isinstance(event, KeySet) or event.holder is None or event.phase != "primary":
            continue
        if event.timeline >= event.latest:
            yield HELD
        elif not event.paused:
            yield f"at {event.at:.3f} {event.holder} takes the key on {event.timeline}, the cluster is on {event.latest}"


LAWS = (
    Law("INV1 promoted as holder", promoted_as_holder),
    Law("INV2 promoted with a lease", promoted_with_lease),
    Law("INV3 key never overwritten", key_never_overwritten),
    Law("INV4 one writable", one_writable),
    Law("INV5 lease", lease_believed),
    Law("INV5 confirms as holder", confirms_as_holder, modes=PRIMARIES - {Mode.FAILSAFE}),
    Law("INV8 nofailover", nofailover_never_takes),
    Law("INV17 given up harmless", given_up_harmless),
    Law("INV25 stale", stale_never_takes),
)
