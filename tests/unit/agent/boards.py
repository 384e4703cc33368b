"""Boards in the states that the REST contract speaks of: three members, one of them me."""

from dataclasses import replace

from pgctl.agent.board import Board, Notice
from pgctl.agent.core.job import Job
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Decision, Host, JobState, Lease, View
from pgctl.model import tags
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.server import Phase, Postmaster, ServerState, WalReceiver
from pgctl.model.settings import Settings, StandbyCluster, SyncMode
from pgctl.model.sync import SyncState
from pgctl.units import Instant, Wall

NOW = Instant(1000.0)
WALL = Wall(1_767_225_600.0)  # 2026-01-01 00:00:00 UTC
END = Lsn(0x5000060)
DEFAULTS = Settings()
NO_SYNC = SyncState()


def host(**written: object) -> Host:
    return Host(MemberName("a"), "postgres://10.0.0.1:5432/postgres", "http://10.0.0.1:8008/patroni", "4.1.0",
                tags.read(written))


def primary() -> ServerState:
    return ServerState(Phase.PRIMARY, Postmaster(7, 1.0, "2025-12-31 23:00:00.500000+00:00"), version=150018,
                       system_identifier="7000000000000000001", timeline=3, lsn=END)


def standby(**changes: object) -> ServerState:
    found = ServerState(Phase.STANDBY, Postmaster(7, 1.0, "2025-12-31 23:00:00.500000+00:00"), version=150018,
                        system_identifier="7000000000000000001", timeline=3, lsn=END, receive_lsn=END, replay_lsn=END,
                        replay_timestamp="2025-12-31 23:59:59.250000+00:00", replication_state="streaming",
                        receiver=WalReceiver("streaming", 3, latest_end_lsn=END))
    return replace(found, **changes)  # type: ignore[arg-type]


def cluster(leader: str | None = "b", settings: Settings = DEFAULTS, sync: SyncState = NO_SYNC,
            **changes: object) -> Cluster:
    members = tuple(
        Member(MemberName(name), f"postgres://10.0.0.{place}:5432/postgres", f"http://10.0.0.{place}:8008/patroni",
               state="running", role="primary" if name == leader else "replica", timeline=3, xlog_location=END)
        for place, name in enumerate("abc", 1)
    )
    held = None if leader is None else Leader(MemberName(leader), Revision(5), leader == "a")
    found = Cluster("prod", held, members, "7000000000000000001", settings, {"ttl": 30}, Status(END), sync)
    return replace(found, **changes)  # type: ignore[arg-type]


def synchronous(mode: SyncMode) -> Cluster:
    """Where I, a, am listed."""
    return cluster(settings=Settings(synchronous_mode=mode), sync=SyncState("b", ("a",)))


STANDBY_CLUSTER = Settings(standby_cluster=StandbyCluster(host="10.9.9.9"))


def notice(server: ServerState, reading: Cluster | None = None, *, leads: bool = False, me: Host | None = None,
           settings: Settings = DEFAULTS, job: Job | None = None, rule: str = "follow.90",
           earlier: Cluster | None = None) -> Notice:
    """A board as the loop would write it: read at NOW, and before that, if `earlier`, a reading ten seconds ago.

    `settings` are those remembered, for a view that could not read the store.
    """
    board = Board("prod", me or host(), Instant(NOW - 20), Wall(WALL - 20))
    memory = Memory(settings=settings)
    if earlier is not None:
        board.show(View(Instant(NOW - 10), Wall(WALL - 10), me or host(), server, earlier, memory=memory))
    view = View(NOW, WALL, me or host(), server, reading, "" if reading else "connection refused", memory=memory,
                job=JobState(job, Instant(NOW - 2)) if job else None)
    board.decide(view, Decision(rule, "all is well", "nothing to do", (), memory, Instant(NOW + 10), ("streaming",),
                                (("follow.10", "diverged"),)))
    board.lease(Lease(leads, Instant(NOW + 25)))
    return board.read()
