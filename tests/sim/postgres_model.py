"""A model of one PostgreSQL server: enough of it for decisions to go wrong on.

The log is a list of record ids. An id is given out once, behind one prefix; so two logs are equal up to n records when
their n-th ones are. A server's history is the list of (timeline, records where it was left). Streaming copies records
whose prefix is equal; it fails where the branches differ, as the real one does. Obeys the same contract as the real
server (tests/contract): a clean stop takes no writes from its beginning and sends all of the log to those who stream by
its end, a crash sends nothing, promotion opens the next timeline and ends its own at the last record. What a postmaster
was told to do, it does without the agent that told it.

A record is written, then flushed, then (by a standby) confirmed. Only what is flushed is sent on, and survives the loss of
the host; a crash of the processes alone loses nothing that was written. A client whose commit waits for standbys when the
server ends hears nothing: its commit is written, and was never acknowledged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pgctl.model.conf import Conf, SlotPlan
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData, Phase, Postmaster, ServerState, Slot, WalSender
from pgctl.model.timeline import Switch, TimelineHistory
from tests.sim import logical_model, sync_names_model
from tests.sim.sync_names_model import SyncNames

RECORD = 0x100
BASE = 0x3000000


def position(count: int) -> Lsn:
    return Lsn(BASE + count * RECORD)


def records(at: int) -> int:
    return (at - BASE) // RECORD


@dataclass
class Server:
    """One data directory and the process on it, if any. `opened` and `closed` hear when it begins and ends to take
    writes, with how that came.
    """

    name: str
    opened: Callable[["Server", str], None] = lambda server, how: None
    closed: Callable[["Server", str], None] = lambda server, how: None
    renamed: Callable[["Server"], None] = lambda server: None
    """Hears of other synchronous_standby_names in force."""
    identifier: str | None = None
    wal: list[int] = field(default_factory=list)
    timeline: int = 1
    switches: list[tuple[int, int]] = field(default_factory=list)
    """(timeline, records) at which it was left."""
    phase: Phase = Phase.EMPTY
    control: str = "shut down"
    upstream: str | None = None
    streams: bool = False
    session: int = 0
    """Of which start of the upstream; it streams as long as neither end knows better (`replication_model`)."""
    heard: float = 0.0
    """When something last came through that session."""
    starts: int = 0
    """Of servers; tells one from the next."""
    born: int = 0
    """The start that was its postmaster's, which starts its server over when one of its processes was killed."""
    hung: bool = False
    vanished: bool = False
    """Its host is lost: nobody is told of it."""
    flushed: int = 0
    """Records that are on the disk."""
    slow_disk: float = 0.0
    """Seconds from one flush to the next; 0: each record is flushed as it comes."""
    next_flush: float = 0.0
    names: SyncNames = SyncNames()
    """synchronous_standby_names in force."""
    names_text: str = ""
    written_names: str = ""
    """The same in the configuration file, which a start or a reload reads."""
    waiting: list[tuple[int, int, float]] = field(default_factory=list)
    """Commits that nobody has acknowledged yet: (position, record, written at)."""
    control_timeline: int = 1
    """The timeline of the last checkpoint in pg_control."""
    slots: dict[str, int] = field(default_factory=dict)
    """Slot name → records that whoever streams through it has; nothing behind that is removed."""

    logical: dict[str, int] = field(default_factory=dict)
    """The same of logical ones: what their consumers have."""
    version: int = 150000
    boasts: int = 0
    """Records more that it says to have replayed (a fault of ours, for tests)."""

    @property
    def writable(self) -> bool:
        return self.phase is Phase.PRIMARY

    @property
    def checkpointed(self) -> bool:
        """Whether pg_control carries the timeline that the server is on: after a promotion only with the next checkpoint."""
        return self.control_timeline == self.timeline

    @property
    def standby(self) -> bool:
        return self.phase is Phase.STANDBY

    @property
    def recovers(self) -> bool:
        """Whether standby.signal is there: until a promotion takes it away."""
        return self.control in ("in archive recovery", "shut down in recovery")

    @property
    def running(self) -> bool:
        return self.phase in (Phase.PRIMARY, Phase.STANDBY, Phase.STARTING, Phase.STOPPING)

    @property
    def serves(self) -> bool:
        """Whether walsenders work: the last ones to end in a clean stop."""
        return self.phase in (Phase.PRIMARY, Phase.STANDBY, Phase.STOPPING) and not self.hung

    def history(self) -> TimelineHistory:
        return TimelineHistory(self.timeline, tuple(Switch(line, position(at)) for line, at in self.switches))

    def change_slots(self, plan: SlotPlan) -> None:
        """Physical ones, from the present end of the log on; none is moved past what I have, or back."""
        for name in plan.drop:
            self.slots.pop(name, None)
            self.logical.pop(name, None)
        for want in plan.create:
            self.slots.setdefault(want.name, self.flushed)
        for name, goal in plan.advance:
            self.slots[name] = max(self.slots[name], min(self.flushed, records(goal)))

    def look(self, senders: tuple[WalSender, ...] = ()) -> ServerState:
        """What a probe finds."""
        if (self.hung and self.running) or self.phase in (Phase.STARTING, Phase.STOPPING):
            return ServerState(
                Phase.HUNG if self.hung else self.phase,
                postmaster=Postmaster(1, self.born),
                control=self._pg_control(),
                version=self.version,
                system_identifier=self.identifier,
                standby_signal=self.recovers,
            )
        if self.phase is Phase.DOWN:
            return ServerState(self.phase, control=self._pg_control(), version=self.version, can_rewind=True,
                               system_identifier=self.identifier, standby_signal=self.recovers)  # fmt: skip
        at, up, standby = position(self.flushed), self.phase in (Phase.PRIMARY, Phase.STANDBY), self.standby
        return ServerState(
            self.phase,
            postmaster=Postmaster(1, self.born) if self.running else None,
            version=self.version,
            system_identifier=self.identifier,
            timeline=self.timeline if up else None,
            checkpoint_timeline=self.control_timeline if up else None,
            lsn=at if up else None,
            receive_lsn=at if standby else None,
            replay_lsn=Lsn(at + self.boasts * RECORD) if standby else None,
            replication_state="streaming" if self.streams and standby else None,
            senders=senders,
            sync_names=self.names_text if up else "",
            slots=tuple(
                Slot(name, "physical", name in {one.application_name for one in senders}, position(at))
                for name, at in sorted(self.slots.items())
            )
            + logical_model.shown(self, position),
            can_rewind=True,
            standby_signal=standby,
        )

    def _pg_control(self) -> ControlData:
        """What pg_controldata tells, whatever the server does."""
        at, line = position(self.flushed), self.timeline if self.recovers else self.control_timeline
        return ControlData(self.control, self.identifier or "", at, line, minimum_recovery_lsn=at,
                           minimum_recovery_timeline=self.timeline)  # fmt: skip

    # --- verbs: each leaves the server in one phase ---

    def start(self, *, standby: bool) -> None:
        """A postmaster that is not up yet; `come_up` follows."""
        self.phase = Phase.STARTING
        self.control = "in archive recovery" if standby else "in production"
        self.streams, self.hung = False, False
        self.starts += 1
        self.born = self.starts
        self.reload()

    def come_up(self) -> None:
        if self.phase is Phase.STARTING:
            standby = self.control == "in archive recovery"
            self.phase = Phase.STANDBY if standby else Phase.PRIMARY
            if not standby:
                self.checkpoint()
                self.opened(self, "started")

    def initdb(self, identifier: str) -> None:
        self.identifier, self.wal, self.timeline, self.switches = identifier, [], 1, []
        self.flushed, self.control_timeline = 0, 1
        self.start(standby=False)
        self.phase = Phase.PRIMARY
        self.opened(self, "made")

    def begin_stop(self, how: str = "stopped") -> None:
        """SIGINT: no transaction is committed any more; walsenders go on until `end_stop`."""
        if self.phase in (Phase.PRIMARY, Phase.STANDBY):
            self._close(how)
            self.control = "shutting down" if self.writable else "in archive recovery"
            self.phase = Phase.STOPPING
        elif self.phase is Phase.STARTING:
            self.phase = Phase.DOWN

    def finish(self) -> None:
        """The last checkpoint of a clean stop: from here on it is one, whatever comes."""
        if self.phase is Phase.STOPPING and not self.control.startswith("shut down"):
            self.control = {"shutting down": "shut down"}.get(self.control, "shut down in recovery")
            self.flushed = len(self.wal)
            self.checkpoint()

    def end_stop(self) -> None:
        if self.phase is Phase.STOPPING:
            self.finish()
            self.phase, self.streams, self.hung = Phase.DOWN, False, False

    def checkpoint(self) -> None:
        self.control_timeline = self.timeline

    def crash(self, how: str = "crashed") -> None:
        if self.running:
            self._close(how)
            self.flushed = len(self.wal)
            self.phase, self.streams, self.hung = Phase.DOWN, False, False

    def start_over(self, how: str) -> None:
        """One of its processes was killed: the postmaster ends the others, and starts its server again as what it was."""
        if self.phase in (Phase.PRIMARY, Phase.STANDBY):
            self._close(how)
            self.phase, self.streams, self.flushed = Phase.STARTING, False, len(self.wal)
            self.starts += 1

    def vanish(self) -> None:
        """With its host: whoever streamed believes in the session still."""
        streamed = self.streams
        self.crash("lost")
        self.vanished, self.streams = True, streamed

    def appear(self) -> None:
        """The host is there again, and knows of no session."""
        if self.vanished:
            self.vanished, self.streams = False, False

    def lose_tail(self) -> None:
        """What a lost host takes with it: all that was not flushed. Before `crash`."""
        del self.wal[self.flushed :]

    def promote(self, timeline: int = 0) -> None:
        self.flushed = len(self.wal)
        self.switches = [*self.switches, (self.timeline, len(self.wal))]
        self.timeline = max(self.timeline + 1, timeline)
        self.phase, self.control, self.streams = Phase.PRIMARY, "in production", False
        self.opened(self, "promoted")

    def cancel(self, record: int) -> None:
        """A client that waits for standbys no longer: its commit stands, and was never acknowledged by them."""
        self.waiting = [commit for commit in self.waiting if commit[1] != record]

    def _close(self, how: str) -> None:
        self.waiting.clear()
        if self.writable:
            self.closed(self, how)

    def copy_from(self, other: "Server") -> None:
        """A base backup."""
        self.identifier, self.wal, self.flushed = other.identifier, other.wal[: other.flushed], other.flushed
        self.timeline, self.switches = other.timeline, list(other.switches)
        self.control_timeline = other.control_timeline
        self.phase, self.control, self.slots, self.logical = Phase.DOWN, "in archive recovery", {}, {}

    def empty(self) -> None:
        self.crash()
        self.identifier, self.wal, self.timeline, self.switches, self.phase = None, [], 1, [], Phase.EMPTY
        self.flushed, self.written_names, self.slots, self.logical = 0, "", {}, {}

    def configure(self, conf: Conf) -> None:
        """Writes the configuration. The upstream is read at once, the names with the next `reload` or `start`."""
        if conf.standby:
            before, self.upstream = self.upstream, conf.upstream.name if conf.upstream else None
            self.streams = self.streams and before == self.upstream
        parameters = conf.postgresql.get("parameters") or {}
        own = parameters.get("synchronous_standby_names", "") if isinstance(parameters, Mapping) else ""
        self.written_names = str(own) if conf.sync_names is None else conf.sync_names

    def reload(self) -> None:
        if self.names_text != self.written_names:
            self.names_text, self.names = self.written_names, sync_names_model.parse(self.written_names)
            self.renamed(self)
