"""A model of one PostgreSQL server: enough of it for decisions to go wrong on.

The log is a tuple of record ids; positions are bytes of it. A server's history is the list of (timeline, position where
it ended). Streaming copies records whose prefix is equal; it fails where the branches differ, as the real one does.
Obeys the same contract as the real server (tests/contract): a clean stop sends all of the log to those who stream, a
crash sends nothing, promotion opens the next free timeline and ends its own at the last record.
"""

from dataclasses import dataclass, field

from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData, Phase, Postmaster, ServerState, WalSender
from pgctl.model.timeline import Switch, TimelineHistory

RECORD = 0x100
BASE = 0x3000000


def position(records: int) -> Lsn:
    return Lsn(BASE + records * RECORD)


@dataclass
class Server:
    """One data directory and the process on it, if any."""

    name: str
    identifier: str | None = None
    wal: list[int] = field(default_factory=list)
    timeline: int = 1
    switches: list[tuple[int, int]] = field(default_factory=list)
    """(timeline, records) at which it was left."""
    phase: Phase = Phase.EMPTY
    control: str = "shut down"
    upstream: str | None = None
    streams: bool = False
    starts: int = 0
    hung: bool = False

    @property
    def writable(self) -> bool:
        return self.phase is Phase.PRIMARY

    @property
    def running(self) -> bool:
        return self.phase in (Phase.PRIMARY, Phase.STANDBY, Phase.STARTING, Phase.STOPPING)

    def history(self) -> TimelineHistory:
        return TimelineHistory(self.timeline, tuple(Switch(line, position(at)) for line, at in self.switches))

    def look(self, senders: tuple[str, ...] = ()) -> ServerState:
        """What a probe finds."""
        at = position(len(self.wal))
        up = self.phase in (Phase.PRIMARY, Phase.STANDBY)
        if self.hung and self.running:
            return ServerState(Phase.HUNG, postmaster=Postmaster(1, self.starts), system_identifier=self.identifier)
        control = None
        if self.phase is Phase.DOWN:
            control = ControlData(
                self.control,
                self.identifier or "",
                at,
                self.timeline,
                minimum_recovery_lsn=at,
                minimum_recovery_timeline=self.timeline,
            )
        return ServerState(
            self.phase,
            postmaster=Postmaster(1, self.starts) if self.running else None,
            control=control,
            version=150000,
            system_identifier=self.identifier,
            timeline=self.timeline if up else None,
            lsn=at if up else None,
            receive_lsn=at if self.phase is Phase.STANDBY else None,
            replay_lsn=at if self.phase is Phase.STANDBY else None,
            replication_state="streaming" if self.streams and self.phase is Phase.STANDBY else None,
            senders=tuple(WalSender("r", name, None, "streaming", "async", 0) for name in senders),
            can_rewind=True,
            standby_signal=self.phase is Phase.STANDBY,
        )

    # --- verbs ---

    def initdb(self, identifier: str) -> None:
        self.identifier, self.wal, self.timeline, self.switches = identifier, [], 1, []
        self.start(standby=False)

    def start(self, *, standby: bool) -> None:
        self.phase = Phase.STANDBY if standby else Phase.PRIMARY
        self.control = "in archive recovery" if standby else "in production"
        self.streams, self.hung = False, False
        self.starts += 1

    def stop(self) -> None:
        """A clean stop."""
        if self.running:
            self.control = "shut down" if self.phase is Phase.PRIMARY else "shut down in recovery"
            self.phase, self.streams, self.hung = Phase.DOWN, False, False

    def crash(self) -> None:
        if self.running:
            self.phase, self.streams, self.hung = Phase.DOWN, False, False

    def promote(self) -> None:
        if self.phase is Phase.STANDBY:
            self.switches = [*self.switches, (self.timeline, len(self.wal))]
            self.timeline += 1
            self.phase, self.control, self.streams = Phase.PRIMARY, "in production", False

    def copy_from(self, other: "Server") -> None:
        """A base backup."""
        self.identifier, self.wal = other.identifier, list(other.wal)
        self.timeline, self.switches = other.timeline, list(other.switches)
        self.phase, self.control = Phase.DOWN, "in archive recovery"

    def empty(self) -> None:
        self.crash()
        self.identifier, self.wal, self.timeline, self.switches, self.phase = None, [], 1, [], Phase.EMPTY

    def stream_from(self, source: "Server", limit: int = 1 << 30) -> bool:
        """Receives what `source` has and I lack; False where the branches differ."""
        mine, theirs = len(self.wal), len(source.wal)
        if mine > theirs or self.wal != source.wal[:mine] or not self.may_follow(source):
            self.streams = False
            return False
        self.wal.extend(source.wal[mine : mine + limit])
        if len(self.wal) == theirs:
            self.timeline, self.switches = source.timeline, list(source.switches)
        self.streams = True
        return True

    def may_follow(self, source: "Server") -> bool:
        """PostgreSQL's rule, by timeline and position alone; content is what the checker looks at."""
        if source.timeline == self.timeline:
            return True
        fork = dict(source.switches).get(self.timeline)
        return source.timeline > self.timeline and fork is not None and len(self.wal) <= fork
