"""`Cluster`: one consistent reading of the store, with a revision on each part. It does no more than look up.

Source: dcs.md 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NewType

from pgctl.model.events import Journal
from pgctl.model.history import Claim, History
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.settings import Settings
from pgctl.model.sync import SyncState

Revision = NewType("Revision", int)
"""The version of one key, as its store counts; 0 means that the key is absent."""


@dataclass(frozen=True, slots=True)
class Status:
    """`/status`: the leader's last position, slot positions, and member slots to retain."""

    optime: Lsn = Lsn(0)
    slots: Mapping[str, int] = field(default_factory=dict)
    retain_slots: tuple[str, ...] = ()


class Leader(NamedTuple):
    """The holder of the leader key. `mine` says that the key hangs on this process's own lease."""

    name: MemberName
    revision: Revision
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything under the cluster's path at one instant. `settings` are those in force (repaired, with defaults)."""

    scope: str
    leader: Leader | None = None
    members: tuple[Member, ...] = ()
    initialize: str | None = None
    """None: never initialized; empty: bootstrap in progress; digits: the system identifier."""
    settings: Settings = Settings()
    config: Mapping[str, object] | None = None
    """The stored document; None when absent or unusable."""
    status: Status = Status()
    sync: SyncState = SyncState()
    intent: Intent | None = None
    history: History = History()
    claim: Claim = Claim()
    failsafe: Mapping[str, str] | None = None
    journal: Journal = Journal()
    revisions: Mapping[str, Revision] = field(default_factory=dict)
    """Key name under the cluster's path → revision; absent keys are absent."""

    def member(self, name: str) -> Member | None:
        """The member called `name`, or None."""
        return next((member for member in self.members if member.name == name), None)

    @property
    def leader_name(self) -> MemberName | None:
        return self.leader.name if self.leader else None

    @property
    def leader_member(self) -> Member | None:
        """The leader's own document; None without a leader or without its key."""
        return self.member(self.leader.name) if self.leader else None

    @property
    def known_identifier(self) -> str | None:
        """The system identifier in `initialize`, if it is a plausible one: digits, ten or more."""
        value = self.initialize or ""
        return value if value.isdigit() and len(value) >= 10 else None

    def revision(self, key: str) -> Revision:
        return self.revisions.get(key, Revision(0))
