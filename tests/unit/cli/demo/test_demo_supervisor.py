"""The supervisor on real processes that are no agents: started, started again, taken over, ended in order."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgctl.cli.demo import files, process
from pgctl.cli.demo.plan import Node, Plan
from pgctl.cli.demo.process import Process
from pgctl.cli.demo.supervisor import Supervisor
from pgctl.clock import SystemClock
from pgctl.units import Seconds

PASSWORDS = {"superuser": "s", "replication": "r", "rewind": "w", "restapi": "a"}
CLOCK = SystemClock()
PAUSE = "import signal; signal.pause()"
STAYS = [sys.executable, "-c", PAUSE]


def _dies_twice(marks: Path) -> list[str]:
    """A program that leaves a mark and ends at once the first two times."""
    code = f"import pathlib, sys; p = pathlib.Path({str(marks)!r}); n = len(p.read_text()) if p.exists() else 0\n"
    return [sys.executable, "-c", code + "p.write_text('x' * (n + 1))\nif n < 2: sys.exit(7)\n" + PAUSE]


class Bench:
    """A supervisor at work in a thread; `end` wakes it and waits."""

    def __init__(self, plan: Plan, commands: dict[str, list[str]]) -> None:
        self.supervisor = Supervisor(plan, commands, CLOCK)
        self.plan = plan
        self._wakes, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self.supervisor.run, args=(self._wakes, None))

    def start(self) -> None:
        self._thread.start()

    def end(self, leader: str | None = None) -> None:
        self._wake.send(b"x")
        self._thread.join(timeout=10)
        self._wake.close()
        self._wakes.close()
        self.supervisor.stop(leader)

    def known(self) -> dict[str, Process]:
        found = dict(files.read_processes(self.plan))
        found.pop("supervisor", None)
        return found


def _until(reached: Callable[[], bool]) -> None:
    begun = CLOCK.now()
    while not reached():
        assert CLOCK.now() - begun < 15, "this takes too long"
        CLOCK.sleep(Seconds(0.01))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[[dict[str, list[str]]], Bench]]:
    """Makes a supervisor of members pg1, pg2; ended afterwards."""
    plan = Plan(str(tmp_path / "demo"), "/bin", (Node("pg1", 1, 2), Node("pg2", 3, 4)), passwords=PASSWORDS)
    files.write_all(plan)
    made: list[Bench] = []

    def make(commands: dict[str, list[str]]) -> Bench:
        made.append(Bench(plan, commands))
        return made[-1]

    yield make
    for one in made:
        for left in one.known().values():
            process.send(left, signal.SIGKILL)


def test_everything_is_started_recorded_and_ended(bench: Callable[[dict[str, list[str]]], Bench]) -> None:
    one = bench({"pg1": STAYS, "pg2": STAYS})
    one.start()
    _until(lambda: set(one.known()) == {"pg1", "pg2"})
    processes = one.known()
    one.end()
    assert not any(process.alive(each) for each in processes.values())
    assert one.known() == {}


def test_what_ends_is_started_again_after_a_moment(bench: Callable[[dict[str, list[str]]], Bench], tmp_path: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    marks = tmp_path / "marks"
    one = bench({"pg1": _dies_twice(marks)})
    begun = CLOCK.now()
    one.start()
    _until(lambda: marks.exists() and marks.read_text(encoding="utf-8") == "xxx")
    assert CLOCK.now() - begun >= 3.0, "one second, then two"
    one.end()
    assert "pg1 ended with exit code 7; starting it again in 1 s" in capsys.readouterr().out


def test_what_still_runs_is_taken_over(bench: Callable[[dict[str, list[str]]], Bench]) -> None:
    with subprocess.Popen(STAYS, start_new_session=True) as orphan:
        left = process.identify(orphan.pid)
        assert left is not None
        one = bench({"pg1": STAYS})
        one.supervisor.adopt({"pg1": left})
        one.start()
        _until(lambda: one.known() == {"pg1": left})
        one.end()
        assert orphan.wait(timeout=10) == -signal.SIGTERM


def test_a_frozen_process_is_ended_too(bench: Callable[[dict[str, list[str]]], Bench]) -> None:
    one = bench({"pg1": STAYS})
    one.start()
    _until(lambda: "pg1" in one.known())
    frozen = one.known()["pg1"]
    process.send(frozen, signal.SIGSTOP)
    one.end()
    assert not process.alive(frozen)


def test_the_leader_is_ended_last(bench: Callable[[dict[str, list[str]]], Bench],
                                  capsys: pytest.CaptureFixture[str]) -> None:
    one = bench({"pg1": STAYS, "pg2": STAYS})
    one.start()
    _until(lambda: set(one.known()) == {"pg1", "pg2"})
    one.end(leader="pg1")
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["stopping pg2", "stopping pg1"]
