"""The server contract's two worlds, as its cases see them: members a, b, c with a PostgreSQL server each, and no agent.

A deed is what the core orders (`Job`, `WriteConf`, `SetSlots`): the real world gives it to `agent.jobs` and the façade, the
model to the simulator's own. So a case says the same of both, in the words that a decision is made upon (`ServerState`).
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from pgctl.agent.core.job import Job
from pgctl.agent.core.view import JobState
from pgctl.model.conf import Conf, SlotPlan
from pgctl.model.server import ServerState


class Fate(Enum):
    SENT = "sent"
    """Its client has heard nothing, and the server is not known to wait for anybody."""
    WAITING = "waiting"
    """Written, and the server waits for its standbys."""
    ACKNOWLEDGED = "acknowledged"
    UNHEARD = "unheard"
    """Its client gave up, or was told that its server or its standbys did not go along: it may be there all the same."""


class Commit(Protocol):
    """One client's row."""

    @property
    def row(self) -> int: ...

    @property
    def fate(self) -> Fate: ...


class Lab(Protocol):
    """Members are named a, b and c; slots as their members."""

    def conf(self, member: str, *, follows: str = "", names: str | None = None) -> Conf:
        """A primary's, or that of a standby, with its slot; `names` is synchronous_standby_names."""

    def begin(self, member: str, job: Job) -> JobState | None:
        """Orders a deed; as it stands right after."""

    def deed(self, member: str) -> JobState | None:
        """How the deed stands that was ordered last."""

    def call_off(self, member: str) -> None: ...

    def lease(self, member: str, *, good: bool) -> None:
        """Whether the member may write."""

    def configure(self, member: str, conf: Conf) -> None:
        """Writes the configuration of a server, which reads it if it runs."""

    def slots(self, member: str, plan: SlotPlan) -> None: ...

    def look(self, member: str) -> ServerState: ...

    def rows(self, member: str) -> frozenset[int]:
        """What a session on that server sees; nothing where there can be none."""

    def commit(self, member: str) -> Commit:
        """A client begins to write one row."""

    def cancel(self, commit: Commit) -> None:
        """Its client loses patience."""

    def crash(self, member: str) -> None:
        """All processes of the server are killed; the host lives."""

    def kill_backend(self, member: str) -> None:
        """One session's process is killed, as the kernel does it where memory is short."""

    def hang(self, member: str) -> None:
        """All processes of the server stand still."""

    def resume(self, member: str) -> None: ...

    def fill_disk(self, member: str) -> None:
        """The disk is full, and clients write until the server can write no more of its log."""

    def empty_disk(self, member: str) -> None: ...

    def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> bool:
        """Lets time pass until it holds; False when it did not in time."""

    def close(self) -> None: ...
