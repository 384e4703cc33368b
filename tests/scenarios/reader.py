"""Reads a scenario: a few lines that say a view in words, `=>` the rule, and the effects that must follow.

# why this scenario exists
me b  bootstrap  nofailover  priority 2  [unwatched]   who I am, and my tags; a watchdog is required and unusable
cluster  ttl 30  pause  optime 0/5000000  timeline 3  initialize 7000000000000000001  identifier none
        remote 10.9.9.9  [slot s]  archive       a standby cluster: its remote primary, by stream or by archive
cluster  failsafe a,b  |  cluster  unreadable  [known]     whom `/failsafe` names;  no store, but what it said last
leader a [mine]                                no line: nobody leads
member a  primary  [state running]  timeline 3  lsn 0/50  [nofailover] [clonefrom] [noaddress]
server standby  version 15  timeline 3  lsn 0/50  streaming  control "shut down"  rewind  silent 20
peer c  [timeline 4]  lsn 0/50  [primary] [unreachable] [down] [stale] [restarting] [nofailover] [priority 2]
sync on|quorum  [strict]  [nodes 2]  [lag 100]  [published a,b,c  [votes 1] [old]]     the mode, and `/sync`, its leader
                                               first; old: I have written over it
names 'ANY 1 ("b")'  [told ""]  [new]  [proven b,c]  [busy]                       in force; seen for the first time
walsender b  lsn 0/50  [sync|quorum|potential]  [from 10.0.0.7]  [stale]
history 4  3 0/5000000                         the leader's: timeline, then (timeline, switch point) pairs
lease 20                                       seconds left; no line: not held
intent  leader a  candidate b  at +60  fault  [seen 3]
job promote  [irrevocable]  |  job promote ended ok  |  job start ended failed
order restart  |  order reinit  [force]
slot b  [at 0/50]  [active] [xmin] [lost] [failover] [synced] [temporary]  [logical app pgoutput]  [catalog 7]  here
leaders feed 7  b 7  [broken feed] [copyable x] [marked x] [plain x]
                                               catalog_xmin of the leader's slots, and what else was found
permanent feed  [logical app pgoutput]  [for standby]     in the setting `slots`
ignore name x  plugin y                        a matcher of `ignore_slots`
told  b 0/50  c 0/60                           positions in /status;  retained b c: names there
promise  b 12  [told c:0/50]                   to whom, seconds left, with what positions of slots
promise  unknown 5                             an agent that began so long ago
round  agreed b,c  refused d                   what members said to me, who lead without the store
memory  leaderless 3  handover b  [offered 3]  failures 2  retry 5  rewind-failed  rebuilds 3  former a  fence armed
        unfed 90  ready feed  copied 9  grew 0
        away 20  crashes 2  primary-up  yielding    seconds since my server is away; past crashes; up at the last look
=> race.85  nobody I must hear from is missing, and nobody is ahead of me
   HoldLease; StartJob promote
"""

import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.agent.core.memory import Evidence, Handover, Memory
from pgctl.agent.core.view import Host, JobState, Lease, Order, ReinitOrder, RestartOrder, View
from pgctl.model import lsn as lsns
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.conf import Conf, LogicalFound
from pgctl.model.failsafe import Ping, Promise
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, PendingParameter, State, Tags
from pgctl.model.server import ControlData, Phase, Postmaster, ServerState, Slot, WalSender
from pgctl.model.settings import Settings, StandbyCluster, SyncMode
from pgctl.model.sync import SyncState
from pgctl.model.timeline import Switch, TimelineHistory
from pgctl.units import Instant, Wall

NOW, WALL, IDENTIFIER = Instant(1000.0), Wall(1_700_000_000.0), "7000000000000000001"
JOBS: dict[str, j.Job] = {
    "promote": j.Promote(),
    "stop": j.Stop(),
    "handover": j.Stop(handover=True),
    "start": j.StartStandby(),
    "start-primary": j.StartPrimary(),
    "clone": j.Clone(),
    "rewind": j.Rewind(),
    "rebuild": j.Rebuild(),
    "restart": j.Restart(),
    "bootstrap": j.Bootstrap(),
}


@dataclass
class Words:
    """The words of one line: flags, and values that follow their name."""

    words: list[str]
    used: set[int] = field(default_factory=set)

    def flag(self, name: str) -> bool:
        if name in self.words:
            self.used.add(self.words.index(name))
            return True
        return False

    def value(self, name: str, default: str = "") -> str:
        if name not in self.words:
            return default
        at = self.words.index(name)
        self.used |= {at, at + 1}
        return self.words[at + 1]

    def first(self) -> str:
        self.used.add(0)
        return self.words[0]

    def check(self, line: str) -> None:
        unknown = [word for at, word in enumerate(self.words) if at not in self.used]
        if unknown:
            raise ValueError(f"not understood: {' '.join(unknown)} in: {line}")

    def lsn(self, name: str = "lsn") -> Lsn | None:
        text = self.value(name)
        return lsns.parse(text) if text else None

    def number(self, name: str) -> int | None:
        text = self.value(name)
        return int(text) if text else None


@dataclass
class Draft:
    """A view in the making."""

    host: Host = Host(MemberName("me"), "postgres://10.0.0.9:5432/postgres", "http://10.0.0.9:8008/patroni", "4.1.0")
    cluster: Cluster | None = field(
        default_factory=lambda: Cluster("test", initialize=IDENTIFIER, config={}, history=History((), True))
    )
    server: ServerState = ServerState(Phase.STANDBY, system_identifier=IDENTIFIER)
    peers: list[e.Peer] | None = None
    upstream_history: TimelineHistory | None = None
    lease: Lease = Lease()
    promise: Promise | None = None
    round: e.Round | None = None
    job: JobState | None = None
    order: Order | None = None
    logical: LogicalFound | None = None
    memory: Memory = Memory()


def read(lines: list[str]) -> View:
    """The view that the lines before `=>` describe. Raises ValueError on a word that it does not know."""
    draft = Draft()
    for line in lines:
        name, *rest = shlex.split(line, comments=True) or [""]
        if name:
            words = Words(rest)
            READERS[name](draft, words)
            words.check(line)
    peers = tuple(draft.peers) if draft.peers is not None else None
    if draft.cluster is not None and draft.memory.known_members == ():
        draft.memory = replace(draft.memory, known_members=draft.cluster.members)
    view = View(NOW, WALL, draft.host, draft.server, draft.cluster, "" if draft.cluster else "no answer", peers)
    return replace(
        view,
        memory=draft.memory,
        upstream_history=draft.upstream_history,
        history_asked=draft.upstream_history is not None,
        lease=draft.lease,
        promise=draft.promise,
        round=draft.round,
        job=draft.job,
        order=draft.order,
        logical=draft.logical,
    )


def tags(words: Words) -> Tags:
    return Tags(
        nofailover=words.flag("nofailover"),
        failover_priority=words.number("priority") or 1,
        clonefrom=words.flag("clonefrom"),
        replicatefrom=words.value("replicatefrom") or None,
        nostream=words.flag("nostream"),
        nosync=words.flag("nosync"),
        sync_priority=words.number("sync_priority") or 1,
    )


def me(draft: Draft, words: Words) -> None:
    bootstrap = {"ttl": 30} if words.flag("bootstrap") else None
    draft.host = replace(
        draft.host,
        name=MemberName(words.first()),
        tags=tags(words),
        bootstrap=bootstrap,
        rebuild_allowed=not words.flag("no-rebuild"),
        watchdog_fault="/dev/watchdog does not exist" if words.flag("unwatched") else "",
    )


def cluster(draft: Draft, words: Words) -> None:
    if words.flag("unreadable"):
        last = draft.cluster if words.flag("known") else None
        draft.cluster = None
        draft.memory = replace(draft.memory, settings=Settings(ttl=30, pause=words.flag("pause")), cluster=last)
        return
    assert draft.cluster is not None
    start = words.number("primary_start_timeout")
    found = words.value("remote") or None
    slot, archive = words.value("slot") or None, "cp" if words.flag("archive") else None
    remote = StandbyCluster(found, primary_slot_name=slot, restore_command=archive) if found or archive else None
    settings = Settings(
        standby_cluster=remote,
        ttl=float(words.value("ttl", "30")),
        pause=words.flag("pause"),
        synchronous_mode=SyncMode.ON if words.flag("synchronous") else SyncMode.OFF,
        check_timeline=words.flag("check_timeline"),
        primary_race_backoff=float(words.number("primary_race_backoff") or 0),
        primary_start_timeout=300 if start is None else start,
        member_slots_ttl=float(words.value("slots_ttl", "1800")),
        failsafe_mode=bool(words.value("failsafe")),
    )
    initialize: str | None = words.value("initialize", IDENTIFIER)
    initialize = {"none": None, "empty": ""}.get(str(initialize), initialize)
    timeline = words.number("timeline") or 1
    lines = tuple(HistoryLine(past, Lsn(past * 0x1000000), "") for past in range(1, timeline))
    standbys = words.value("sync")
    draft.cluster = replace(
        draft.cluster,
        settings=settings,
        initialize=initialize,
        config=None if words.flag("noconfig") else {},
        status=Status(words.lsn("optime") or Lsn(0)),
        history=History(lines, True),
        sync=SyncState(standbys.split(",")[0], tuple(standbys.split(",")[1:])) if standbys else SyncState(),
        failsafe={name: "http://10.0.0.1:8008/patroni" for name in words.value("failsafe").split(",") if name} or None,
        revisions={"initialize": Revision(3), "config": Revision(4), "sync": Revision(5), "failsafe": Revision(6)},
    )


def sync(draft: Draft, words: Words) -> None:
    assert draft.cluster is not None
    mode = SyncMode(words.first())
    listed = [name for name in words.value("published").split(",") if name]
    settings = replace(
        draft.cluster.settings,
        synchronous_mode=mode,
        synchronous_mode_strict=words.flag("strict"),
        synchronous_node_count=words.number("nodes") or 1,
        maximum_lag_on_syncnode=words.number("lag") or -1,
        primary_stop_timeout=words.number("stop") or 0,
    )
    state = SyncState(listed[0], tuple(listed[1:]), words.number("votes") or 0) if listed else SyncState()
    draft.cluster = replace(draft.cluster, settings=settings, sync=state)
    if words.flag("old"):
        draft.memory = replace(draft.memory, sync_tried=(draft.cluster.revision("sync"),))


def names(draft: Draft, words: Words) -> None:
    text = words.first()
    told = words.value("told", text)
    draft.server = replace(draft.server, sync_names=text, checkpointer_idle=not words.flag("busy"))
    standby = draft.server.phase is Phase.STANDBY
    proven = frozenset(name for name in words.value("proven").split(",") if name)
    new = words.flag("new")
    evidence = Evidence((99, 1.0, draft.server.phase.value), text, False, None if new else Lsn(1), proven, 0 if new else 2)
    draft.memory = replace(draft.memory, conf=Conf(standby=standby, sync_names=told), evidence=evidence)


def walsender(draft: Draft, words: Words) -> None:
    name, at = words.first(), words.lsn()
    state = next((state for state in ("sync", "quorum", "potential") if words.flag(state)), "async")
    number = 1 if state != "async" or words.flag("stale") else 0
    found = WalSender("replicator", name, words.value("from", "10.0.0.2"), "streaming", state, number, at, at, at)
    draft.server = replace(draft.server, senders=(*draft.server.senders, found))


def leader(draft: Draft, words: Words) -> None:
    assert draft.cluster is not None
    draft.cluster = replace(
        draft.cluster,
        leader=Leader(MemberName(words.first()), Revision(7), words.flag("mine")),
        revisions={**draft.cluster.revisions, "leader": Revision(7)},
    )


def member(draft: Draft, words: Words) -> None:
    assert draft.cluster is not None
    name = words.first()
    roles = ("primary", "replica", "uninitialized", "demoted", "standby_leader")
    role = next((role for role in roles if words.flag(role)), "replica")
    number = len(draft.cluster.members) + 1
    address = not words.flag("noaddress")
    found = Member(
        MemberName(name),
        conn_url=f"postgres://10.0.0.{number}:5432/postgres" if address else None,
        api_url=f"http://10.0.0.{number}:8008/patroni" if address else None,
        state=words.value("state", "running"),
        role=role,
        timeline=words.number("timeline"),
        xlog_location=words.lsn(),
        replay_lsn=words.lsn("replay"),
        tags=tags(words),
    )
    draft.cluster = replace(draft.cluster, members=(*draft.cluster.members, found))


def server(draft: Draft, words: Words) -> None:
    phase = Phase(words.first())
    at, timeline = words.lsn(), words.number("timeline") or 1
    state = words.value("control")
    foreign = words.flag("foreign")
    identifier = "7999999999999999999" if foreign else IDENTIFIER
    hung = words.number("silent")
    major = words.number("version") or 0
    flushed = words.lsn("flushed")
    senders = tuple(
        WalSender("replicator", name, None, "streaming", "async", 0, flush_lsn=flushed)
        for name in filter(None, words.value("sends").split(","))
    )
    draft.server = ServerState(
        phase,
        postmaster=Postmaster(99, 1.0),
        control=ControlData(state, identifier, words.lsn("checkpoint") or Lsn(0), timeline) if state else None,
        version=major * 10000,
        system_identifier=None if phase is Phase.EMPTY else identifier,
        timeline=timeline,
        lsn=at,
        receive_lsn=at,
        replay_lsn=at,
        replication_state="streaming" if words.flag("streaming") else None,
        can_rewind=words.flag("rewind"),
        senders=senders,
        replay_paused=words.flag("starved"),
        pending_restart=(PendingParameter("max_connections", "50", "150"),) if "starved" in words.words else (),
    )
    if hung is not None:
        draft.memory = replace(draft.memory, hung_since=Instant(NOW - hung))


def logical(words: Words) -> tuple[str | None, str | None]:
    """`logical DATABASE PLUGIN`, or nothing."""
    database = words.value("logical") or None
    return database, words.value(database) if database else None


def slot(draft: Draft, words: Words) -> None:
    name = words.first()
    database, plugin = logical(words)
    at = words.lsn("at")
    found = Slot(
        name,
        "logical" if database else "physical",
        words.flag("active"),
        at,
        at if database else None,
        database,
        plugin,
        has_xmin=words.flag("xmin"),
        catalog_xmin=words.number("catalog"),
        wal_status="lost" if words.flag("lost") else "reserved",
        failover=words.flag("failover"),
        synced=words.flag("synced"),
        temporary=words.flag("temporary"),
    )
    draft.server = replace(draft.server, slots=(*draft.server.slots, found))


def permanent(draft: Draft, words: Words) -> None:
    name, kind = words.first(), words.value("for")
    database, plugin = logical(words)
    document: dict[str, object] = {"type": "logical", "database": database, "plugin": plugin} if database else {}
    configure(draft, slots={**settings(draft).slots, name: document | ({"cluster_type": kind} if kind else {})})


def ignore(draft: Draft, words: Words) -> None:
    matcher = dict(zip(words.words[::2], words.words[1::2], strict=True))
    words.used |= set(range(len(words.words)))
    configure(draft, ignore_slots=(*settings(draft).ignore_slots, matcher))


def settings(draft: Draft) -> Settings:
    assert draft.cluster is not None
    return draft.cluster.settings


def configure(draft: Draft, **changes: object) -> None:
    assert draft.cluster is not None
    draft.cluster = replace(draft.cluster, settings=replace(draft.cluster.settings, **changes))  # type: ignore[arg-type]


def leaders(draft: Draft, words: Words) -> None:
    """What the leader's slots were found to need, by transaction number; `broken NAME`: one here that is beyond use."""
    found, copyable = words.value("broken"), words.value("copyable")
    marked, plain = words.value("marked"), words.value("plain")
    pairs = [word for at, word in enumerate(words.words) if at not in words.used]
    words.used |= set(range(len(words.words)))
    xmins = tuple((name, int(xmin)) for name, xmin in zip(pairs[::2], pairs[1::2], strict=True))
    confirmed = {slot.name: slot.confirmed_flush_lsn for slot in draft.server.slots}
    draft.logical = LogicalFound(xmins, ((found, confirmed[found]),) if found else (),
                                 (copyable,) if copyable else (),
                                 (marked,) if marked else (), (plain,) if plain else ())


def told(draft: Draft, words: Words) -> None:
    assert draft.cluster is not None
    found = {name: int(lsns.parse(at)) for name, at in zip(words.words[::2], words.words[1::2], strict=True)}
    words.used |= set(range(len(words.words)))
    draft.cluster = replace(draft.cluster, status=replace(draft.cluster.status, slots=found))


def retained(draft: Draft, words: Words) -> None:
    assert draft.cluster is not None
    words.used |= set(range(len(words.words)))
    draft.cluster = replace(draft.cluster, status=replace(draft.cluster.status, retain_slots=tuple(words.words)))


def peer(draft: Draft, words: Words) -> None:
    line, reachable, down = words.value("timeline"), not words.flag("unreachable"), words.flag("down")
    state = State.STOPPED if down else State.RESTARTING if words.flag("restarting") else State.RUNNING
    found = e.Peer(
        words.first(),
        timeline=int(line) if line else None,
        reachable=reachable and not down,
        primary=words.flag("primary"),
        lsn=words.lsn() or Lsn(0),
        looked=not words.flag("stale"),
        failsafe=words.flag("failsafe"),
        state=state if reachable else "",
        tags=tags(words),
    )
    draft.peers = [*(draft.peers or []), found]


def nopeers(draft: Draft, words: Words) -> None:
    draft.peers = []


def history(draft: Draft, words: Words) -> None:
    timeline = int(words.first())
    rest = words.words[1:]
    words.used |= set(range(len(words.words)))
    switches = tuple(Switch(int(rest[at]), lsns.parse(rest[at + 1])) for at in range(0, len(rest), 2))
    draft.upstream_history = TimelineHistory(timeline, switches)


def lease(draft: Draft, words: Words) -> None:
    draft.lease = Lease(True, Instant(NOW + float(words.first())), failsafe=words.flag("failsafe"))


def promise(draft: Draft, words: Words) -> None:
    name = words.first()
    words.used.add(1)
    seconds = float(words.words[1])
    positions = (pair.split(":") for pair in filter(None, words.value("told").split(",")))
    told = {slot: int(lsns.parse(at)) for slot, at in positions}
    address = "postgres://10.0.0.1:5432/postgres", "http://10.0.0.1:8008/patroni"
    ping = None if name == "unknown" else Ping(name, *address, told)
    draft.promise = Promise(Instant(NOW + seconds if ping else NOW - seconds), ping)


def round_(draft: Draft, words: Words) -> None:
    agreed, refused = (tuple(filter(None, words.value(name).split(","))) for name in ("agreed", "refused"))
    draft.round = e.Round(Instant(NOW - 0.5), tuple((name, Lsn(0)) for name in agreed),
                          tuple((name, "no answer") for name in refused))  # fmt: skip


def intent(draft: Draft, words: Words) -> None:
    assert draft.cluster is not None
    at = words.value("at")
    when = datetime.fromtimestamp(WALL + float(at), UTC) if at else None
    fault = "not a time" if words.flag("fault") else ""
    seen = words.number("seen")
    if seen is not None:
        draft.memory = replace(draft.memory, intent_seen=(Revision(9), Instant(NOW - seen)))
    found = Intent(words.value("leader") or None, words.value("candidate") or None, when, fault)
    draft.cluster = replace(draft.cluster, intent=found, revisions={**draft.cluster.revisions, "failover": Revision(9)})


def job(draft: Draft, words: Words) -> None:
    name = words.first()
    ended, ok, failed = words.flag("ended"), words.flag("ok"), words.flag("failed")
    draft.job = JobState(JOBS[name], Instant(NOW - 1), ended, ok, "it broke" if failed else "", words.flag("irrevocable"),
                         unreached=words.flag("unreached"))


def order(draft: Draft, words: Words) -> None:
    kind = words.first()
    force = words.flag("force")
    draft.order = RestartOrder(1) if kind == "restart" else ReinitOrder(1, force)


def _handover(words: Words) -> Handover | None:
    target, offered = words.value("handover"), words.number("offered")
    return Handover(target, None if offered is None else Instant(NOW - offered)) if target else None


def memory(draft: Draft, words: Words) -> None:
    leaving = words.number("leaving")
    since, retry = words.number("leaderless"), words.number("retry")
    draft.memory = replace(
        draft.memory,
        leaderless_since=Instant(NOW - since) if since is not None else None,
        former_leader=words.value("former") or None,
        handover=_handover(words),
        unfed_since=Instant(NOW - (words.number("unfed") or 0)) if "unfed" in words.words else None,
        start_failures=words.number("failures") or 0,
        away_since=Instant(NOW - away) if (away := words.number("away")) is not None else None,
        crashes=tuple(Instant(NOW - 60 + at) for at in range(words.number("crashes") or 0)),
        primary_up=words.flag("primary-up"),
        yielding=words.flag("yielding"),
        last_failure="it broke" if words.flag("failed") or retry else "",
        retry_at=Instant(NOW + (retry or 0)) if retry else Instant(0),
        rewind_failed="rewind-failed" in words.words,
        rewind_failed_at=NOW if words.flag("rewind-failed") else Instant(0),
        rebuilds=words.number("rebuilds") or 0,
        ready_slots=tuple(filter(None, words.value("ready").split(","))),
        copy_slots_at=Instant(NOW + (words.number("copied") or -1)),
        bootstrapping=words.flag("bootstrapping"),
        claim_seen=(3, Instant(NOW - claimed)) if (claimed := words.number("claimed")) is not None else None,
        grew_at=Instant(NOW - (words.number("grew") or 0)) if "grew" in words.words else None,
        leaving_since=None if leaving is None else Instant(NOW - leaving),
        fence_armed={"armed": True, "open": False, "": None}[words.value("fence")],
    )


READERS = {
    "me": me,
    "cluster": cluster,
    "leader": leader,
    "sync": sync,
    "names": names,
    "walsender": walsender,
    "member": member,
    "server": server,
    "slot": slot,
    "permanent": permanent,
    "ignore": ignore,
    "told": told,
    "leaders": leaders,
    "retained": retained,
    "peer": peer,
    "nopeers": nopeers,
    "history": history,
    "lease": lease,
    "promise": promise,
    "round": round_,
    "intent": intent,
    "job": job,
    "order": order,
    "memory": memory,
}
