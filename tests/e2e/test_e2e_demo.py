"""`pgctl demo` as a person uses it: begun, interrupted, continued, crashed, stopped; nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgctl.cli.demo import files, process
from pgctl.cli.demo.plan import Plan

pytestmark = [pytest.mark.e2e, pytest.mark.store("sqlite")]


class Demo:
    """One directory, and the command line on it."""

    def __init__(self, place: Path) -> None:
        self.directory = str(place / "demo")
        self.user_file = place / "home" / "pgctl.yaml"
        self.environment = os.environ | {"PGCTL_DEMO_DIR": self.directory, "PGCTL_DEMO_CONFIG": str(self.user_file)}

    def run(self, *arguments: str, timeout: float = 180.0) -> "subprocess.CompletedProcess[str]":
        """Runs `pgctl` with these arguments to its end."""
        return subprocess.run([sys.executable, "-m", "pgctl.cli.main", *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts `pgctl demo` in the foreground."""
        return subprocess.Popen([sys.executable, "-m", "pgctl.cli.main", "demo", *arguments], env=self.environment,
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                start_new_session=True)

    @property
    def plan(self) -> Plan:
        plan = files.read_plan(self.directory)
        assert plan is not None
        return plan

    def alive(self) -> list[str]:
        """What of it runs now."""
        plan = files.read_plan(self.directory)
        if plan is None:
            return []
        agents = [name for name, one in files.read_processes(plan).items() if process.alive(one)]
        servers = [node.name + "'s server" for node in plan.nodes if process.postmaster(plan.data_dir(node))]
        return agents + servers


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    one = Demo(tmp_path)
    yield one
    one.run("demo", "stop")
    assert one.alive() == []


def _until(reached: Callable[[], bool], timeout: float = 90.0) -> None:
    begun = time.monotonic()
    while not reached():
        assert time.monotonic() - begun < timeout, "this takes too long"
        time.sleep(0.05)


def test_detached_listed_and_stopped(demo: Demo) -> None:
    begun = demo.run("demo", "--nodes", "2", "--detach")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    assert demo.directory in begun.stdout
    assert "pgctl switchover" in begun.stdout
    assert demo.run("demo", "status").returncode == 0
    listed = demo.run("-c", str(demo.user_file), "list")
    assert listed.returncode == 0 and "pg1" in listed.stdout and "pg2" in listed.stdout
    again = demo.run("demo", "--detach")
    assert again.returncode == 0 and "runs already" in again.stdout
    other = demo.run("demo", "--nodes", "5", "--detach")
    assert other.returncode == 2 and "--fresh" in other.stderr
    stopped = demo.run("demo", "stop")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert demo.alive() == []
    assert not demo.user_file.exists()
    assert demo.run("demo", "status").returncode == 1
    assert demo.run("demo", "stop").returncode == 0


def test_interrupted_at_once_then_continued_then_interrupted_again(demo: Demo) -> None:
    """Ctrl-C while members are being built leaves nothing running, and the next run gets there."""
    with demo.begin("--nodes", "2") as first:
        _until(lambda: len(demo.alive()) >= 2)
        first.send_signal(signal.SIGINT)
        output, _ = first.communicate(timeout=120)
    assert first.returncode == 0, output
    assert "Traceback" not in output
    assert demo.alive() == []
    with demo.begin() as second:
        _until(demo.user_file.exists)
        second.send_signal(signal.SIGINT)
        output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    assert demo.directory in output
    assert demo.alive() == []


def test_a_killed_terminal_stops_everything(demo: Demo) -> None:
    with demo.begin("--nodes", "1") as run:
        _until(demo.user_file.exists)
        run.kill()
        run.communicate(timeout=30)
    _until(lambda: demo.alive() == [])


def test_a_killed_supervisor_is_replaced_and_its_agents_go_on(demo: Demo) -> None:
    assert demo.run("demo", "--nodes", "2", "--detach").returncode == 0
    before = dict(files.read_processes(demo.plan))
    process.send(before.pop("supervisor"), signal.SIGKILL)
    again = demo.run("demo", "--detach")
    assert again.returncode == 0, again.stdout + again.stderr
    after = dict(files.read_processes(demo.plan))
    after.pop("supervisor")
    assert after == before


def test_a_dead_agent_is_started_again(demo: Demo) -> None:
    assert demo.run("demo", "--nodes", "1", "--detach").returncode == 0
    agent = files.read_processes(demo.plan)["pg1"]
    process.send(agent, signal.SIGKILL)
    _until(lambda: files.read_processes(demo.plan).get("pg1") not in (None, agent), 15)


def test_fresh_starts_anew(demo: Demo) -> None:
    assert demo.run("demo", "--nodes", "1", "--detach").returncode == 0
    first = demo.plan
    fresh = demo.run("demo", "--nodes", "2", "--fresh", "--detach")
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    assert len(demo.plan.nodes) == 2
    assert demo.plan.passwords != first.passwords


def test_a_directory_of_somebody_else_is_not_touched(demo: Demo) -> None:
    Path(demo.directory).mkdir()
    thesis = Path(demo.directory, "thesis.txt")
    thesis.write_text("three years of work", encoding="utf-8")
    for arguments in (("--detach",), ("--detach", "--fresh")):
        refused = demo.run("demo", *arguments)
        assert refused.returncode == 1
        assert "not empty" in refused.stderr
    assert thesis.read_text(encoding="utf-8") == "three years of work"
