"""The event journal, as a leader writes it: each event once, whatever is lost or started again in between."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pgctl.agent.core import decide, journal, record, remember
from pgctl.agent.core.effects import CloseIntent, HoldLease, StartJob
from pgctl.agent.core.job import Bootstrap, Job, Promote, Restart, StartPrimary, StartStandby, Stop
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.own_keys import WriteJournal
from pgctl.agent.core.view import ConfigOrder, Host, JobState, RestartOrder, View
from pgctl.model import events
from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.events import Event, Journal, Refused, Seen
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.server import Phase, Postmaster, ServerState
from pgctl.model.settings import Settings
from pgctl.units import Instant, Wall

AT = Wall(1_700_000_000.0)
LED = Journal(
    (Event("2023-11-14T22:00:00.000+00:00", "bootstrap", "a", timeline=1),), Seen("a", 1, members={"a": "", "b": ""}), True
)


def view(
    *,
    me: str = "b",
    timeline: int = 2,
    told: Journal = LED,
    now: float = 100.0,
    memory: Memory | None = None,
    members: tuple[Member, ...] | None = None,
    config: Mapping[str, object] | None = None,
    pause: bool = False,
    intent: Intent | None = None,
    history: History = History(),
) -> View:
    there = members if members is not None else tuple(Member(MemberName(name)) for name in "ab")
    cluster = Cluster(
        "c",
        Leader(MemberName(me), Revision(1), True),
        there,
        settings=Settings(pause=pause),
        config=config,
        journal=told,
        intent=intent,
        history=history,
    )
    host = Host(MemberName(me), "", "", "4.1.0")
    server = ServerState(Phase.PRIMARY, postmaster=Postmaster(1, 1.0), timeline=timeline, lsn=Lsn(1))
    return View(Instant(now), Wall(AT + now), host, server, cluster, memory=memory or Memory())


def written(seen: View) -> Journal:
    effects, _ = journal.told(seen, seen.memory)
    assert len(effects) == 1
    return effects[0].journal


def news(seen: View) -> list[Event]:
    assert seen.cluster is not None
    return [event for event in written(seen).events if event not in seen.cluster.journal.events]


def after(seen: View, told: Journal) -> View:
    assert seen.cluster is not None
    return replace(seen, cluster=replace(seen.cluster, journal=told))


def did(
    before: View, job: Job, took: float, *, ok: bool = True, rule: str = "race.85", cut_off: float | None = None
) -> Memory:
    """The memory after a deed that began in `before` and took so long."""
    memory = record.begin(before, before.memory, rule, (StartJob(job),), "because")
    state = JobState(
        job, before.now, True, ok, "" if ok else "it broke", cut_off=None if cut_off is None else Instant(cut_off)
    )
    later = replace(before, now=Instant(before.now + took), wall=Wall(before.wall + took), memory=memory, job=state)
    return remember.update(later)


def test_a_failover_says_from_whom_by_which_rule_and_how_long_writes_were_refused_at_least_and_at_most() -> None:
    waiting = view(memory=Memory(former_leader="a", leaderless_since=Instant(95.0), heard=Instant(88.0)))
    leading = view(memory=did(waiting, Promote(), 1.5))
    assert news(leading) == [
        Event(
            "2023-11-14T22:15:01.500+00:00",
            "failover",
            "b",
            "a",
            "b",
            2,
            "race.85",
            why="because",
            refused=Refused(6.5, 13.5),
        )
    ]


def test_what_was_told_is_not_told_again_whoever_asks() -> None:
    waiting = view(memory=Memory(former_leader="a", leaderless_since=Instant(95.0)))
    leading = view(memory=did(waiting, Promote(), 1.5))
    told = written(leading)
    assert journal.told(after(leading, told), leading.memory)[0] == ()
    assert journal.told(after(view(), told), Memory())[0] == (), "a fresh agent"


def test_a_fresh_agent_goes_on_from_its_own_key() -> None:
    deed = Event("t", "failover", "b", "a", "b", 2, "race.85")
    own = Member(MemberName("b"), deeds=(deed,))
    started = view(members=(Member(MemberName("a")), own))
    memory = remember.update(started)
    assert memory.deeds == (deed,)
    assert news(replace(started, memory=memory)) == [deed]


def test_nobody_knows_how_it_came_so_no_more_is_said() -> None:
    found = news(view())
    assert [(event.what, event.source, event.target, event.rule, event.refused) for event in found] == [
        ("failover", "a", "b", "", None)
    ]


def test_a_switchover_carries_who_ordered_it_and_becomes_exact_when_the_former_leader_has_spoken() -> None:
    wish = Intent("a", "b", by="alice")
    waiting = view(memory=Memory(former_leader="a", leaderless_since=Instant(95.0), heard=Instant(90.0)), intent=wish)
    leading = view(memory=did(waiting, Promote(), 1.0, rule="race.40"))
    first = written(leading)
    assert (first.events[-1].what, first.events[-1].by, first.events[-1].refused) == (
        "switchover",
        "alice",
        Refused(6.0, 11.0),
    )
    stopped = view(me="a", now=93.0, intent=replace_leader(wish))
    fell = did(stopped, Stop(handover=True), 1.0, rule="lead.70", cut_off=93.5).deeds
    spoken = view(memory=leading.memory, told=first, members=(Member(MemberName("a"), deeds=fell), Member(MemberName("b"))))
    found = written(spoken)
    assert [event.what for event in found.events] == ["bootstrap", "demotion", "switchover"]
    assert found.events[2].refused == Refused(7.5, 7.5)
    assert found.events[1].by == "alice"


def replace_leader(wish: Intent) -> Intent:
    return wish._replace(leader="a")


def test_a_bootstrap_begins_the_journal_and_is_told_once() -> None:
    """Also where my own key is not there yet: the lead taken right after is part of it."""
    born = view(me="a", timeline=1, told=Journal(), members=())
    memory = did(born, Bootstrap(), 3.0, rule="empty.30")
    memory = record.begin(replace(born, memory=memory), memory, "unrecorded.10", (HoldLease(),), "adopt")
    first = written(replace(born, memory=memory))
    assert sorted(event.what for event in first.events) == ["bootstrap", "joined"]
    reported = view(me="a", timeline=1, told=first, members=(Member(MemberName("a"), deeds=memory.deeds),), memory=memory)
    assert journal.told(reported, memory)[0] == ()


def test_a_cluster_met_on_the_way_begins_a_journal_that_invents_nothing() -> None:
    found = written(view(timeline=7, told=Journal(), config={"ttl": 30}))
    assert [event.what for event in found.events] == ["recorded", "joined", "joined"]
    assert found.seen == Seen("b", 7, False, events.digest({"ttl": 30}), {"a": "", "b": ""})


def test_leaders_that_kept_no_journal_are_told_from_the_timeline_history() -> None:
    lines = (
        HistoryLine(1, Lsn(5), "", "2023-11-14T22:05:00+00:00", "c"),
        HistoryLine(2, Lsn(9), "", "2023-11-14T22:09:00+00:00", "b"),
    )
    found = news(view(timeline=3, history=History(lines, True)))
    assert [(event.what, event.target, event.timeline) for event in found] == [("lead", "c", 2), ("failover", "b", 3)]


def test_a_cluster_that_was_demoted_does_not_tell_its_earlier_promotions_again() -> None:
    """It followed its remote back to timeline 1, and opens the third after that."""
    promoted = Event("2023-11-14T22:01:00.000+00:00", "promotion", "a", timeline=2)
    told = Journal((*LED.events, promoted), LED.seen, True)
    lines = (HistoryLine(1, Lsn(10), "no recovery target specified", "2023-11-14T22:01:00+00:00", "a"),)
    found = news(view(timeline=3, told=told, history=History(lines, True)))
    assert [event.timeline for event in found] == [3]


def test_a_standby_cluster_back_on_its_remotes_timeline_does_not_tell_its_first_lead_again() -> None:
    """It was promoted and demoted again, by the same member, whose deeds still hold how it came to lead at first."""
    first = Event("2023-11-14T22:00:00.000+00:00", "lead", "b", "", "b", 1)
    promoted = Event("2023-11-14T22:10:00.000+00:00", "promotion", "b", "b", "b", 2)
    told = Journal((first, promoted), Seen("b", 2, members={"a": "", "b": promoted.at}), True)
    back = view(timeline=1, told=told, memory=Memory(deeds=(first, promoted)))
    back = replace(back, server=replace(back.server, phase=Phase.STANDBY))
    assert [(event.what, event.timeline) for event in news(back)] == [("timeline", 1)]


def test_another_leader_of_a_standby_cluster_on_its_remotes_timeline_was_not_promoted() -> None:
    """It took the lead over before it was rewound to that timeline, which is older than the one that was told of."""
    told = Journal((), Seen("a", 2, members={"a": "", "b": ""}), True)
    back = view(timeline=1, told=told)
    back = replace(back, server=replace(back.server, phase=Phase.STANDBY))
    assert [(event.what, event.source, event.timeline) for event in news(back)] == [("lead", "a", 1)]


def test_pause_and_settings_name_who_ordered_them_only_if_it_is_the_very_document() -> None:
    paused = {"ttl": 30, "pause": True}
    told = LED._replace(seen=LED.seen._replace(leader="b", timeline=2, config=events.digest({"ttl": 20})))
    seen = view(told=told, config=paused, pause=True, memory=Memory(config_told={"ttl": 20}))
    asked = replace(seen, config_order=ConfigOrder(paused, "alice"))
    assert [(event.what, event.by, event.why) for event in news(asked)] == [
        ("pause", "alice", ""),
        ("settings", "alice", "ttl 20 -> 30"),
    ]
    other = replace(seen, config_order=ConfigOrder({"ttl": 31}, "alice"))
    assert [event.by for event in news(other)] == ["", ""]


def test_members_come_and_go() -> None:
    told = LED._replace(seen=LED.seen._replace(leader="b", timeline=2))
    seen = view(told=told, members=(Member(MemberName("b")), Member(MemberName("c"))))
    assert [(event.what, event.member) for event in news(seen)] == [("joined", "c"), ("gone", "a")]


def test_a_restart_of_the_primary_says_how_long_it_took_and_who_asked() -> None:
    told = LED._replace(seen=LED.seen._replace(leader="b", timeline=2))
    asked = replace(view(told=told), order=RestartOrder(1, by="alice"))
    memory = did(asked, Restart(conf=StartPrimary().conf), 2.0, rule="lead.80", cut_off=100.5)
    found = news(view(told=told, memory=memory))
    assert [(event.what, event.by, event.refused, event.rule) for event in found] == [
        ("restart", "alice", Refused(1.5, 1.5), "lead.80")
    ]


def test_a_deed_that_keeps_failing_is_told_once() -> None:
    seen = view(me="a")
    once = did(seen, StartStandby(), 1.0, ok=False)
    twice = did(replace(seen, memory=once), StartStandby(), 1.0, ok=False)
    assert [deed.failed for deed in twice.deeds] == ["it broke"]


def test_a_long_failure_is_cut() -> None:
    seen = view(me="a")
    memory = record.begin(seen, seen.memory, "down.70", (StartJob(StartStandby()),), "because")
    job = JobState(StartStandby(), seen.now, True, False, "x" * 5000)
    (deed,) = remember.update(replace(seen, memory=memory, job=job)).deeds
    assert len(deed.failed) == record.LONGEST


def test_an_order_that_could_not_be_honoured_is_told_with_its_reason() -> None:
    wish = Intent("b", "z", by="alice")
    seen = view(intent=wish)
    memory = record.begin(seen, Memory(), "lead.60", (CloseIntent(wish, Revision(1), "z is not a member"),), "")
    assert [(deed.what, deed.target, deed.by, deed.why) for deed in memory.deeds] == [
        ("unfulfilled", "z", "alice", "z is not a member")
    ]


def test_the_journal_comes_last_of_all_that_a_leader_does() -> None:
    decision = decide.decide(replace(view(), lease=replace(view().lease, held=True, deadline=Instant(130.0))))
    assert isinstance(decision.effects[-1], WriteJournal)
    assert decision.rule == "lead.90"


@pytest.mark.parametrize(
    ("before", "after_", "said"),
    [
        ({"ttl": 20}, {"ttl": 30}, ("ttl 20 -> 30",)),
        ({}, {"postgresql": {"parameters": {"work_mem": "8MB"}}}, ("postgresql.parameters.work_mem",)),
        ({"standby_cluster": {"password": "x"}}, {}, ("standby_cluster.password",)),
        ({"failsafe_mode": True}, {}, ("failsafe_mode true -> unset",)),
        ({"pause": True}, {"pause": False}, ()),
    ],
)
def test_changes_of_settings_name_no_text(
    before: Mapping[str, object], after_: Mapping[str, object], said: tuple[str, ...]
) -> None:
    assert events.changes(before, after_) == said


def test_a_full_journal_drops_the_oldest_and_minor_events_first() -> None:
    kept = events.trimmed([Event(str(at), "joined" if at % 3 else "failover") for at in range(30)], 10)
    assert len(kept) == 10 and [event.what for event in kept].count("failover") >= 5


def test_a_promotion_that_is_told_late_stands_where_it_belongs() -> None:
    """a was promoted and cut off before it could tell; b leads since, and a is back."""
    late = Event("2023-11-14T22:10:00.000+00:00", "failover", "a", "c", "a", 2)
    mine = Event("2023-11-14T22:14:00.000+00:00", "failover", "b", "a", "b", 3)
    told = Journal((*LED.events, mine), Seen("b", 3, members={"a": "", "b": ""}), True)
    seen = view(timeline=3, told=told, members=(Member(MemberName("a"), deeds=(late,)), Member(MemberName("b"))))
    assert [(event.what, event.target) for event in written(seen).events] == [
        ("bootstrap", ""),
        ("failover", "a"),
        ("failover", "b"),
    ]
