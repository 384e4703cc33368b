"""How a server is wanted to be: whom it follows, which names must confirm, which slots exist.

The core decides these values; `postgresql` turns them into files and statements. They hold no path and no password.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pgctl.model.lsn import Lsn
from pgctl.model.member import nothing


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server to stream or clone from. `remote`: outside of this cluster, which a standby cluster follows; its slots are
    not ours to make, and `host` may be a comma list, of which the one that takes writes is meant.
    """

    name: str
    host: str
    port: int
    slot: str | None = None
    database: str = "postgres"
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Conf:
    """The wanted configuration. `standby` False means: no recovery settings, no signal file.

    A standby without `upstream` replays what it has and what restore_command brings. `postgresql` is the dynamic
    section of `/config`; the host's own section is the hand's to merge. `sync_names` None leaves
    synchronous_standby_names to the operator's own parameter; "" removes it.
    """

    standby: bool = True
    upstream: Upstream | None = None
    sync_names: str | None = None
    hot_standby_feedback: bool = False
    sync_slots: bool = False
    """The standby's server keeps failover slots in step (PostgreSQL 17), unless the operator says otherwise."""
    confirm_slots: tuple[str, ...] = ()
    """Physical slots whose standbys must have a change before a logical consumer gets it (PostgreSQL 17)."""
    copy_slots: tuple[str, ...] = ()
    """Logical slots that a standby is given before it starts, copied from `leader`, where it cannot make them itself."""
    leader: Upstream | None = None
    postgresql: Mapping[str, object] = field(default_factory=nothing)
    restore_command: str | None = None
    archive_cleanup_command: str | None = None
    recovery_min_apply_delay: str | None = None
    create_replica_methods: tuple[str, ...] | None = None
    """How data is cloned; None leaves it to the host's own list."""


@dataclass(frozen=True, slots=True)
class SlotWanted:
    """A slot to create: physical with WAL reserved at once, or logical in its database."""

    name: str
    type: str = "physical"
    database: str | None = None
    plugin: str | None = None
    failover: bool = False
    """PostgreSQL 17: standbys keep it in step."""


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """Changes to slots, each harmless when repeated; done in the order drop, create, advance. `notes` are for people."""

    drop: tuple[str, ...] = ()
    create: tuple[SlotWanted, ...] = ()
    advance: tuple[tuple[str, Lsn], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogicalPlan:
    """Work on logical slots, which can take long: `create`, `advance` to a position, make a failover slot of (`mark`).

    `ask`: slots whose catalog_xmin on `leader` is to be found out; `look`: slots of which to see whether they can be copied;
    `sort`: slots of which to see whether they are failover slots there.
    """

    create: tuple[SlotWanted, ...] = ()
    advance: tuple[tuple[SlotWanted, Lsn], ...] = ()
    mark: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    look: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    leader: Upstream | None = None


@dataclass(frozen=True, slots=True)
class LogicalFound:
    """What came of a LogicalPlan: the leader's catalog_xmin by slot; slots beyond use on this server, by the position they
    had confirmed; those that a restart would bring; the leader's that are failover slots, and those that are not.
    """

    xmins: tuple[tuple[str, int], ...] = ()
    broken: tuple[tuple[str, Lsn | None], ...] = ()
    copyable: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()


class StopMode(StrEnum):
    SMART = "smart"
    FAST = "fast"
    IMMEDIATE = "immediate"
