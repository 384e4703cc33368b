"""Requests as values: what a cycle may ask of the world, each typed by its answer. Nothing here performs.

Readings bring something into the view. Effects change something; each may be repeated, and stopping after any of them
is safe. An effect on the store carries the revision that the view had, and is answered `Answer`: applied, rejected or
unknown. A rejected or unknown effect ends the cycle: the next snapshot tells. `may_write` marks effects after which
the server can accept writes; the driver refuses them when less than the fence's margin is left of the lease.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from pgctl.agent.core.job import Job
from pgctl.model.cluster import Cluster, Revision, Status
from pgctl.model.conf import Conf, LogicalPlan, SlotPlan, Upstream
from pgctl.model.failsafe import Ping
from pgctl.model.history import History
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, Tags
from pgctl.model.server import ServerState
from pgctl.model.sync import SyncState
from pgctl.model.timeline import TimelineHistory
from pgctl.units import Instant

A = TypeVar("A")


class Outcome(StrEnum):
    APPLIED = "applied"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an effect; `reason` is for people, `revision` is what a write made of its key, where one did."""

    outcome: Outcome = Outcome.APPLIED
    reason: str = ""
    revision: Revision = field(default=Revision(0), compare=False)


APPLIED = Answer()


@dataclass(frozen=True, slots=True)
class Request(Generic[A]):
    """The root; `A` is the type of the answer."""

    may_write: ClassVar[bool] = False


# --- readings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The store could not be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Peer:
    """One member's answer to a status request; positions in bytes. Unreachable: `reachable` False and `problem`.

    `looked` False: not yet aware that the leader is gone, so its positions may be old. `state`: as told."""

    name: str
    reachable: bool
    primary: bool = False
    lsn: Lsn = Lsn(0)
    timeline: int | None = None
    tags: Tags = Tags()
    watchdog_failed: bool = False
    looked: bool = True
    failsafe: bool = False
    """It leads without the store, or has promised such a leader not to stand."""
    problem: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class ReadCluster(Request[Cluster | Unreadable]):
    """The store, at one instant."""


@dataclass(frozen=True, slots=True)
class ReadServer(Request[ServerState]):
    """One look at the local server; `known_timeline` is the leader's, so that an equal one need not be asked again."""

    known_timeline: int | None = None


@dataclass(frozen=True, slots=True)
class AskPeers(Request[tuple[Peer, ...]]):
    """Status of members, all at once, each by its api_url; answers in the order of `members`.

    Those named in `optional` are not waited for once all others have answered: a dead leader's silence costs nothing."""

    members: tuple[tuple[str, str], ...]
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReadUpstreamHistory(Request[TimelineHistory | None]):
    """The timeline history of a server we are to follow; None when it cannot be asked."""

    upstream: Upstream


@dataclass(frozen=True, slots=True)
class Round:
    """What members said when a leader without the store asked all of them at once, `sent` at this instant.

    `accepted`: (name, its position in bytes or None); `refused`: (name, why), the silent ones among them.
    """

    sent: Instant
    accepted: tuple[tuple[str, Lsn | None], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AskMembers(Request[Round]):
    """Asks each (name, api_url) at once to let me lead on for a TTL; an answer after the budget is none."""

    members: tuple[tuple[str, str], ...]
    ping: Ping


# --- effects on the store -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HoldLease(Request[Answer]):
    """Creates the leader key under my lease, if absent and `guard` (key → revision) still holds.

    The fence is armed at once; not for a standby leader (`arm` False), whose server takes no writes. For a server that takes
    writes (`writable`) it is armed before: an agent that is stopped between question and answer arms nothing."""

    guard: Mapping[str, Revision] = field(default_factory=dict)
    arm: bool = True
    writable: bool = False


@dataclass(frozen=True, slots=True)
class ReclaimLease(Request[Answer]):
    """Puts a leader key that names me, written by an earlier life of this agent, on my present lease. Guards: as above."""

    revision: Revision
    arm: bool = True
    writable: bool = False


@dataclass(frozen=True, slots=True)
class RenewLease(Request[Answer]):
    """Extends the lease; asked by the heartbeat alone."""

    ttl: float


@dataclass(frozen=True, slots=True)
class ReleaseLease(Request[Answer]):
    """Deletes the leader key, if it is still the one seen."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class WriteStatus(Request[Answer]):
    status: Status


@dataclass(frozen=True, slots=True)
class WriteSync(Request[Answer]):
    sync: SyncState
    revision: Revision


@dataclass(frozen=True, slots=True)
class WriteHistory(Request[Answer]):
    """Brings `/history` up to `timeline` from the server's own history file; `limit` 0 keeps all lines."""

    timeline: int
    stored: History
    limit: int = 0


@dataclass(frozen=True, slots=True)
class WriteInitialize(Request[Answer]):
    value: str
    revision: Revision


@dataclass(frozen=True, slots=True)
class DeleteInitialize(Request[Answer]):
    revision: Revision


@dataclass(frozen=True, slots=True)
class WriteConfig(Request[Answer]):
    document: Mapping[str, object]
    revision: Revision


@dataclass(frozen=True, slots=True)
class WriteFailsafe(Request[Answer]):
    """`/failsafe`: whom a leader without the store must ask, name → api_url."""

    members: Mapping[str, str]
    revision: Revision


@dataclass(frozen=True, slots=True)
class CloseIntent(Request[Answer]):
    """Clears `/failover`; `reason` empty when it was fulfilled, else why it cannot be honoured."""

    intent: Intent
    revision: Revision
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Publish(Request[Answer]):
    """My member key, on my lease."""

    member: Member


# --- effects on the server ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriteConf(Request[Answer]):
    conf: Conf


@dataclass(frozen=True, slots=True)
class StirStandbys(Request[Answer]):
    """Writes a little WAL: commits that wait are looked at again only when a standby answers (`postgresql.queries.stir`)."""


@dataclass(frozen=True, slots=True)
class SetSlots(Request[Answer]):
    plan: SlotPlan


@dataclass(frozen=True, slots=True)
class KeepLogical(Request[Answer]):
    """Work on logical slots, done beside the cycle; it takes the place of what was asked before and has not begun."""

    plan: LogicalPlan


@dataclass(frozen=True, slots=True)
class RunCallback(Request[Answer]):
    """on_start, on_role_change and their kin; runs beside us, its result is only logged."""

    action: str
    role: str


@dataclass(frozen=True, slots=True)
class StartJob(Request[Answer]):
    job: Job


@dataclass(frozen=True, slots=True)
class CancelJob(Request[Answer]):
    why: str


# --- effects on guards and the process ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MoveFence(Request[Answer]):
    """Armed: fence and watchdog follow the lease. Not armed: they leave the server alone (a standby, or pause)."""

    armed: bool


@dataclass(frozen=True, slots=True)
class Prolong(Request[Answer]):
    """Every member has promised not to lead before `deadline`: until then my lead goes on without the store.

    Moves the lease cell and all guards; refused when the lease is over by my own clock, or the fence has begun to act.
    """

    deadline: Instant


@dataclass(frozen=True, slots=True)
class Quit(Request[Answer]):
    """The agent ends with exit code 1 and this reason, leaving the server as it is."""

    reason: str
