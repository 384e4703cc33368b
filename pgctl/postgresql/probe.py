"""One look at the local server: `ServerState`. Changes nothing, and never raises for a sick server.

Up: one query on a connection that is kept from look to look. Down: pg_controldata. What the postmaster says of itself in
postmaster.pid comes first, so that a starting or stopping server is not asked. Only the cycle thread looks.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgctl.errors import ServerError
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData, Phase, Postmaster, ServerState
from pgctl.postgresql import connection, files, process, queries
from pgctl.postgresql.connection import Connection, NoAnswer
from pgctl.postgresql.controldata import ControlReader
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import Instant, Seconds

_TIMELINE = 1.0


def phase_from_files(site: Site) -> Phase:
    """The phase without asking the server: a running one that says `ready` is a standby if its signal file is there."""
    try:
        if files.is_empty(site.data_dir):
            return Phase.EMPTY
        if not (site.data_dir / "global" / "pg_control").is_file():
            return Phase.UNREADABLE
    except OSError:
        return Phase.UNREADABLE
    noted = process.read_pid_file(site.pid_file)
    if noted is None or process.confirm(site, noted) is None:
        return Phase.DOWN
    if noted.status == "ready":
        recovering = any((site.data_dir / f"{kind}.signal").exists() for kind in ("standby", "recovery"))
        return Phase.STANDBY if recovering else Phase.PRIMARY
    return Phase.STOPPING if noted.status == "stopping" else Phase.STARTING


@dataclass(slots=True)
class _KnownTimeline:
    """A standby's timeline, true while it replays nothing further, or while it is the leader's."""

    postmaster: Postmaster
    replayed: Lsn | None
    timeline: int


class Eye:
    """The handles that looking keeps: a connection, a pidfd, the last timeline asked for, whether pg_rewind is there."""

    def __init__(self, site: Site, control: ControlReader) -> None:
        self._site = site
        self._control = control
        self._conn: Connection | None = None
        self._fd: tuple[Postmaster, int] | None = None
        self._timeline: _KnownTimeline | None = None
        self._rewind_program: bool | None = None

    def look(self, options: Options, budget: Seconds, known_timeline: int | None) -> ServerState:
        """See `Server.probe`."""
        deadline = Instant(self._site.clock.now() + budget)
        try:
            phase = phase_from_files(self._site)
            if phase is Phase.EMPTY:
                return ServerState(phase)
            if phase is Phase.UNREADABLE:
                return ServerState(phase, problem=self._unreadable())
            postmaster = process.find(self._site)
            if phase is Phase.DOWN or postmaster is None:
                return self._down(options)
            if phase in (Phase.STARTING, Phase.STOPPING):
                self._hang_up()
                return self._unasked(phase, postmaster, "")
            return self._up(options, postmaster, deadline, known_timeline)
        except ServerError as error:
            return ServerState(Phase.UNREADABLE, problem=str(error))

    def _unreadable(self) -> str:
        """Why the data directory is of no use, for a person."""
        data_dir = self._site.data_dir
        try:
            files.is_empty(data_dir)
        except OSError as error:
            return f'"{data_dir}" cannot be read: {error.strerror}'
        return f'"{data_dir}" is not empty, but holds no global/pg_control; reinitialize the member to replace it'

    def _down(self, options: Options) -> ServerState:
        """A data directory without a postmaster: what pg_control tells."""
        self._hang_up()
        control = self._control.read()
        if control is None:
            return ServerState(Phase.UNREADABLE, problem=self._unreadable())
        return ServerState(
            Phase.DOWN,
            control=control,
            version=self._major() * 10000,
            system_identifier=control.system_identifier,
            timeline=control.checkpoint_timeline,
            checkpoint_timeline=control.checkpoint_timeline,
            can_rewind=self._can_rewind(options, control.checksums or control.wal_log_hints),
            standby_signal=self._standby_signal(),
        )

    def _unasked(self, phase: Phase, postmaster: Postmaster, problem: str) -> ServerState:
        """A postmaster that is not, or could not be, asked: what its files tell."""
        control: ControlData | None
        try:
            control = self._control.read()
        except ServerError:
            control = None
        return ServerState(
            phase,
            postmaster=postmaster,
            control=control,
            version=self._major() * 10000,
            system_identifier=control.system_identifier if control else None,
            standby_signal=self._standby_signal(),
            problem=problem,
        )

    def _up(self, options: Options, postmaster: Postmaster, deadline: Instant, known: int | None) -> ServerState:
        """Asks; once more after an error, for a promotion in the middle of the query is one."""
        problem = ""
        for _ in range(2):
            try:
                found = queries.look(self._connection(options, deadline), deadline)
                return self._state(options, postmaster, found, deadline, known)
            except NoAnswer as error:
                problem = str(error)
                break
            except ServerError as error:
                problem = str(error)
        self._hang_up()
        again = phase_from_files(self._site)
        if again is Phase.DOWN:
            return self._down(options)
        if again in (Phase.STARTING, Phase.STOPPING):
            return self._unasked(again, postmaster, "")
        return self._unasked(Phase.HUNG, postmaster, problem)

    def _connection(self, options: Options, deadline: Instant) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = connection.local(self._site, options, "heartbeat", deadline, timeout=queries.STATEMENT_TIMEOUT)
        return self._conn

    def _state(
        self, options: Options, postmaster: Postmaster, found: Mapping[str, Any], deadline: Instant, known: int | None
    ) -> ServerState:
        recovering: bool = found["recovery"]
        settings: Mapping[str, str | None] = found["settings"]
        receiver = queries.receiver(found["receiver"]) if recovering else None
        streaming = receiver is not None and receiver.status == "streaming"
        replayed, received = queries.position(found["replayed"]), queries.received(found)
        if recovering:
            own = receiver.timeline if streaming and receiver else None
            timeline = own or self._standby_timeline(options, postmaster, found, replayed, deadline, known)
            lsn = max(filter(None, (received, replayed)), default=None)
        else:
            timeline, lsn = int(found["wal_file"][:8], 16), queries.position(found["lsn"])
        hints = "on" in (settings.get("wal_log_hints"), settings.get("data_checksums"))
        archive = "in archive recovery" if recovering and settings.get("restore_command") else None
        return ServerState(
            Phase.STANDBY if recovering else Phase.PRIMARY,
            postmaster=Postmaster(postmaster.pid, postmaster.started, found["started"]),
            version=int(found["version"]),
            system_identifier=found["system_identifier"],
            timeline=timeline,
            lsn=lsn,
            receive_lsn=received,
            replay_lsn=replayed,
            replay_timestamp=found["replayed_at"],
            replay_paused=bool(found["paused"]),
            replication_state="streaming" if streaming else archive,
            receiver=receiver,
            senders=queries.senders(found["senders"]),
            slots=queries.slots(found["slots"]),
            recovery=queries.recovery(settings) if recovering else None,
            sync_names=settings.get("synchronous_standby_names") or "",
            synchronous_commit=settings.get("synchronous_commit") or "on",
            checkpointer_idle=found["checkpointer"] in queries.IDLE_CHECKPOINTER,
            pending_restart=queries.pending(found["pending"]),
            checkpoint_timeline=found["checkpoint_timeline"],
            can_rewind=self._can_rewind(options, hints),
            standby_signal=self._standby_signal(),
        )

    def _standby_timeline(
        self,
        options: Options,
        postmaster: Postmaster,
        found: Mapping[str, Any],
        replayed: Lsn | None,
        deadline: Instant,
        known: int | None,
    ) -> int | None:
        """The timeline being replayed, which only a replication connection tells; pg_control's where that is refused."""
        kept = self._timeline
        if kept is not None and kept.postmaster == postmaster and (kept.timeline == known or kept.replayed == replayed):
            return kept.timeline
        until = Instant(min(deadline, self._site.clock.now() + _TIMELINE))
        try:
            with connection.local_replication(self._site, options, until) as conn:
                timeline = int(conn.row("IDENTIFY_SYSTEM", None, until)[1])
        except ServerError:
            return int(found["control_timeline"] or found["checkpoint_timeline"])
        self._timeline = _KnownTimeline(postmaster, replayed, timeline)
        return timeline

    def _can_rewind(self, options: Options, hints: bool) -> bool:
        if self._rewind_program is None:
            path = self._site.environment.get("PATH")
            self._rewind_program = shutil.which(self._site.program("pg_rewind"), path=path) is not None
        return options.use_pg_rewind and hints and self._rewind_program

    def _major(self) -> int:
        text = files.major_version(self._site.data_dir) or ""
        return int(text) if text.isdigit() else 0

    def _standby_signal(self) -> bool:
        return (self._site.data_dir / "standby.signal").exists()

    def _hang_up(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def postmaster_fd(self) -> int | None:
        """See `Server.postmaster_fd`."""
        postmaster = process.find(self._site)
        if self._fd is not None:
            if self._fd[0] == postmaster:
                return self._fd[1]
            os.close(self._fd[1])
            self._fd = None
        fd = process.open_fd(postmaster) if postmaster is not None else None
        if postmaster is not None and fd is not None:
            self._fd = (postmaster, fd)
        return fd

    def close(self) -> None:
        self._hang_up()
        if self._fd is not None:
            os.close(self._fd[1])
            self._fd = None
