"""A member as it describes itself in the store: name, role, state, positions, tags.

Carries no handle, and no opinion on whether what it says is still true. Source: dcs.md 3.4 and 3.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, NewType

from pgctl.model.events import Event
from pgctl.model.lsn import Lsn

MemberName = NewType("MemberName", str)

_EMPTY: Mapping[str, object] = MappingProxyType({})


def nothing() -> Mapping[str, object]:
    """The empty document, shared."""
    return _EMPTY


class Role(StrEnum):
    """What a member says it is. `master` of members before 4.0 is read as `primary`."""

    PRIMARY = "primary"
    STANDBY_LEADER = "standby_leader"
    REPLICA = "replica"
    DEMOTED = "demoted"
    PROMOTED = "promoted"
    UNINITIALIZED = "uninitialized"


class State(StrEnum):
    """Texts that peers, command lines and monitoring compare; in the order of the metric's numbers, from 0."""

    INITIALIZING = "initializing new cluster"
    INITDB_FAILED = "initdb failed"
    RUNNING_CUSTOM_BOOTSTRAP = "running custom bootstrap script"
    CUSTOM_BOOTSTRAP_FAILED = "custom bootstrap failed"
    CREATING_REPLICA = "creating replica"
    RUNNING = "running"
    STARTING = "starting"
    STARTING_AFTER_CUSTOM_BOOTSTRAP = "starting after custom bootstrap"
    START_FAILED = "start failed"
    RESTARTING = "restarting"
    RESTART_FAILED = "restart failed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STOP_FAILED = "stop failed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags with their meaning settled: of each boolean and number pair the boolean has won."""

    nofailover: bool = False
    failover_priority: int = 1
    nosync: bool = False
    sync_priority: int = 1
    clonefrom: bool = False
    noloadbalance: bool = False
    nostream: bool = False
    replicatefrom: str | None = None
    published: Mapping[str, object] = field(default_factory=nothing)
    """As stored in the member key, custom tags included."""


class PendingParameter(NamedTuple):
    """A parameter whose new value waits for a restart, in readable units."""

    name: str
    old: str
    new: str


class ScheduledRestart(NamedTuple):
    """A restart that waits for its time; `schedule` is ISO 8601 with a zone."""

    schedule: str
    postmaster_start_time: str | None = None
    role: str | None = None
    postgres_version: str | None = None
    restart_pending: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One `members/<name>` document. Absent fields are None; `unknown` keeps fields that are not ours."""

    name: MemberName
    conn_url: str | None = None
    api_url: str | None = None
    state: str = "unknown"
    role: str = ""
    version: str | None = None
    timeline: int | None = None
    xlog_location: Lsn | None = None
    receive_lsn: Lsn | None = None
    replay_lsn: Lsn | None = None
    replication_state: str | None = None
    tags: Tags = Tags()
    pending_restart: bool = False
    pending_restart_reason: tuple[PendingParameter, ...] = ()
    scheduled_restart: ScheduledRestart | None = None
    pause: bool = False
    checkpoint_pending: bool = False
    """`checkpoint_after_promote: false` is in the key: rewind must wait."""
    proxy_url: str | None = None
    deeds: tuple[Event, ...] = ()
    """What this member did last, oldest first, until the leader has told it in the journal."""
    unknown: Mapping[str, object] = field(default_factory=nothing)


def slot_name(member: str) -> str:
    """The replication slot name of a member. Source: dcs.md 1, ha.md O1."""
    out = []
    for char in member.lower():
        if char in "-.":
            out.append("_")
        elif char == "_" or char.isascii() and char.isalnum():
            out.append(char)
        else:
            out.append(f"u{ord(char):04d}")
    return "".join(out)[:63]
