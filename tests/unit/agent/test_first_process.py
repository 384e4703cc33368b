"""Process 1: in a process that orphans are given to, as the kernel gives them to a container's first."""

import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import ctypes, os, signal, sys, time
from pgctl.agent import first_process
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER

def orphan():
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()

def agent():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    signal.signal(signal.SIGHUP, lambda *_: print("reload", flush=True))
    orphan()
    print("up", flush=True)
    if sys.argv[1:] == ["killed"]:
        os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(0.05)

sys.exit(first_process.run(agent))
"""


def started(*arguments: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    return process


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_signals_are_passed_on_orphans_are_reaped_and_the_code_is_the_agents() -> None:
    process = started()
    assert process.stdout is not None
    until = time.monotonic() + 5
    while len(children(process.pid)) != 1 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(children(process.pid)) == 1, "a zombie was left"
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == "reload\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 7
    process.stdout.close()


def test_an_agent_that_was_killed_ends_it_too() -> None:
    process = started("killed")
    assert process.wait(5) == 128 + signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")
def test_the_agent_runs_as_process_1() -> None:
    """It is a child then, and what it complains of reaches the container's log."""
    command = ["unshare", "--fork", "--pid", "--mount-proc", sys.executable, "-m", "pgctl.agent.main", "/nowhere.yml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "/nowhere.yml" in done.stderr
