"""What happened in one history, as values in order of time: what checkers look at, and nothing else.

Instants are the world's true time in seconds; positions are counts of log records. All members' clocks may be wrong.
"""

from dataclasses import dataclass, field

from pgctl.model.events import Journal
from pgctl.model.sync import SyncState
from tests.sim.modes import Mode
from tests.sim.record_agents import AgentEvent


@dataclass(frozen=True, slots=True)
class Opened:
    """A server began to accept writes with `log` records: `how` is `promoted`, `started` or `made` (a new cluster).

    `sync` is `/sync` at that instant.
    """

    at: float
    member: str
    how: str
    log: tuple[int, ...]
    timeline: int = 1
    sync: SyncState = SyncState()


@dataclass(frozen=True, slots=True)
class Closed:
    """A server accepts no writes any more: `how` is `stopped`, `crashed`, or the name of who did it."""

    at: float
    member: str
    how: str


@dataclass(frozen=True, slots=True)
class SetFree:
    """By decision of a paused agent nothing guards the server (`free`), or it is guarded again."""

    at: float
    member: str
    free: bool


@dataclass(frozen=True, slots=True)
class Followed:
    """A standby streams from a server whose log is no continuation of its own."""

    at: float
    member: str
    upstream: str


@dataclass(frozen=True, slots=True)
class JobStarted:
    """`paused`: the settings that the deciding agent had read; `rule` is the one that ordered it."""

    at: float
    member: str
    job: str
    rule: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """A deed that makes the server writable passed its point of no return with `left` seconds of lease; `holder` is
    whom the store named.
    """

    at: float
    member: str
    left: float
    holder: str | None
    promotes: bool = True


@dataclass(frozen=True, slots=True)
class Removed:
    """A data directory was removed, by a rule; `leads`: the store named its member as leader."""

    at: float
    member: str
    rule: str
    leads: bool


@dataclass(frozen=True, slots=True)
class KeySet:
    """The leader key is `holder`'s now, or nobody's. `phase` and `timeline` are its server's; `latest` is the last
    timeline in `/history`, `sync` is `/sync`, `named` the candidate of an open manual failover.
    """

    at: float
    holder: str | None
    phase: str = ""
    timeline: int = 1
    latest: int = 1
    sync: SyncState = SyncState()
    named: str | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class LeadLost:
    """The store let the leader key of `member` go while that one still believed in it until `believed`."""

    at: float
    member: str
    believed: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A member's own deletion of its leader key reached the store, while its server was in `phase`."""

    at: float
    member: str
    phase: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Handed:
    """A switchover's first half is done: the leader stopped cleanly, told its position, and gave up the key.

    `told` is the position in `/status`, `log` its own, `others` those of the other servers' logs, in records. `accepted`:
    the order was one that accepts losses.
    """

    at: float
    member: str
    told: int = 0
    log: int = 0
    others: tuple[int, ...] = (0,)
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class SyncSet:
    """`/sync` is this now. `have`: members on whose disk is all that was acknowledged (None: nobody knows); `hold`: those
    with any data at all.
    """

    at: float
    sync: SyncState
    have: frozenset[str] | None = None
    hold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NamesSet:
    """A server has this synchronous_standby_names in force."""

    at: float
    member: str
    text: str


@dataclass(frozen=True, slots=True)
class IntentSet:
    """`/failover` holds this revision of a wish now, or nothing (0)."""

    at: float
    revision: int


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault or an order, and when it is over."""

    at: float
    kind: str
    member: str
    until: float
    order: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One server at the end."""

    member: str
    phase: str
    streams: bool
    writable: bool
    log: tuple[int, ...]
    slots: tuple[tuple[str, int], ...] = ()
    """Slot name → records that need not be kept for it."""
    timeline: int = 1
    identifier: str | None = None
    waiting: int = 0
    """Commits that wait for their standbys."""
    upstream: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How the healed world stands: the holder of the leader key, every server, and what the store holds.

    `settled` is how long after the healing all was in order for good.
    """

    at: float
    holder: str | None
    servers: tuple[Standing, ...]
    identifier: str | None = None
    sync: SyncState = SyncState()
    intent: bool = False
    settled: float = 0.0
    ttl: float = 30.0
    journal: Journal = Journal()
    remote: str | None = None
    """Whom a standby cluster's leader is to stream from; None when it is none, or none any more."""


@dataclass(frozen=True, slots=True)
class Promised:
    """A member promised a leader without the store not to attempt the leader key before `until`."""

    at: float
    member: str
    until: float


@dataclass(frozen=True, slots=True)
class Attempted:
    """A member asked for the leader key, or for its transfer to its present lease."""

    at: float
    member: str


@dataclass(frozen=True, slots=True)
class Prolonged:
    """A leader without the store leads on until `until`; `named` are those that `/failsafe` names in truth."""

    at: float
    member: str
    until: float
    named: frozenset[str]


Event = (
    AgentEvent | Promised | Attempted | Prolonged | Opened | Closed | SetFree | Followed | JobStarted | Passed | Removed
    | KeySet | LeadLost | GivenUp | Handed | SyncSet | NamesSet | IntentSet | Struck
)  # fmt: skip


@dataclass
class Record:
    """`acknowledged`: (instant, record, primary that confirmed it) in order. `end` None: the history was cut short."""

    events: list[Event] = field(default_factory=list)
    acknowledged: list[tuple[float, int, str]] = field(default_factory=list)
    barred: frozenset[str] = frozenset()
    """Members tagged nofailover."""
    end: End | None = None
    mode: Mode = Mode.ASYNCHRONOUS
    count: int = 1
    """How many synchronous standbys are asked for."""
    patience: float = 300.0
    """primary_start_timeout in seconds."""
