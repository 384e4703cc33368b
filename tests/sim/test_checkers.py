"""The checkers, on records made by hand: what breaks a law is a no, what cannot be judged is unknown, and neither passes."""

from dataclasses import replace

import pytest

from tests.sim import checkers
from tests.sim.checkers import Verdict
from tests.sim.record import (
    Closed,
    End,
    Event,
    Followed,
    Handed,
    JobStarted,
    LeadLost,
    Opened,
    Record,
    SetFree,
    Standing,
    Struck,
)

A_OPENS, A_CLOSES = Opened(1, "a", "started", ()), Closed(5, "a", "fence")
B_OPENS = Opened(6, "b", "promoted", (1,))


def record(*events: Event, log: tuple[int, ...] = (1, 2), holder: str = "b", phase: str = "standby") -> Record:
    """a wrote record 1 at 2 s and 2 at 4 s; at the end b takes writes and has `log`, a follows."""
    a = Standing("a", phase, True, False, log, (("b", len(log)),))
    b = Standing("b", "primary", False, True, log, (("a", len(log)),))
    end = End(99, holder, (a, b))
    return Record(list(events), [(2, 1, "a"), (4, 2, "a")], frozenset({"c"}), end)


def verdicts(found: Record) -> dict[str, Verdict]:
    return {finding.law: finding.verdict for finding in checkers.check(found)}


def broken(found: Record) -> set[str]:
    return {law for law, verdict in verdicts(found).items() if verdict is not Verdict.YES}


def test_a_failover_in_order_breaks_nothing() -> None:
    assert broken(record(A_OPENS, A_CLOSES, B_OPENS)) == set()


@pytest.mark.parametrize(
    ("law", "event"),
    [
        ("same branch", Followed(7, "a", "b")),
        ("lease", LeadLost(4, "a", 9)),
        ("nofailover", Opened(7, "c", "promoted", ())),
        ("pause", JobStarted(7, "a", "StartStandby", "down.70", True)),
    ],
)
def test_one_event_breaks_one_law(law: str, event: Event) -> None:
    closed = Closed(6.5, "b", "stopped")
    assert broken(record(A_OPENS, A_CLOSES, B_OPENS, closed, event)) == {law}


def test_two_that_take_writes_are_found_even_for_an_instant() -> None:
    early = Opened(4.999, "b", "promoted", (1,))
    assert broken(record(A_OPENS, early, A_CLOSES)) == {"one writable"}


def test_a_server_that_pause_set_free_is_the_operators_until_it_is_guarded_again() -> None:
    free, guarded = SetFree(3, "a", True), SetFree(7, "a", False)
    assert broken(record(A_OPENS, free, B_OPENS)) == set()
    assert broken(record(A_OPENS, free, B_OPENS, guarded)) == {"one writable"}


def test_an_order_in_pause_may_start_what_it_asks_for() -> None:
    ordered = JobStarted(3, "a", "Restart", "paused.75", True)
    assert broken(record(A_OPENS, ordered, A_CLOSES, B_OPENS)) == set()


def test_without_a_fault_nothing_acknowledged_is_lost() -> None:
    calm = record(A_OPENS, A_CLOSES, B_OPENS, log=(1,))
    assert broken(calm) == {"acknowledged"}
    crash = Struck(5, "crash server", "a", 5)
    assert broken(record(A_OPENS, crash, A_CLOSES, B_OPENS, log=(1,))) == set()


def test_a_planned_switchover_loses_nothing_even_where_something_else_failed_long_before() -> None:
    planned = (Struck(4.5, "switchover", "b", 4.5, order=True), Closed(5, "a", "stopped"), Handed(5.5, "a"))
    long_ago = Struck(-100, "crash server", "c", -100)
    assert broken(record(A_OPENS, long_ago, *planned, B_OPENS, log=(1,))) == {"acknowledged"}
    meanwhile = Struck(5.2, "lose host", "b", 9)
    assert broken(record(A_OPENS, *planned, meanwhile, B_OPENS, log=(1,))) == set()


@pytest.mark.parametrize(("holder", "phase"), [("a", "standby"), ("b", "down")])
def test_what_did_not_heal_is_found(holder: str, phase: str) -> None:
    assert broken(record(A_OPENS, A_CLOSES, B_OPENS, holder=holder, phase=phase)) == {"healed"}


def test_what_cannot_be_judged_does_not_pass() -> None:
    cut_short = record(A_OPENS)
    cut_short.end = None
    found = verdicts(cut_short)
    assert found["healed"] is found["acknowledged"] is Verdict.UNKNOWN
    assert set(verdicts(Record()).values()) == {Verdict.UNKNOWN}


@pytest.mark.parametrize("slots", [(), (("b", 3),), (("b", -checkers.LONG_AGO),)])
def test_a_log_that_is_not_kept_for_a_member_or_kept_for_ever_is_found(slots: tuple[tuple[str, int], ...]) -> None:
    found = record(A_OPENS, A_CLOSES, B_OPENS)
    assert found.end is not None
    a, b = found.end.servers
    end = replace(found.end, servers=(replace(a, slots=slots), b))
    assert broken(replace(found, end=end)) == {"log kept"}
