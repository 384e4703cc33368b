"""The long deeds as values: what `StartJob` asks for. At most one is under way; nothing here performs.

`writes` marks deeds after which the server accepts writes: they are refused when the lease is nearly out.
"""

from dataclasses import dataclass
from typing import ClassVar

from pgctl.model.conf import Conf, StopMode, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One long deed. `rule` is the rule that ordered it: it is named in the log beside what the deed did."""

    rule: str = ""
    writes: ClassVar[bool] = False
    name: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap(Job):
    """A new cluster from nothing: initdb or the configured method, roles, the operator's script; ends as a primary."""

    conf: Conf = Conf(standby=False)
    name: ClassVar[str] = "bootstrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone(Job):
    """Fills an empty data directory from `source`, then starts as a standby with `conf`."""

    source: Upstream | None = None
    conf: Conf = Conf()
    name: ClassVar[str] = "clone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild(Job):
    """Stops the server, removes the data directory because `why`, and clones it anew from `source`."""

    source: Upstream | None = None
    conf: Conf = Conf()
    why: str = ""
    name: ClassVar[str] = "reinitialize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind(Job):
    """Stops the server if it runs, brings its data back to the fork point with `source`, starts it as a standby."""

    source: Upstream | None = None
    conf: Conf = Conf()
    name: ClassVar[str] = "rewind"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartStandby(Job):
    """`archive_first`: the last WAL segment, of a primary that was stopped to follow another cluster."""

    conf: Conf = Conf()
    archive_first: bool = False
    name: ClassVar[str] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPrimary(Job):
    """Starts a server that holds the lease, in place, within `timeout` seconds."""

    conf: Conf = Conf(standby=False)
    timeout: float = 300
    writes: ClassVar[bool] = True
    name: ClassVar[str] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(Job):
    """Checkpoint, fast stop, start with `conf`. A primary keeps its lease meanwhile."""

    conf: Conf = Conf()
    timeout: float = 300
    stop_timeout: float = 300
    """Of that, for the stop; after it the server is stopped immediately, and killed."""
    order: int = 0
    name: ClassVar[str] = "restart"

    @property
    def primary(self) -> bool:
        return not self.conf.standby


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySlots(Job):
    """Restarts a standby to give it logical slots of the leader, which it reads before the stop."""

    conf: Conf = Conf()
    timeout: float = 300
    name: ClassVar[str] = "copy slots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Job):
    """Stops the server. `handover` marks the first half of a switchover."""

    mode: StopMode = StopMode.FAST
    checkpoint: bool = False
    handover: bool = False
    timeout: float = 0
    name: ClassVar[str] = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote(Job):
    """To the timeline that was claimed for it; 0: the next one that the server knows to be free."""

    timeline: int = 0
    writes: ClassVar[bool] = True
    name: ClassVar[str] = "promote"
