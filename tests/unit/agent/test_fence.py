"""The fence against stand-ins for a server: real processes that obey, ignore or outlive their signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgctl.agent import fence_aim, fence_process, fence_record
from pgctl.agent.fence import Fence
from pgctl.agent.fence_process import ASK, END, KILL, NOTHING
from pgctl.agent.fence_record import SECOND, Record
from pgctl.units import Instant, Seconds

POSTMASTER = """
import os, signal, sys, time
def end(number, frame):
    open("got", "a").write(f"{number} ")
    if mode == "obedient" or (mode == "slow" and number == signal.SIGQUIT):
        os.kill(child, signal.SIGKILL)
        os._exit(0)
mode = sys.argv[1]
for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, end)
child = os.fork()
if child == 0:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)
open("postmaster.pid.new", "w").write(f"{os.getpid()}\\n{os.getcwd()}\\n")
open("child", "w").write(str(child))
os.rename("postmaster.pid.new", "postmaster.pid")
while True:
    time.sleep(60)
"""


def eventually(true: Callable[[], bool], within: float = 8.0) -> bool:
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def soon(seconds: float) -> Instant:
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME) + seconds)


class Stand:
    """A data directory with a stand-in server, and a run directory."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.run = root / "run"
        self.data.mkdir()
        self.run.mkdir()
        self.started: list[subprocess.Popen[bytes]] = []

    def server(self, mode: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-S", "-c", POSTMASTER, mode], cwd=self.data)
        self.started.append(process)
        assert eventually((self.data / "postmaster.pid").exists)
        return process

    @property
    def child(self) -> int:
        return int((self.data / "child").read_text())

    @property
    def got(self) -> str:
        path = self.data / "got"
        return path.read_text() if path.exists() else ""

    def log(self) -> str:
        return (self.run / "fence.log").read_text()

    def fence_pid(self) -> int:
        with open(self.run / "fence", "rb") as file:
            return fence_record.read_mark(file.fileno())[1]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    for process in stand.started:
        process.kill()
        process.wait()
    if (stand.data / "child").exists() and fence_aim.started(stand.child):
        os.kill(stand.child, signal.SIGKILL)
    if (stand.run / "fence").exists() and fence_aim.started(stand.fence_pid()):
        os.kill(stand.fence_pid(), signal.SIGKILL)
    while eventually(lambda: fence_aim.started(stand.fence_pid()) == 0) and reaped():
        pass


def reaped() -> bool:
    """Whether there was a fence of this process left to take note of."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


STEPS = [(5.1, NOTHING), (5.0, ASK), (1.7, ASK), (1.6, KILL), (0.1, KILL), (0, END), (-9, END)]


@pytest.mark.parametrize(("left", "step"), STEPS)
def test_steps_follow_the_deadline(left: float, step: int) -> None:
    record = Record(armed=True, deadline=100 * SECOND, margin=5 * SECOND)
    now = int((100 - left) * SECOND)
    assert fence_process.due(record, now) == step
    assert 0 < fence_process.look_in(record, now) <= SECOND
    record.armed = False
    assert fence_process.due(record, now) == NOTHING


def test_a_record_survives_packing_and_a_torn_or_foreign_one_is_refused(tmp_path: Path) -> None:
    boot, path = bytes(range(16)), tmp_path / "fence"
    packed = Record(7, True, 12, 3, 9, 42, 99).pack(boot)

    def read(data: bytes, booted: bytes = boot) -> Record | None:
        path.write_bytes(data)
        with open(path, "rb") as file:
            return fence_record.read_record(file.fileno(), booted)

    again = read(packed)
    assert again is not None and again.pack(boot) == packed
    for place in range(len(packed)):
        torn = bytearray(packed)
        torn[place] ^= 1
        assert read(bytes(torn)) is None
    assert read(b"") is None and read(packed[:-1]) is None
    assert read(packed, bytes(16)) is None


def test_an_agent_counts_as_frozen_when_it_did_not_tick_since_the_fence_began_to_act() -> None:
    assert fence_process.frozen(Record(deadline=100, margin=10, alive=89))
    assert not fence_process.frozen(Record(deadline=100, margin=10, alive=90))


def test_an_obedient_server_is_stopped_fast_before_the_deadline_and_the_ticking_agent_lives(stand: Stand) -> None:
    server = stand.server("obedient")
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    assert fence.alive()
    deadline = soon(2.5)
    fence.arm(deadline, Seconds(1.0))
    assert eventually(lambda: server.poll() is not None)
    assert soon(0) < deadline - 0.5
    assert stand.got == "2 "
    fence.tick()
    assert eventually(lambda: soon(0) > deadline + 0.2)
    assert "stopping PostgreSQL (fast)" in stand.log()
    assert "killing" not in stand.log()


@pytest.mark.parametrize("mode", ["slow", "deaf"])
def test_one_that_does_not_obey_is_dead_with_all_its_children_at_the_deadline(stand: Stand, mode: str) -> None:
    server = stand.server(mode)
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    deadline = soon(2.5)
    fence.arm(deadline, Seconds(1.0))
    assert eventually(lambda: server.poll() is not None)
    assert eventually(lambda: fence_aim.started(stand.child) == 0)
    assert soon(0) < deadline
    assert stand.got == "2 3 "


def test_orphans_of_a_killed_postmaster_are_found_and_killed(stand: Stand) -> None:
    server = stand.server("deaf")
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    assert eventually(lambda: stand.fence_pid() > 0)
    deadline = soon(2.5)
    fence.arm(deadline, Seconds(1.0))
    time.sleep(1.1)  # the fence looks once a second: it has seen which program the server is
    server.kill()
    server.wait()
    assert fence_aim.started(stand.child)
    assert eventually(lambda: fence_aim.started(stand.child) == 0)
    assert soon(0) < deadline + 0.1


def test_a_deadline_that_moves_and_a_fence_not_armed_leave_the_server_alone(stand: Stand) -> None:
    server = stand.server("obedient")
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    fence.move(soon(-5), Seconds(1.0))
    assert not fence.armed
    fence.arm(soon(2), Seconds(1.0))
    for _ in range(20):
        fence.move(soon(2), Seconds(1.0))
        time.sleep(0.08)
    fence.disarm()
    fence.move(soon(-5), Seconds(1.0))
    time.sleep(1.2)
    assert server.poll() is None
    assert stand.log() == ""


def test_the_record_keeps_the_last_deadline_for_a_later_life(stand: Stand) -> None:
    """Also a shorter one: the TTL may have been lowered."""
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    fence.arm(soon(30), Seconds(1.0))
    last = soon(20)
    fence.move(last, Seconds(1.0))
    again = Fence(str(stand.run), str(stand.data)).adopt()
    assert again.armed and again.deadline == pytest.approx(last, abs=0.001)
    fence.disarm()


def test_a_foreign_process_under_a_recycled_pid_is_left_alone(stand: Stand) -> None:
    bystander = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], cwd="/")
    stand.started.append(bystander)
    (stand.data / "postmaster.pid").write_text(f"{bystander.pid}\n{stand.data}\n")
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    fence.arm(soon(-1), Seconds(1.0))
    time.sleep(1.2)
    assert bystander.poll() is None


AGENT = """
import sys, time
from pgctl.agent.fence import Fence
from pgctl.units import Instant, Seconds
fence = Fence(sys.argv[1], sys.argv[2])
found = fence.start()
print(found.armed, flush=True)
for word in sys.stdin:
    if word.startswith("arm"):
        fence.arm(Instant(time.clock_gettime(time.CLOCK_BOOTTIME) + float(word.split()[1])), Seconds(1.0))
    elif word.startswith("disarm"):
        fence.disarm()
    print("done", flush=True)
"""


class Agent:
    def __init__(self, stand: Stand) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", AGENT, str(stand.run), str(stand.data)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.armed = self.answer() == "True"

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        assert self.answer() == "done"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_killed_agent_leaves_a_fence_that_acts_and_then_ends(stand: Stand) -> None:
    server = stand.server("obedient")
    agent = Agent(stand)
    agent.tell("arm 2.5")
    agent.end()
    fence = stand.fence_pid()
    assert fence_aim.started(fence)
    assert server.poll() is None
    assert eventually(lambda: server.poll() is not None)
    assert eventually(lambda: fence_aim.started(fence) == 0)


def test_an_agent_that_comes_back_in_time_adopts_fence_and_deadline(stand: Stand) -> None:
    server = stand.server("obedient")
    first = Agent(stand)
    first.tell("arm 4")
    fence = stand.fence_pid()
    first.end()
    second = Agent(stand)
    assert second.armed
    second.tell("arm 4")
    assert stand.fence_pid() == fence and fence_aim.started(fence)
    assert server.poll() is None
    second.tell("disarm")
    second.end()
    assert eventually(lambda: fence_aim.started(fence) == 0)
    assert server.poll() is None


def test_a_frozen_agent_is_killed_at_the_deadline(stand: Stand) -> None:
    server = stand.server("obedient")
    agent = Agent(stand)
    agent.tell("arm 2.5")
    agent.process.send_signal(signal.SIGSTOP)
    assert eventually(lambda: agent.process.poll() is not None)
    assert agent.process.returncode == -signal.SIGKILL
    assert server.poll() is not None
    assert "the agent shows no life" in stand.log()
    agent.end()


def test_a_killed_or_frozen_fence_is_seen_and_replaced(stand: Stand) -> None:
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    first = stand.fence_pid()
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: not fence.alive())
    fence.start()
    second = stand.fence_pid()
    assert second != first and fence.alive()
    os.kill(second, signal.SIGSTOP)
    assert eventually(lambda: not fence.alive(), within=10)
    fence.start()
    assert stand.fence_pid() not in (first, second) and fence.alive()
    assert fence_aim.started(second) == 0


def test_the_signals_of_a_terminal_do_not_lift_it(stand: Stand) -> None:
    fence = Fence(str(stand.run), str(stand.data))
    fence.start()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(stand.fence_pid(), number)
    time.sleep(0.3)
    assert fence.alive()
    assert os.getsid(stand.fence_pid()) != os.getsid(0)


def test_it_is_built_on_two_rooms_that_stand_alone() -> None:
    """Whatever else it imported could keep it from starting, or make it large."""
    root = str(Path(fence_process.__file__).parents[2])
    code = f"import sys; sys.path.append({root!r}); import pgctl.agent.fence_process; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert sorted(name for name in told.stdout.split() if name.startswith("pgctl")) == [
        "pgctl", "pgctl.agent", "pgctl.agent.fence_aim", "pgctl.agent.fence_process", "pgctl.agent.fence_record"]


def test_it_takes_few_megabytes(stand: Stand) -> None:
    Fence(str(stand.run), str(stand.data)).start()
    text = Path(f"/proc/{stand.fence_pid()}/smaps_rollup").read_text()
    share = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    assert share < 10_000
