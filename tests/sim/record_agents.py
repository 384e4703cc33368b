"""What agents did and saw in one history, and what became of the store's records: events, as those of `record`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentBegan:
    """Another life of a member's agent begins; whatever deed the one before had under way is nobody's now."""

    at: float
    member: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A long deed came to its end while its agent lived."""

    at: float
    member: str
    job: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Astray:
    """A cycle that is not paused found its server taking writes, and the leader key another's. `stops`: it stops it, or a
    deed that does is under way.
    """

    at: float
    member: str
    rule: str
    stops: bool


@dataclass(frozen=True, slots=True)
class Redecided:
    """A view was decided on once more; `same`: with the same decision."""

    at: float
    member: str
    rule: str
    same: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A member key that tells another `role` or `pending` (the checkpoint after a promotion) than the one before.

    `phase` and `checkpointed` (pg_control carries the present timeline) are the server's in truth.
    """

    at: float
    member: str
    role: str
    phase: str
    pending: bool = False
    checkpointed: bool = True


@dataclass(frozen=True, slots=True)
class SyncAsked:
    """A write of `/sync` was sent for revision `expected`; `planned` is the revision that the decision was made upon."""

    at: float
    member: str
    planned: int
    expected: int


@dataclass(frozen=True, slots=True)
class Told:
    """A leader writes into `/status` that it has `told` records; it has `log`."""

    at: float
    member: str
    told: int
    log: int


@dataclass(frozen=True, slots=True)
class SyncRefused:
    """The store refused such a write, or its answer was lost: the plan ends. `effects`: what its cycle did all the same."""

    at: float
    member: str
    effects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewound:
    """pg_rewind began: was the own server stopped, did the source take writes, did its pg_control carry its timeline?"""

    at: float
    member: str
    source: str
    stopped: bool
    writable: bool
    checkpointed: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """`initialize` is this now: None (absent), empty (somebody makes the cluster), or the identifier."""

    at: float
    value: str | None


@dataclass(frozen=True, slots=True)
class Configured:
    """`config` was written."""

    at: float
    paused: bool


@dataclass(frozen=True, slots=True)
class PauseSeen:
    """An agent's cycle went by other settings of pause than its cycle before."""

    at: float
    member: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Alien:
    """The data directory is another cluster's now; or (`alien` False) it is not any more."""

    at: float
    member: str
    alien: bool


@dataclass(frozen=True, slots=True)
class SlotChanged:
    """A physical slot was made by somebody else than us, or (`there` False) dropped by the agent."""

    at: float
    member: str
    slot: str
    there: bool


@dataclass(frozen=True, slots=True)
class SlotMoved:
    """An agent asked for a standby's logical slot to be moved to `goal`, where the server had `replayed`; in records."""

    at: float
    member: str
    slot: str
    goal: int
    replayed: int


@dataclass(frozen=True, slots=True)
class Watched:
    """The kernel's watchdog of a host begins to count, or (`running` False) does so no more. `confirms`: its server can
    confirm commits; `paused`: as its agent knows.
    """

    at: float
    member: str
    running: bool
    confirms: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Spared:
    """What was struck a moment ago came to nothing: there was nothing to strike, or the other guard was failing."""

    at: float
    kind: str
    member: str


AgentEvent = (
    AgentBegan | JobEnded | Astray | Redecided | Said | SyncAsked | SyncRefused | Told | Rewound | Claimed | Configured
    | PauseSeen | Alien | SlotChanged | SlotMoved | Watched | Spared
)  # fmt: skip
