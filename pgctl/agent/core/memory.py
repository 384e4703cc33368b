"""The few things carried from cycle to cycle: one frozen value, replaced each cycle.

Nothing that must survive a restart lives here; that lives in the store or in the data directory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pgctl.model.cluster import Cluster, Revision, Status
from pgctl.model.conf import Conf
from pgctl.model.events import Event
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member
from pgctl.model.settings import Settings
from pgctl.units import Instant


class Begun(NamedTuple):
    """A deed under way: its event so far, when it began, and when writes can have ended at the latest and earliest."""

    event: Event
    at: Instant
    leaderless: Instant | None = None
    heard: Instant | None = None


class Handover(NamedTuple):
    """Whom I stop for, empty when anybody will do; and since when `/status` says how far my stopped server's log goes."""

    target: str
    offered: Instant | None = None


class Evidence(NamedTuple):
    """What is known of the `names` that a server runs with: see `sync_evidence`. `life` tells one server run from the next.

    `mark`: where the log stood when all of the server had taken the names up; `proven`: who has flushed past it since.
    """

    life: tuple[int, float, str] | None = None
    names: str = ""
    switched_on: bool = False
    """Commits waited for names before these, so that waiting is switched on."""
    mark: Lsn | None = None
    proven: frozenset[str] = frozenset()
    stirred: int = 0
    """How often standbys were made to answer under these names."""

    @property
    def taken_up(self) -> bool:
        return self.mark is not None


@dataclass(frozen=True, slots=True)
class Memory:
    """All-default means: a fresh agent."""

    leaderless_since: Instant | None = None
    former_leader: str | None = None
    known_members: tuple[Member, ...] = ()
    """Members of the last view that had a leader: who must be heard in a race."""
    cluster: Cluster | None = None
    """The last reading of the store; what is in it may be old."""
    settings: Settings = Settings()
    """The last ones read; used while the store cannot be read."""
    conf: Conf | None = None
    """The configuration last written to the server."""
    published: Member | None = None
    status: Status | None = None
    start_failures: int = 0
    last_failure: str = ""
    """Why the last start, clone or rewind failed."""
    rewind_failed: bool = False
    rewind_failures: int = 0
    rewind_failed_at: Instant = Instant(0)
    """How often in a row, and when last."""
    rebuilds: int = 0
    retry_at: Instant = Instant(0)
    """No new start, clone, rewind or rebuild before this."""
    hung_since: Instant | None = None
    primary_up: bool = False
    """At the last look I led and my server was a primary."""
    away_since: Instant | None = None
    """Since when I lead and my server is not up."""
    crashes: tuple[Instant, ...] = ()
    """When it crashed while I led, not long ago."""
    yielding: bool = False
    """It was stopped so that somebody else can lead."""
    unfed_since: Instant | None = None
    """Since when a standby leader has got no stream from the remote primary."""
    bootstrapping: bool = False
    """I claimed `initialize` and have not yet written an identifier into it."""
    claim_seen: tuple[int, Instant] | None = None
    """The revision of the claim to make this cluster, mine or another's, and when it was first seen."""
    handover: Handover | None = None
    """None when no switchover of mine is under way."""
    fence_armed: bool | None = None
    """What the fence was last told; None: not yet told by this agent."""
    role_called: str = ""
    """The role that callbacks were last told."""
    slots_seen: tuple[tuple[str, Instant], ...] = field(default=())
    """Member slot name → when its member was last registered (for retention)."""
    failsafe: Mapping[str, str] | None = None
    """`/failsafe` as it is in the store, once I have written it in this lead; None before that."""
    failsafe_tried: Mapping[str, str] = field(default_factory=dict)
    """Whom writes of mine named whose answer is not known: they may be in it, too."""
    failsafe_at: Revision | None = None
    """The revision that my last write of it was made upon; None: not yet written in this lead."""
    ready_slots: tuple[str, ...] = ()
    """Copied logical slots that have been found good: see `logical_slots`."""
    copy_slots_at: Instant = Instant(0)
    """No restart for the sake of a logical slot before this."""
    evidence: Evidence = Evidence()
    sync_tried: tuple[Revision, ...] = ()
    """Revisions that my last writes of `/sync` were made upon: a reading that still has one of them may be old."""
    leaving_since: Instant | None = None
    """When I asked to be released from synchronous duty, to stop my server."""
    last_rule: str = ""
    heard: Instant | None = None
    """When this standby was last seen to stream from a leader, who therefore took writes."""
    lsn: int | None = None
    grew_at: Instant | None = None
    """My server's position at the last look, and the last look that found it further on than the one before."""
    intent_seen: tuple[int, Instant] | None = None
    """The revision of the intent that is open, and when it was first found due."""
    begun: Begun | None = None
    """The long deed under way, as its event will tell of it."""
    deeds: tuple[Event, ...] = ()
    """What I did last, for my member key, oldest first."""
    config_told: Mapping[str, object] | None = None
    """The settings that the journal has told of, to say what changed."""
