"""The checkers, on records made by hand: what breaks a law is a no, what cannot be judged is unknown, and neither passes."""

from dataclasses import replace

import pytest

from pgctl.model import events as journal
from pgctl.model.events import Journal
from pgctl.model.sync import SyncState
from tests.sim import checkers
from tests.sim.checkers import Verdict
from tests.sim.checks import liveness, slots, standby
from tests.sim.checks.law import Law
from tests.sim.modes import Mode
from tests.sim.record import (
    Closed,
    End,
    Event,
    Followed,
    GivenUp,
    Handed,
    IntentSet,
    JobStarted,
    KeySet,
    LeadLost,
    NamesSet,
    Opened,
    Passed,
    Record,
    Removed,
    SetFree,
    Standing,
    Struck,
    SyncSet,
)

A_LEADS = (KeySet(0.5, "a", "primary"), Opened(1, "a", "made", ()))
A_ENDS = (Closed(5, "a", "fence"), KeySet(5.5, None))
B_TAKES, B_OPENS = KeySet(5.6, "b", "standby"), Opened(6, "b", "promoted", (1,), 2)
FAILOVER = (*A_LEADS, *A_ENDS, B_TAKES, B_OPENS)
TOLD = Journal((journal.Event("t", "failover", "b", "a", "b", 2),), journal.Seen("b", 2), True)
AB, BA = SyncState("a", ("b",), 0), SyncState("b", ("a",), 0)


def record(*events: Event, log: tuple[int, ...] = (1, 2), holder: str = "b", phase: str = "standby") -> Record:
    """a wrote record 1 at 2 s and 2 at 4 s; at the end b takes writes and has `log`, a follows."""
    a = Standing("a", phase, True, False, log, (("b", len(log)),))
    b = Standing("b", "primary", False, True, log, (("a", len(log)),))
    told = TOLD if holder == "b" else Journal((), journal.Seen(holder), True)
    end = End(99, holder, (a, b), sync=BA, journal=told)
    return Record(sorted(events, key=lambda event: event.at), [(2, 1, "a"), (4, 2, "a")], frozenset({"c"}), end)


def in_mode(mode: Mode, *events: Event) -> Record:
    return replace(record(*events), mode=mode)


def ended(**changes: object) -> Record:
    """A failover in order whose end is otherwise, or whose server a is."""
    found = record(*FAILOVER)
    assert found.end is not None
    a, b = found.end.servers
    mine = {name: value for name, value in changes.items() if hasattr(a, name)}
    rest = {name: value for name, value in changes.items() if name not in mine}
    return replace(found, end=replace(found.end, servers=(replace(a, **mine), b), **rest))  # type: ignore[arg-type]


def verdicts(found: Record) -> dict[str, Verdict]:
    return {finding.law: finding.verdict for finding in checkers.check(found)}


def broken(found: Record) -> set[str]:
    return {law for law, verdict in verdicts(found).items() if not verdict.passes}


@pytest.mark.parametrize("mode", [Mode.ASYNCHRONOUS, Mode.PAUSE, Mode.FAILSAFE])
def test_a_failover_in_order_breaks_nothing(mode: Mode) -> None:
    assert broken(in_mode(mode, *FAILOVER)) == set()


@pytest.mark.parametrize("mode", [Mode.SYNCHRONOUS, Mode.STRICT, Mode.QUORUM])
def test_a_synchronous_failover_in_order_breaks_nothing(mode: Mode) -> None:
    """The names cover /sync before it lists anybody, and b claims it, with its own names, before it is promoted."""
    before = (NamesSet(0.4, "a", "b"), SyncSet(1.5, AB))
    after = (NamesSet(5.6, "b", "a"), SyncSet(5.7, SyncState("b")), SyncSet(7, BA))
    assert broken(in_mode(mode, *FAILOVER, *before, *after)) == set()


@pytest.mark.parametrize(
    ("law", "event"),
    [
        ("INV1 promoted as holder", Passed(5.9, "b", 3.0, None)),
        ("INV2 promoted with a lease", Passed(5.9, "b", 0.0, "b")),
        ("INV3 key never overwritten", KeySet(7, "a", "standby")),
        ("INV5 lease", LeadLost(4, "a", 9)),
        ("INV8 nofailover", KeySet(5.55, "c", "standby")),
        ("INV17 given up harmless", GivenUp(3, "a", "primary", paused=False)),
        ("INV18 handed over whole", Handed(5.2, "a", 2, 2, (1, 1))),
        ("INV19 told no more", Handed(5.2, "a", 3, 2, (2, 1))),
        ("INV22 removed by rule", Removed(7, "a", "follow.90", leads=False)),
        ("INV22 removed by rule", Removed(7, "a", "follow.50", leads=True)),
        ("INV24 same branch", Followed(7, "a", "b")),
        ("INV26 pause", JobStarted(7, "a", "StartStandby", "down.70", True)),
    ],
)
def test_one_event_breaks_one_law(law: str, event: Event) -> None:
    assert law in broken(record(*FAILOVER, event))
    assert broken(record(*FAILOVER, event)) - {law} <= {"INV3 key never overwritten"}


@pytest.mark.parametrize(
    ("law", "found"),
    [
        ("INV23 one cluster", ended(identifier="7")),
        ("LIV4 orders end", ended(intent=True)),
        ("LIV9 one leader", ended(holder="a")),
        ("LIV5 all stream", ended(phase="down")),
        ("LIV5 all stream", ended(streams=False)),
        ("LIV5 all stream", ended(timeline=0)),
        ("LIV1 in time", ended(settled=91)),
    ],
)
def test_what_is_wrong_at_the_end_is_found(law: str, found: Record) -> None:
    assert broken(found) - {"told"} == {law}


@pytest.mark.parametrize(
    ("law", "mode", "events"),
    [
        ("INV9 promoted from sync", Mode.SYNCHRONOUS, [KeySet(5.6, "b", "standby", sync=SyncState("a", ("c",)))]),
        ("INV10 listed confirm", Mode.SYNCHRONOUS, [SyncSet(2, AB), SyncSet(5.8, BA)]),
        ("INV11 claimed before promotion", Mode.STRICT, [Opened(6, "b", "promoted", (1,), 2, AB)]),
        ("INV12 overlap", Mode.QUORUM, [NamesSet(2, "a", "ANY 1 (b,c)"), SyncSet(3, SyncState("a", ("b", "c"), 0))]),
        ("INV16 strict", Mode.STRICT, [NamesSet(2, "a", "")]),
    ],
)
def test_synchrony(law: str, mode: Mode, events: list[Event]) -> None:
    assert law in broken(in_mode(mode, *FAILOVER, *events))
    named = KeySet(5.6, "b", "standby", sync=SyncState("a", ("c",)), named="b")
    assert "INV9 promoted from sync" not in broken(in_mode(mode, *FAILOVER, named))


@pytest.mark.parametrize(("law", "change"), [
    ("LIV7 commits return", {"waiting": 9}),
    ("LIV8 sync is full", {"sync": SyncState("b")}),
    ("LIV8 sync is full", {"sync": SyncState()}),
])
def test_synchrony_at_the_end(law: str, change: dict[str, object]) -> None:
    assert law in broken(replace(ended(**change), mode=Mode.SYNCHRONOUS))
    assert law not in broken(replace(ended(), mode=Mode.SYNCHRONOUS))


def test_two_that_take_writes_are_found_even_for_an_instant() -> None:
    early = Opened(4.999, "b", "promoted", (1,))
    assert "INV4 one writable" in broken(record(*A_LEADS, early, *A_ENDS, B_TAKES))


def test_commits_are_confirmed_by_the_holder_alone() -> None:
    late = record(*FAILOVER)
    late.acknowledged.append((7, 3, "b"))
    assert broken(late) == {"INV13 acknowledged"}
    late.acknowledged.append((8, 4, "a"))
    late.events.append(KeySet(9, "b", "primary"))
    assert "INV5 confirms as holder" in broken(late)
    late.events.insert(0, Struck(7, "freeze fence", "a", 7.5))
    assert "INV5 confirms as holder" in broken(late)
    late.events[0] = Struck(0, "freeze fence", "a", 9)
    assert "INV5 confirms as holder" not in broken(late)


def test_a_server_that_pause_set_free_is_the_operators_until_it_is_guarded_again() -> None:
    free, guarded = SetFree(3, "a", True), SetFree(7, "a", False)
    taken = (*A_LEADS, free, KeySet(5.5, None), B_TAKES, B_OPENS)
    assert broken(record(*taken)) == set()
    assert broken(record(*taken, guarded)) == {"INV4 one writable"}


def test_a_primary_on_an_old_timeline_does_not_take_the_key_back() -> None:
    back = (KeySet(8, None), KeySet(9, "a", "primary", 1, 2))
    assert broken(record(*FAILOVER, *back)) == {"INV25 stale"}


def test_a_timeline_is_opened_once() -> None:
    again = (Closed(7, "b", "crashed"), Opened(8, "a", "promoted", (1, 2), 2))
    assert broken(record(*FAILOVER, *again)) - {"LIV2 brought back"} == {"INV25 timelines unique"}


def test_an_order_in_pause_may_start_what_it_asks_for() -> None:
    ordered = JobStarted(3, "a", "Restart", "paused.75", True)
    assert broken(record(*FAILOVER, ordered)) == set()


def test_a_wish_is_carried_out_once() -> None:
    once = (IntentSet(4, 7), Handed(5.2, "a", 0, 0))
    assert broken(record(*FAILOVER, *once)) == set()
    for member in "ab":
        assert broken(record(*FAILOVER, *once, Handed(6.3, member, 0, 0))) == {"INV28 carried out once"}


def test_without_a_fault_nothing_acknowledged_is_lost() -> None:
    assert broken(record(*FAILOVER, log=(1,))) == {"INV13 acknowledged"}
    crash = Struck(5, "crash server", "a", 5)
    assert broken(record(*FAILOVER, crash, log=(1,))) == set()


def test_in_synchronous_mode_only_an_order_excuses_what_is_lost() -> None:
    law, crash = "INV13 acknowledged in synchronous mode", Struck(5, "crash server", "a", 5)
    ordered = Struck(5, "failover", "b", 5, order=True)
    for struck, lost in ((crash, True), (ordered, False)):
        found = replace(record(*FAILOVER, struck, log=(1,)), mode=Mode.QUORUM)
        assert (law in broken(found)) is lost


def test_a_planned_switchover_loses_nothing_even_where_something_else_failed_long_before() -> None:
    planned = (Struck(4.5, "switchover", "b", 4.5, order=True), Handed(5.5, "a"))
    long_ago = Struck(-100, "crash server", "c", -100)
    assert broken(record(*FAILOVER, long_ago, *planned, log=(1,))) == {"INV13 acknowledged"}
    meanwhile = Struck(5.2, "lose host", "b", 9)
    assert broken(record(*FAILOVER, *planned, meanwhile, log=(1,))) == set()


@pytest.mark.parametrize("kept", [(), (("b", 3),), (("b", -slots.LONG_AGO),)])
def test_a_log_that_is_not_kept_for_a_member_or_kept_for_ever_is_found(kept: tuple[tuple[str, int], ...]) -> None:
    assert broken(ended(slots=kept)) == {"O2 log kept"}


@pytest.mark.parametrize("law", checkers.LAWS, ids=lambda law: law.name)
def test_a_law_says_untried_where_nothing_tries_it(law: Law) -> None:
    """Those of the end are tried by any end."""
    if not law.end and law.name not in ("INV5 confirms as holder", "INV32 written after the script"):
        quiet = replace(record(), mode=min(law.modes), acknowledged=[(2.0, 1, "a")], events=[])
        assert verdicts(quiet)[law.name] is Verdict.UNTRIED


def test_what_cannot_be_judged_does_not_pass() -> None:
    cut_short = record(*A_LEADS)
    cut_short.end = None
    found = verdicts(cut_short)
    assert {found[law.name] for law in checkers.LAWS if law.end and law.name in found} == {Verdict.UNKNOWN}
    assert set(verdicts(Record()).values()) == {Verdict.UNKNOWN}


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_laws_of_its_safety_and_its_life(mode: Mode) -> None:
    names = {law.name.split()[0] for law in checkers.LAWS if mode in law.modes}
    assert {"INV1", "INV2", "INV3", "INV4", "INV8", "INV13", "INV24", "LIV1", "LIV5", "LIV9"} <= names


@pytest.mark.parametrize("untrue", [
    Journal(),
    Journal(TOLD.events, journal.Seen("a", 2), True),
    Journal((*TOLD.events, journal.Event("u", "failover", "b", "a", "b", 2)), TOLD.seen, True),
    Journal(TOLD.events * 2, TOLD.seen, True),
])
def test_a_journal_that_misses_or_repeats_is_found(untrue: Journal) -> None:
    assert broken(ended(journal=untrue)) == {"told"}


def test_in_a_standby_cluster_nobody_takes_writes_but_by_an_order() -> None:
    promoted = Struck(5, "promote cluster", "a", 5, order=True)
    demoted = Struck(5.5, "demote cluster", "a", 5.5, order=True)
    late = Opened(demoted.at + standby.BEGUN + 1, "b", "promoted", (1,))

    def broken_by(*events: Event) -> bool:
        return any(standby.nobody_takes_writes(in_mode(Mode.STANDBY, *events)))

    assert broken_by(Opened(1, "a", "started", ()))
    assert not broken_by(promoted, Opened(6, "b", "promoted", (1,)))
    assert not broken_by(promoted, demoted, Opened(6, "b", "promoted", (1,)))  # What had begun.
    assert broken_by(promoted, demoted, late)


def test_a_standby_cluster_is_healed_when_its_leader_alone_follows_the_remote() -> None:
    def healed(holder: str | None, upstreams: str, *, writable: bool = False) -> bool:
        servers = tuple(
            Standing(name, "standby", True, writable, (), upstream="remote" if where == "r" else where)
            for name, where in zip("ab", upstreams, strict=True)
        )
        return liveness.settled(Record(end=End(99, holder, servers, remote="remote"), mode=Mode.STANDBY))

    assert healed("a", "ra")
    assert not healed("a", "rr") and not healed("b", "ra") and not healed(None, "ra")
    assert not healed("a", "ra", writable=True)
