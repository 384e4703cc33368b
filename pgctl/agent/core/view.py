"""The view: all that a decision may depend on, frozen. No handle, no callable.

A view is made once a cycle, out of readings; the rules see it and nothing else (law 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pgctl.agent.core.effects import Answer, Peer, Request, Round
from pgctl.agent.core.job import Job
from pgctl.agent.core.memory import Memory
from pgctl.model.cluster import Cluster
from pgctl.model.conf import LogicalFound
from pgctl.model.failsafe import Promise
from pgctl.model.member import MemberName, ScheduledRestart, Tags
from pgctl.model.server import ServerState
from pgctl.model.settings import Settings
from pgctl.model.timeline import TimelineHistory
from pgctl.units import Instant, Wall


@dataclass(frozen=True, slots=True)
class Lease:
    """What this agent believes of its lease on the leader key: held until `deadline`, if it is held at all."""

    held: bool = False
    deadline: Instant = Instant(0)
    margin: float | None = None
    """The fence's margin, by the TTL that was granted: a TTL just raised must not make this lease look nearly out."""
    failsafe: bool = False
    """It rests on the members' promises; whether the key in the store is still there is not known."""

    def left(self, now: Instant) -> float:
        """Seconds of lead left; 0 when there is none."""
        return max(0.0, self.deadline - now) if self.held else 0.0


@dataclass(frozen=True, slots=True)
class JobState:
    """The long deed under way, or the one that ended since the last cycle."""

    job: Job
    started: Instant
    ended: bool = False
    ok: bool = False
    message: str = ""
    """Progress while it runs; why it failed, or what it did, when it ended."""
    irrevocable: bool = False
    """A promotion past its point of no return."""
    cut_off: Instant | None = None
    """When a stop or restart told the server to refuse writes."""
    unreached: bool = False
    """It failed before it began: the server to copy or to rewind from did not answer."""


@dataclass(frozen=True, slots=True)
class RestartOrder:
    """A restart asked of this member, its conditions already judged against the board by the order's handler."""

    id: int
    timeout: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class ReinitOrder:
    id: int
    force: bool = False
    from_leader: bool = False
    by: str = ""


class ConfigOrder(NamedTuple):
    """The settings that this agent was last ordered to store, and by whom."""

    document: Mapping[str, object]
    by: str


Order = RestartOrder | ReinitOrder


@dataclass(frozen=True, slots=True)
class Host:
    """What this host was told, as far as a decision needs it."""

    name: MemberName
    conn_url: str
    api_url: str
    version: str
    tags: Tags = Tags()
    proxy_url: str | None = None
    bootstrap: Mapping[str, object] | None = None
    """The document for `/config` of a new cluster; None: this member never bootstraps one."""
    rebuild_allowed: bool = True
    """A data directory that cannot follow, and cannot be rewound, may be removed and cloned anew."""
    database: str = "postgres"
    scheduled_restart: ScheduledRestart | None = None
    watchdog_fault: str = ""
    """Why a watchdog that is required does not guard, or could not if this member led."""


@dataclass(frozen=True, slots=True)
class View:
    """One cycle's world. `cluster` None: the store could not be read, because `cut`."""

    now: Instant
    wall: Wall
    host: Host
    server: ServerState
    cluster: Cluster | None = None
    cut: str = ""
    peers: tuple[Peer, ...] | None = None
    upstream_history: TimelineHistory | None = None
    history_asked: bool = False
    job: JobState | None = None
    lease: Lease = Lease()
    order: Order | None = None
    promise: Promise | None = None
    """What this member promised a leader that cannot reach the store."""
    round: Round | None = None
    """What the members said to me, who lead and cannot reach the store."""
    logical: LogicalFound | None = None
    """What the work on logical slots has found so far."""
    config_order: ConfigOrder | None = None
    memory: Memory = Memory()

    @property
    def me(self) -> MemberName:
        return self.host.name

    @property
    def settings(self) -> Settings:
        """Those of the store, or the last ones known while it cannot be read."""
        return self.cluster.settings if self.cluster else self.memory.settings

    @property
    def margin(self) -> float:
        """The present lease's, or what the settings give."""
        return self.settings.margin if self.lease.margin is None else self.lease.margin


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that held, its reason in words for this view, the effects in order, what to remember, when to wake.

    `facts` are the names of the facts that held, for `explain`. `wake_at` is the latest instant of the next cycle;
    `wake_on_members`: any member key's change wakes it too.
    """

    rule: str
    sentence: str
    reason: str
    effects: tuple[Request[Answer], ...]
    memory: Memory
    wake_at: Instant
    facts: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()
    """Rules tried before: (id, the fact that did not hold)."""
    wake_on_members: bool = False
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class ShowView(Request[None]):
    """Puts a view on the board before it is decided on, so that peers who ask meanwhile get fresh positions."""

    view: View
