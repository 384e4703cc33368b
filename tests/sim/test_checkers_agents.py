"""The checkers of agents, births, recoveries and of how `/sync` is written, on records made by hand; see `test_checkers`."""

from dataclasses import replace

import pytest

from pgctl.model.sync import SyncState
from tests.sim import checkers
from tests.sim.checkers import Verdict
from tests.sim.modes import GONE, KEPT, STRAY, Mode
from tests.sim.record import Closed, Event, JobStarted, KeySet, NamesSet, Opened, Struck, SyncSet
from tests.sim.record_agents import (
    AgentBegan,
    Alien,
    Astray,
    Claimed,
    Configured,
    JobEnded,
    PauseSeen,
    Redecided,
    Rewound,
    Said,
    SlotChanged,
    SlotMoved,
    SyncAsked,
    SyncRefused,
    Told,
    Watched,
)
from tests.sim.test_checkers import A_LEADS, FAILOVER, broken, ended, record, verdicts

BEGAN = tuple(AgentBegan(0.0, name) for name in "abc")
CLONE = JobStarted(7, "a", "Clone", "empty.40", False)
BOOTSTRAP = JobStarted(0.1, "a", "Bootstrap", "empty.30", False)
ANY = Mode.ASYNCHRONOUS
WORKED, FAILED = (JobEnded(0.2, "a", "Bootstrap", ok) for ok in (True, False))
ALL, ONLY_B = frozenset("abc"), frozenset("b")
EMPTY_KEY = (*A_LEADS, Closed(50, "a", "crashed"), KeySet(50.5, None))
DOWN = (KeySet(0.5, "a", "primary"), Opened(1, "a", "made", ()), Closed(40, "a", "crashed"))
FREED, RETRIED = KeySet(48, None), JobStarted(41, "a", "StartPrimary", "lame.90", False)


def sync(at: float, standbys: str, quorum: int = 0, have: frozenset[str] = ALL, hold: frozenset[str] = ALL) -> SyncSet:
    return SyncSet(at, SyncState("a", tuple(standbys), quorum), have, hold)


def rewound(at: float, **changes: bool) -> Rewound:
    return replace(Rewound(at, "a", "b", True, True, True), **changes)  # type: ignore[arg-type]


# law, mode, events that put it to the test, the event or events that break it
CASES: list[tuple[str, Mode, tuple[Event, ...], tuple[Event, ...]]] = [
    ("INV4 stops without the key", ANY, (Astray(7, "a", "follow.10", True),),
     (Astray(8, "a", "alien.90", False),)),
    ("INV13 winners have everything", Mode.QUORUM, (sync(3, "bc", 1, ONLY_B),), (sync(4, "bc", 0, ONLY_B),)),
    ("INV14 upon what was read", Mode.STRICT, (SyncAsked(3, "a", 5, 5),), (SyncAsked(4, "a", 6, 5),)),
    ("INV14 upon what was read", Mode.STRICT, (SyncAsked(3, "a", 5, 5), SyncRefused(4, "a")),
     (SyncRefused(5, "a", ("WriteConf",)),)),
    ("INV15 enters with everything", Mode.STRICT, (sync(3, "b", 0, ONLY_B),), (sync(4, "bc", 0, ONLY_B),)),
    ("INV15 leaves in order", Mode.STRICT,
     (NamesSet(2, "a", "2 (b,c)"), sync(2.5, "b"), NamesSet(3, "a", "b")), (NamesSet(4, "a", "c"),)),
    ("INV15 voters in order", Mode.QUORUM,
     (NamesSet(2, "a", "ANY 1 (b,c)"), sync(2.5, "bc", 1), NamesSet(3, "a", "ANY 1 (b)"), sync(3.5, "b", 1)),
     (NamesSet(4, "a", "ANY 1 (b,c)"), sync(4.2, "bc", 1), sync(4.5, "b", 1))),
    ("status is the leader's", ANY, (Told(7, "b", 3, 3),), (Told(8, "b", 4, 3),)),
    ("INV20 closed harmless", Mode.WATCHED, (Watched(7, "a", False),), (Watched(8, "a", False, True),)),
    ("INV20 closed harmless", Mode.WATCHED, (Watched(7, "a", False, True, True),), (Watched(8, "b", False, True),)),
    ("INV21 required guards", Mode.WATCHED, (Watched(0.6, "a", True), Watched(5.8, "b", True)), (Watched(5.9, "b", False),)),
    ("INV21 required guards", Mode.WATCHED, (Watched(0.6, "a", True), Watched(5.8, "b", True)), (Watched(1.5, "a", False),)),
    ("INV23 alien untouched", ANY, (Alien(7, "a", True),), (replace(CLONE, at=8),)),
    ("INV23 alien untouched", ANY, (Alien(7, "c", True),), (KeySet(8, None), KeySet(9, "c", "down"))),
    ("INV23 alien untouched", ANY, (Alien(7, "a", True), JobStarted(8, "a", "Rebuild", "resting.80", True)),
     (JobStarted(9, "a", "Rebuild", "down.60", False),)),
    ("INV23 alien untouched", ANY, (Alien(7, "c", True),), (Opened(8, "c", "started", ()),)),
    ("INV24 rewound in order", ANY, (rewound(7),), (rewound(8, stopped=False),)),
    ("INV24 rewound in order", ANY, (rewound(7),), (rewound(8, writable=False),)),
    ("INV24 rewound in order", ANY, (rewound(7),), (rewound(8, checkpointed=False),)),
    ("INV27 one deed at a time", ANY,
     (CLONE, JobEnded(8, "a", "Clone", True),
      JobStarted(9, "a", "Stop", "follow.10", False), AgentBegan(10, "a")),
     (JobStarted(11, "a", "Stop", "follow.10", False), JobStarted(12, "a", "Rewind", "follow.40", False))),
    ("INV29 ignored kept", ANY, (SlotChanged(7, "b", KEPT, True),), (SlotChanged(8, "b", KEPT, False),)),
    ("INV30 moved no further", Mode.LOGICAL, (SlotMoved(7, "b", "feed", 5, 5),), (SlotMoved(8, "b", "feed", 6, 5),)),
    ("INV31 says what is", ANY, (Said(7, "b", "primary", "primary", True, False),),
     (Said(8, "b", "primary", "primary", False, False),)),
    ("INV31 says what is", ANY, (Said(7, "b", "primary", "primary"),), (Said(8, "a", "primary", "standby"),)),
    ("INV32 written after the script", ANY, (BOOTSTRAP, WORKED),
     (replace(BOOTSTRAP, at=0.3),)),
    ("INV32 written after the script", ANY, (BOOTSTRAP, WORKED),
     (replace(BOOTSTRAP, at=0.3), Configured(0.4, False))),
    ("INV32 failure drops the claim", ANY, (BOOTSTRAP, FAILED, Claimed(0.3, None)),
     (replace(BOOTSTRAP, at=0.31), JobEnded(0.35, "a", "Bootstrap", False), Claimed(0.4, "7"))),
    ("INV33 decides by the view", ANY, (Redecided(7, "a", "follow.90", True),), (Redecided(8, "a", "follow.90", False),)),
    ("LIV1 led again", ANY, (*BEGAN, KeySet(7, None), KeySet(9, "a", "standby")),
     (KeySet(40, None), KeySet(70, "a", "standby"))),
    ("LIV2 brought back", ANY, (Closed(7, "b", "crashed"), JobStarted(8, "b", "StartPrimary", "lame.90", False)),
     (JobEnded(9, "b", "StartPrimary", False),)),
    ("LIV6 rejoins once", ANY, (rewound(50),), (rewound(60),)),
    ("LIV11 resumes", ANY,
     (*BEGAN, Configured(10, True), PauseSeen(10.5, "a", True), Configured(20, False), PauseSeen(21, "a", False)),
     (PauseSeen(11, "c", True),)),
]  # fmt: skip


@pytest.mark.parametrize(("law", "mode", "tried", "breaking"), CASES)
def test_a_law_holds_and_breaks(law: str, mode: Mode, tried: tuple[Event, ...], breaking: tuple[Event, ...]) -> None:
    """What puts it to the test and keeps it is a yes; with the event that breaks it besides, a no."""
    led = A_LEADS if mode in (Mode.STRICT, Mode.QUORUM) else FAILOVER
    assert verdicts(replace(record(*led, *tried), mode=mode))[law] is Verdict.YES
    assert verdicts(replace(record(*led, *tried, *breaking), mode=mode))[law] is Verdict.NO


def test_whoever_does_not_hear_that_a_pause_is_over_needs_no_watchdog_yet() -> None:
    paused = (Configured(3, True), PauseSeen(3.1, "a", True), Watched(3.2, "a", False, True, True), Configured(5, False))

    def verdict(*events: Event) -> Verdict:
        made = record(*A_LEADS, Watched(0.6, "a", True), *paused, *events, KeySet(30, "a"))
        return verdicts(replace(made, mode=Mode.WATCHED, acknowledged=[(2, 1, "a"), (20, 2, "a")]))["INV21 required guards"]

    assert verdict() is not Verdict.NO
    assert verdict(PauseSeen(18, "a", False)) is not Verdict.NO
    assert verdict(PauseSeen(14, "a", False)) is Verdict.NO
    assert verdict(PauseSeen(14, "a", False), Watched(15, "a", True)) is not Verdict.NO


def test_a_holder_that_cannot_come_back_frees_the_key() -> None:
    law = "LIV3 key set free"

    def verdict(*events: Event, patience: float = 5.0) -> Verdict:
        return verdicts(replace(record(*BEGAN, *events), patience=patience))[law]

    assert verdict(*DOWN, FREED) is Verdict.YES
    assert verdict(*DOWN) is Verdict.NO
    assert verdict(*DOWN, Opened(60, "a", "started", ())) is Verdict.UNTRIED
    assert verdict(*DOWN, patience=300.0) is Verdict.UNTRIED
    assert verdict(*DOWN, *(Struck(30, "cut store", name, 60) for name in "bc")) is Verdict.UNTRIED


def test_a_holder_that_stops_its_server_is_given_the_time_of_that_deed_and_no_more() -> None:
    stop, closed = JobStarted(9.9, "b", "Stop", "lead.70", False), Closed(10, "b", "stopped")
    killed, start = JobEnded(39, "b", "Stop", False), JobStarted(40, "b", "StartPrimary", "lame.90", False)

    def verdict(*events: Event) -> Verdict:
        return verdicts(record(*FAILOVER, closed, *events))["LIV2 brought back"]

    assert verdict(stop, killed, start) is Verdict.YES
    assert verdict(stop, killed) is Verdict.NO
    assert verdict(start) is Verdict.NO
    assert verdict(stop) is Verdict.NO
    assert verdict(stop, JobEnded(9.95, "b", "Stop", True), start) is Verdict.NO
    assert verdict(stop, replace(killed, at=90), replace(start, at=91)) is Verdict.NO


def test_quiet_means_that_nothing_is_in_the_way() -> None:
    """A fault that touches the member, one that touches all, its agent's new life, and a pause each end it."""
    crashed = (*FAILOVER, Closed(50, "b", "crashed"))
    law = "LIV2 brought back"
    assert verdicts(record(*crashed))[law] is Verdict.NO
    for trouble in (
        Struck(51, "cut store", "b", 60),
        Struck(51, "cut store from all", "a", 60),
        AgentBegan(55, "b"),
        Configured(49, True),
    ):
        assert verdicts(record(*crashed, trouble))[law] is not Verdict.NO
    for kind, member in (("jump clock", "b"), ("cut store", "c"), ("crash server", "b")):
        harmless = Struck(50, kind, member, 60)
        assert verdicts(record(*crashed, harmless))[law] is Verdict.NO


@pytest.mark.parametrize("slot", [STRAY, GONE])
def test_slots_that_nobody_needs_are_gone_in_the_end(slot: str) -> None:
    found = ended(slots=((slot, 2), ("b", 2)))
    found.events.append(SlotChanged(8, "a", slot, True))
    assert verdicts(found)["LIV10 strays dropped"] is Verdict.NO
    kept = ended()
    kept.events.append(SlotChanged(8, "a", slot, True))
    assert verdicts(kept)["LIV10 strays dropped"] is Verdict.YES


def test_who_was_rewound_streams_in_the_end() -> None:
    for streams, verdict in ((True, Verdict.YES), (False, Verdict.NO)):
        found = ended(streams=streams)
        found.events.append(rewound(7))
        assert verdicts(found)["LIV6 rejoins"] is verdict


def test_a_cluster_that_was_made_and_never_led_counts_for_nothing_once_it_is_gone() -> None:
    beside = (Opened(0.7, "c", "made", ()), Closed(1.5, "c", "stopped"))
    led = (KeySet(1.2, None), KeySet(1.3, "c", "primary"))
    assert broken(record(*FAILOVER, *beside)) == set()
    assert "INV23 one cluster" in broken(record(*FAILOVER, *beside, *led))


def test_every_law_of_the_specification_has_a_checker() -> None:
    """By its name in ha.md 7.1 and 7.2."""
    named = {law.name.split()[0] for law in checkers.LAWS}
    asked = {*(f"INV{number}" for number in range(1, 34)), *(f"LIV{number}" for number in range(1, 12))}
    assert asked <= named
