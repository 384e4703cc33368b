"""Hypothesis strategies for views: any server beside any cluster, sensible or not."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.agent.core import remember
from pgctl.agent.core.memory import Evidence, Handover, Memory
from pgctl.agent.core.view import Host, JobState, Lease, Order, ReinitOrder, RestartOrder, View
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.conf import Conf
from pgctl.model.failsafe import Ping, Promise
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, Role, State, Tags
from pgctl.model.server import ControlData, Phase, Postmaster, ServerState, WalSender
from pgctl.model.settings import Settings, StandbyCluster, SyncMode
from pgctl.model.sync import SyncState
from pgctl.model.timeline import Switch, TimelineHistory
from pgctl.units import Instant, Wall

NAMES = ("a", "b", "c")
NOW = 1000.0
WALL = 1_700_000_000.0
IDENTIFIERS = ("7000000000000000001", "7000000000000000002")

SYNCS = (SyncState(), SyncState("a"), SyncState("a", ("b",)), SyncState("c", ("a",)), SyncState("a", ("b", "c"), 1))
SYNC_NAMES = ("", '"b"', 'ANY 1 ("a","b")', "*", "2 (b, c)")
B_STREAMS = WalSender("r", "b", None, "streaming", "sync", 1, Lsn(0x5000060), Lsn(0x5000060), Lsn(0x5000060))

names = st.sampled_from(NAMES)
lsns = st.sampled_from((0, 0x5000000, 0x5000060, 0x5000100, 0x5200000)).map(Lsn)
timelines = st.integers(1, 4)
tags = st.builds(
    Tags,
    nofailover=st.booleans(),
    failover_priority=st.integers(1, 3),
    clonefrom=st.booleans(),
    nostream=st.booleans(),
    replicatefrom=st.none() | names,
    nosync=st.sampled_from((False, False, True)),
    published=st.just({}),
)
settings = st.builds(
    Settings,
    ttl=st.sampled_from((5.0, 30.0)),
    pause=st.sampled_from((False, False, False, True)),
    synchronous_mode=st.sampled_from(tuple(SyncMode)),
    synchronous_mode_strict=st.booleans(),
    synchronous_node_count=st.integers(1, 2),
    maximum_lag_on_syncnode=st.sampled_from((-1, 16)),
    check_timeline=st.booleans(),
    standby_cluster=st.sampled_from((None, None, StandbyCluster("10.9.9.9"), StandbyCluster(restore_command="cp"))),
    failsafe_mode=st.booleans(),
    primary_start_timeout=st.sampled_from((0.0, 300.0)),
)
members = st.builds(
    Member,
    name=names.map(MemberName),
    conn_url=st.sampled_from((None, "postgres://10.0.0.1:5432/postgres")),
    api_url=st.sampled_from((None, "http://10.0.0.1:8008/patroni")),
    state=st.sampled_from(tuple(State)),
    role=st.sampled_from((*Role, "master", "")),
    timeline=st.none() | timelines,
    xlog_location=st.none() | lsns,
    tags=tags,
)
controls = st.builds(
    ControlData,
    state=st.sampled_from(
        ("shut down", "shut down in recovery", "in production", "in archive recovery", "in crash recovery", "shutting down")
    ),
    system_identifier=st.sampled_from(IDENTIFIERS),
    checkpoint_lsn=lsns,
    checkpoint_timeline=timelines,
    minimum_recovery_lsn=st.none() | lsns,
    minimum_recovery_timeline=st.none() | timelines,
)
intents = st.builds(
    Intent,
    leader=st.none() | names,
    candidate=st.none() | names,
    scheduled_at=st.none() | st.sampled_from((-600.0, 0.0, 600.0)).map(lambda at: datetime.fromtimestamp(WALL + at, UTC)),
    schedule_fault=st.sampled_from(("", "", "", "not a time")),
)
histories = st.builds(
    lambda lines, known: History(tuple(HistoryLine(line, Lsn(0x5000000), "") for line in range(1, lines)), known),
    timelines,
    st.booleans(),
)
peers = st.builds(
    e.Peer,
    name=names,
    reachable=st.booleans(),
    primary=st.booleans(),
    lsn=lsns,
    timeline=st.none() | timelines,
    tags=tags,
    watchdog_failed=st.booleans(),
    looked=st.booleans(),
    failsafe=st.booleans(),
    state=st.sampled_from(("", State.RUNNING, State.STOPPED, State.RESTARTING)),
)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    leader = draw(
        st.none() | st.builds(Leader, name=names.map(MemberName), revision=st.just(Revision(7)), mine=st.booleans())
    )
    known = draw(st.lists(members, max_size=3, unique_by=lambda member: member.name))
    return Cluster(
        "test",
        leader=leader,
        members=tuple(known),
        initialize=draw(st.sampled_from((None, "", "garbage", *IDENTIFIERS))),
        settings=draw(settings),
        config=draw(st.sampled_from((None, {"ttl": 30}))),
        status=Status(draw(lsns)),
        sync=draw(st.sampled_from(SYNCS)),
        intent=draw(st.none() | intents),
        history=draw(histories),
        failsafe=draw(st.sampled_from((None, {"a": "http://a"}, {"a": "http://a", "b": "http://b", "c": "http://c"}))),
    )


@st.composite
def servers(draw: st.DrawFn) -> ServerState:
    phase = draw(st.sampled_from(tuple(Phase)))
    up = phase in (Phase.PRIMARY, Phase.STANDBY)
    identifier = None if phase in (Phase.EMPTY, Phase.UNREADABLE) else draw(st.sampled_from((None, *IDENTIFIERS)))
    lsn = draw(st.none() | lsns) if up else None
    return ServerState(
        phase,
        postmaster=Postmaster(9, 1.0) if up else None,
        control=draw(controls) if phase is Phase.DOWN else None,
        system_identifier=identifier,
        timeline=draw(st.none() | timelines) if up else None,
        lsn=lsn,
        receive_lsn=lsn,
        replay_lsn=lsn,
        replication_state=draw(st.sampled_from((None, "streaming"))),
        senders=draw(st.sampled_from(((), (B_STREAMS,), (B_STREAMS, replace(B_STREAMS, application_name="A"))))),
        sync_names=draw(st.sampled_from(SYNC_NAMES)) if up else "",
        checkpointer_idle=draw(st.booleans()),
        can_rewind=draw(st.booleans()),
    )


jobs = st.sampled_from(
    (j.Promote(), j.Stop(handover=True), j.StartStandby(), j.StartPrimary(), j.Clone(), j.Rewind(), j.Rebuild(), j.Restart())
)
job_states = st.builds(
    JobState,
    job=jobs,
    started=st.just(Instant(NOW - 5)),
    ended=st.booleans(),
    ok=st.booleans(),
    message=st.just("it broke"),
    irrevocable=st.booleans(),
)
orders: st.SearchStrategy[Order | None] = st.sampled_from(
    (None, None, RestartOrder(1), ReinitOrder(1), ReinitOrder(2, True))
)
memories = st.builds(
    Memory,
    leaderless_since=st.none() | st.sampled_from((NOW, NOW - 5, NOW - 100)).map(Instant),
    former_leader=st.none() | names,
    settings=settings,
    start_failures=st.integers(0, 4),
    last_failure=st.just("it broke"),
    rewind_failed=st.booleans(),
    rebuilds=st.integers(0, 4),
    retry_at=st.sampled_from((0.0, NOW + 1)).map(Instant),
    hung_since=st.none() | st.sampled_from((NOW - 2, NOW - 60)).map(Instant),
    fence_armed=st.sampled_from((None, True, False)),
    bootstrapping=st.booleans(),
    claim_seen=st.none() | st.sampled_from(((0, Instant(NOW - 5)), (0, Instant(NOW - 100)), (1, Instant(NOW - 100)))),
    handover=st.none() | st.builds(Handover, names, st.none() | st.sampled_from((NOW, NOW - 5)).map(Instant)),
    conf=st.none() | st.builds(Conf, standby=st.booleans(), sync_names=st.none() | st.sampled_from(SYNC_NAMES)),
    evidence=st.builds(
        Evidence,
        life=st.sampled_from((None, (9, 1.0, "primary"), (9, 1.0, "standby"))),
        names=st.sampled_from(SYNC_NAMES),
        mark=st.none() | lsns,
        proven=st.frozensets(names),
    ),
    leaving_since=st.none() | st.sampled_from((NOW - 2, NOW - 60)).map(Instant),
    role_called=st.sampled_from(("", "primary", "replica")),
)
line_histories = st.builds(
    lambda line, at: TimelineHistory(line, tuple(Switch(past, Lsn(at)) for past in range(1, line))), timelines, lsns
)


promises = st.builds(
    Promise,
    until=st.sampled_from((NOW - 60, NOW - 5, NOW + 9)).map(Instant),
    ping=st.none() | st.builds(Ping, name=names, conn_url=st.just("x"), api_url=st.just("x")),
)
rounds = st.builds(
    e.Round,
    sent=st.just(Instant(NOW - 0.1)),
    accepted=st.sampled_from(((), (("b", None),))),
    refused=st.sampled_from(((), (("c", "no answer"),))),
)


@st.composite
def views(draw: st.DrawFn) -> View:
    """A view with its memory brought up to date, as the cycle does."""
    host = Host(
        MemberName(draw(names)),
        "postgres://10.0.0.1:5432/postgres",
        "http://10.0.0.1:8008/patroni",
        "4.1.0",
        draw(tags),
        bootstrap=draw(st.sampled_from((None, {"ttl": 30}))),
        rebuild_allowed=draw(st.booleans()),
        watchdog_fault=draw(st.sampled_from(("", "", "gone"))),
    )
    held = draw(st.booleans())
    until = Instant(NOW + draw(st.sampled_from((-1.0, 0.5, 4.0, 27.0)))) if held else Instant(0)
    lease = Lease(held, until, failsafe=held and draw(st.booleans()))
    view = View(
        Instant(NOW),
        Wall(WALL),
        host,
        draw(servers()),
        draw(st.none() | clusters()) if draw(st.booleans()) else draw(clusters()),
        peers=draw(st.none() | st.lists(peers, max_size=2, unique_by=lambda peer: peer.name).map(tuple)),
        upstream_history=draw(st.none() | line_histories),
        job=draw(st.none() | job_states),
        lease=lease,
        promise=draw(st.none() | promises),
        round=draw(st.none() | rounds),
        order=draw(orders),
        memory=draw(memories),
    )
    return replace(view, memory=remember.update(view))
