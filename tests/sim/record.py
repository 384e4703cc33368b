"""What happened in one history, as values in order of time: what checkers look at, and nothing else.

Instants are the world's true time in seconds; positions are counts of log records.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Opened:
    """A server began to accept writes with `log` records: `how` is `promoted` or `started`."""

    at: float
    member: str
    how: str
    log: tuple[int, ...]
    timeline: int = 1


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
class LeadLost:
    """The store let the leader key of `member` go while that one still believed in it until `believed`."""

    at: float
    member: str
    believed: float


@dataclass(frozen=True, slots=True)
class Handed:
    """A switchover's first half is done: the leader stopped cleanly, told its position, and gave up the key."""

    at: float
    member: str


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


@dataclass(frozen=True, slots=True)
class End:
    """How the healed world stands: the holder of the leader key, and every server."""

    at: float
    holder: str | None
    servers: tuple[Standing, ...]


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


Event = Promised | Attempted | Prolonged | Opened | Closed | SetFree | Followed | JobStarted | LeadLost | Handed | Struck


@dataclass
class Record:
    """`acknowledged`: (instant, record, primary that confirmed it) in order. `end` None: the history was cut short."""

    events: list[Event] = field(default_factory=list)
    acknowledged: list[tuple[float, int, str]] = field(default_factory=list)
    barred: frozenset[str] = frozenset()
    """Members tagged nofailover."""
    end: End | None = None
