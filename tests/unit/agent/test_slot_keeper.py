"""The slot keeper's thread: the last plan counts, one is worked on at a time, a failure is told once."""

import threading
from collections.abc import Callable

import pytest

from pgctl.agent.slot_keeper import SlotKeeper
from pgctl.model.conf import LogicalFound, LogicalPlan, Upstream
from pgctl.units import Seconds

A = Upstream("a", "192.0.2.1", 5432)
B = Upstream("b", "192.0.2.2", 5432)
FOUND = LogicalFound((("feed", 700),))


class Bench:
    """Work that waits until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.done: list[tuple[str, ...]] = []
        self.fails: tuple[str, ...] = ()
        self.keeper = SlotKeeper(self.work)

    def work(self, plan: LogicalPlan, stopped: Callable[[], bool]) -> tuple[LogicalFound, tuple[str, ...]]:
        self.begun.release()
        assert self.go.acquire(timeout=5)
        self.done.append(plan.ask)
        return FOUND, self.fails

    def play(self, *plans: LogicalPlan) -> None:
        """Gives plans one after the other, each once the one before has begun, and sees all of them done."""
        for plan in plans:
            self.keeper.want(plan)
            assert self.begun.acquire(timeout=5)
            self.go.release()
        self.end()

    def end(self) -> None:
        self.keeper.stop(Seconds(5))


def test_a_plan_that_has_not_begun_gives_way_to_the_next() -> None:
    bench = Bench()
    bench.keeper.want(LogicalPlan(ask=("one",)))
    assert bench.begun.acquire(timeout=5)
    for name in ("two", "three"):
        bench.keeper.want(LogicalPlan(ask=(name,)))
    bench.go.release()
    assert bench.begun.acquire(timeout=5)
    bench.go.release()
    bench.end()
    assert bench.done == [("one",), ("three",)]
    assert bench.keeper.found() == FOUND


def test_what_one_leader_told_does_not_count_under_another() -> None:
    bench = Bench()
    bench.keeper.want(LogicalPlan(leader=A))
    assert bench.begun.acquire(timeout=5)
    bench.keeper.want(LogicalPlan(leader=B))
    bench.go.release()
    assert bench.begun.acquire(timeout=5)
    assert bench.keeper.found() == LogicalFound()
    bench.go.release()
    bench.end()
    assert bench.keeper.found() == FOUND


def test_the_same_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.fails = ("create logical slot feed: wal_level is too low",)
    bench.play(LogicalPlan(ask=("one",)), LogicalPlan(ask=("two",)))
    assert [record.message for record in caplog.records] == list(bench.fails)


def test_one_that_was_never_needed_ends_at_once() -> None:
    SlotKeeper(lambda plan, stopped: (FOUND, ())).stop(Seconds(1))
