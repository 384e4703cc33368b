"""What one look at a local PostgreSQL server found: plain values, no handle.

`postgresql.probe` makes one; the core decides on it; the board shows it. Absent means "not known from this look".
"""

from dataclasses import dataclass
from enum import StrEnum

from pgctl.model.lsn import Lsn
from pgctl.model.member import PendingParameter


class Phase(StrEnum):
    """Where the server stands, as far as one look can tell."""

    EMPTY = "empty"  # no data directory, or nothing in it
    UNREADABLE = "unreadable"  # a data directory that cannot be read, or holds no pg_control
    DOWN = "down"  # data, no postmaster
    STARTING = "starting"  # a postmaster that does not accept connections yet
    STOPPING = "stopping"  # a postmaster that no longer does
    HUNG = "hung"  # a postmaster, and a query without an answer: role unknown
    STANDBY = "standby"  # accepts connections, in recovery
    PRIMARY = "primary"  # accepts connections, out of recovery


RUNNING = frozenset({Phase.STARTING, Phase.STOPPING, Phase.HUNG, Phase.STANDBY, Phase.PRIMARY})
"""Phases with a postmaster."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server process; `started` as the kernel counts it, so that a recycled pid is not taken for it."""

    pid: int
    started: float
    start_time: str | None = None
    """pg_postmaster_start_time(), `YYYY-MM-DD HH:MM:SS.ffffff+ZZ:ZZ`, once a query worked."""


@dataclass(frozen=True, slots=True)
class ControlData:
    """What pg_controldata tells of a stopped server. `state` is its English text, such as `shut down`."""

    state: str
    system_identifier: str
    checkpoint_lsn: Lsn
    checkpoint_timeline: int
    redo_wal_file: str = ""
    minimum_recovery_lsn: Lsn | None = None
    minimum_recovery_timeline: int | None = None
    checksums: bool = False
    wal_log_hints: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    """max_connections and its kin, which a standby must not undercut."""

    @property
    def cleanly_stopped(self) -> bool:
        return self.state in ("shut down", "shut down in recovery")


@dataclass(frozen=True, slots=True)
class WalReceiver:
    """Row of pg_stat_wal_receiver."""

    status: str
    timeline: int | None = None
    slot: str | None = None
    host: str | None = None
    port: int | None = None
    latest_end_lsn: Lsn | None = None


@dataclass(frozen=True, slots=True)
class WalSender:
    """Row of pg_stat_replication."""

    usename: str
    application_name: str
    client_addr: str | None
    state: str
    sync_state: str
    sync_priority: int
    write_lsn: Lsn | None = None
    flush_lsn: Lsn | None = None
    replay_lsn: Lsn | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """Row of pg_replication_slots."""

    name: str
    type: str
    active: bool
    restart_lsn: Lsn | None = None
    confirmed_flush_lsn: Lsn | None = None
    database: str | None = None
    plugin: str | None = None
    has_xmin: bool = False
    """Holds back vacuum, in the whole database or in the catalogs."""
    catalog_xmin: int | None = None
    wal_status: str | None = None
    failover: bool = False
    synced: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """What a standby is told to follow, as the server itself reports it."""

    primary_conninfo: str = ""
    primary_slot_name: str = ""
    restore_command: str = ""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One look. `problem` says in a person's words why a phase is UNREADABLE or HUNG, or why the last start failed."""

    phase: Phase
    postmaster: Postmaster | None = None
    control: ControlData | None = None
    version: int = 0
    """server_version_num: 150018; the data directory's major times 10000 when the server is down; 0 unknown."""
    system_identifier: str | None = None
    timeline: int | None = None
    lsn: Lsn | None = None
    """Primary: flushed. Standby: the larger of received (written) and replayed."""
    receive_lsn: Lsn | None = None
    replay_lsn: Lsn | None = None
    replay_timestamp: str | None = None
    replay_paused: bool = False
    replication_state: str | None = None
    """`streaming`, `in archive recovery` or None."""
    receiver: WalReceiver | None = None
    senders: tuple[WalSender, ...] = ()
    slots: tuple[Slot, ...] = ()
    recovery: RecoverySettings | None = None
    sync_names: str = ""
    synchronous_commit: str = "on"
    checkpointer_idle: bool = True
    """The checkpointer, which switches waiting for standbys on, is not in the middle of a checkpoint."""
    pending_restart: tuple[PendingParameter, ...] = ()
    checkpoint_timeline: int | None = None
    """Timeline of the last finished checkpoint: a fresh primary is fit as a rewind source once it equals `timeline`."""
    can_rewind: bool = False
    """use_pg_rewind, the program is there, and wal_log_hints or checksums are on."""
    standby_signal: bool = False
    problem: str = ""

    @property
    def running(self) -> bool:
        return self.phase in RUNNING

    @property
    def writable(self) -> bool:
        """Whether it may be accepting writes; a server that cannot be asked may be."""
        return self.phase is Phase.PRIMARY
