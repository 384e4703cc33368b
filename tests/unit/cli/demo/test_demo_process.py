"""Processes by identity: nothing that merely has the same pid is signalled."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgctl.cli.demo import process
from pgctl.cli.demo.process import Process
from pgctl.clock import SystemClock
from pgctl.units import Instant

CLOCK = SystemClock()


@pytest.fixture
def child(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that waits for its end, with `tmp_path` as its working directory."""
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], cwd=tmp_path) as one:
        yield one
        one.kill()


def _of(child: "subprocess.Popen[bytes]") -> Process:
    found = process.identify(child.pid)
    assert found is not None
    return found


def test_a_living_process_is_known(child: "subprocess.Popen[bytes]") -> None:
    assert process.alive(_of(child))


def test_another_process_with_the_same_pid_is_not_it(child: "subprocess.Popen[bytes]") -> None:
    stranger = Process(child.pid, _of(child).started + 1)
    assert not process.alive(stranger)
    assert not process.send(stranger, signal.SIGKILL)
    assert child.poll() is None


def test_a_zombie_is_dead(child: "subprocess.Popen[bytes]") -> None:
    known = _of(child)
    assert process.send(known, signal.SIGKILL)
    assert process.wait([known], CLOCK, Instant(CLOCK.now() + 10)) == ()
    assert not process.alive(known)
    assert not process.send(known, signal.SIGKILL)


def test_waiting_ends_at_the_deadline_and_names_who_is_left(child: "subprocess.Popen[bytes]") -> None:
    known = _of(child)
    begun = CLOCK.now()
    assert process.wait([known], CLOCK, Instant(begun + 0.05)) == (known,)
    assert CLOCK.now() >= begun + 0.05


def test_waiting_for_nobody_is_over_at_once() -> None:
    assert process.wait([], CLOCK, Instant(CLOCK.now() + 60)) == ()


def test_a_postmaster_is_known_by_its_directory(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{child.pid}\n{tmp_path}\n", encoding="utf-8")
    assert process.postmaster(str(tmp_path)) == _of(child)


@pytest.mark.parametrize("text", ["", "words\n", "999999999\n", f"{os.getpid()}\n"],
                         ids=["empty", "words", "gone", "own"])
def test_a_stale_pid_file_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "postmaster.pid").write_text(text, encoding="utf-8")
    assert process.postmaster(str(tmp_path)) is None


def test_no_pid_file_is_no_postmaster(tmp_path: Path) -> None:
    assert process.postmaster(str(tmp_path)) is None
