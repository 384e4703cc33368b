"""A demo's life as the command line sees it: begin, follow until it is up, show, stop. The supervisor does the work.

The supervisor is a process of its own in both modes. In the foreground it hangs on our end of a pipe, so that however
this process ends, the cluster is stopped in order. Ctrl-C is no more than asking it to.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pgctl.cli.demo import files, look, process, show, stop
from pgctl.cli.demo.look import Window
from pgctl.cli.demo.plan import Plan
from pgctl.cli.demo.process import Process
from pgctl.cli.demo.screen import Screen
from pgctl.clock import Clock
from pgctl.errors import ServerError
from pgctl.model.cluster import Cluster
from pgctl.units import Instant, Seconds

UP_TIME = Seconds(120.0)
STOP_TIME = Seconds(90.0)
TICK = Seconds(0.5)
_TIME_OF_DAY = re.compile(r"^\d\d:\d\d:\d\d ")


class Log:
    """A log file, line by line from where it ends now. What has no stamp continues an earlier line: left out."""

    def __init__(self, path: str, stamp: re.Pattern[str]) -> None:
        self._path = Path(path)
        self._stamp = stamp
        self._place = self._size()

    def new_lines(self) -> list[str]:
        """Complete lines since the last call, without their stamp."""
        if self._size() < self._place:
            self._place = 0
        if self._size() == self._place:
            return []
        with open(self._path, "rb") as file:
            file.seek(self._place)
            text = file.read().rpartition(b"\n")
        self._place += len(text[0]) + len(text[1])
        lines = text[0].decode("utf-8", "replace").splitlines()
        return [self._stamp.sub("", line) for line in lines if self._stamp.match(line)]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0


class Run:
    """One `pgctl demo` at work on one plan."""

    def __init__(self, plan: Plan, clock: Clock, screen: Screen) -> None:
        self._plan = plan
        self._clock = clock
        self._screen = screen
        self._log = Log(plan.path("demo.log"), _TIME_OF_DAY)
        self._agents: dict[str, Log] = {}
        self._window = Window(plan, clock)
        self._shown: dict[str, str] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._supervisor: Process | None = None

    def begin(self, detached: bool) -> None:
        """Starts the supervisor; it takes over what still runs from before."""
        command = [sys.executable, "-m", "pgctl.cli.demo.supervisor", self._plan.directory]
        with open(self._plan.path("demo.log"), "ab") as log:
            self._child = subprocess.Popen(
                [*command, "--detached"] if detached else command, stdout=log, stderr=log, start_new_session=True,
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE)
        self._supervisor = process.identify(self._child.pid)

    def attach(self, supervisor: Process) -> None:
        """Shows a demo that another `pgctl demo` started."""
        self._supervisor = supervisor

    def until_up(self) -> Cluster:
        """Shows who does what until all members work, then returns the cluster. Raises ServerError after UP_TIME."""
        deadline = Instant(self._clock.now() + UP_TIME)
        names = frozenset(node.name for node in self._plan.nodes)
        up: list[Cluster] = []

        def tick() -> None:
            cluster = self._tick(lines_only=True)
            if cluster is not None and look.healthy(cluster, names) and self._supervised(names):
                up.append(cluster)

        tick()
        while not up:
            if self._clock.now() > deadline:
                raise ServerError(f"the cluster is not complete after {UP_TIME:.0f} s",
                                  hint=f"Each member's log tells why: {self._plan.path('*', 'agent.log')}")
            self._window.wait(tick, TICK)
            tick()
        return up[-1]

    def _supervised(self, names: frozenset[str]) -> bool:
        """Whether the supervisor has them all: agents that were left running are up before it has taken them over."""
        recorded = files.read_processes(self._plan)
        return recorded.get("supervisor") == self._supervisor and names <= recorded.keys()

    def show(self) -> None:
        """Shows the live table, and above it what the agents log, until Ctrl-C.

        Raises ServerError when the supervisor ends meanwhile.
        """
        self._agents = {node.name: Log(self._plan.agent_log(node), look.STAMP) for node in self._plan.nodes}

        def tick() -> None:
            self._tick(lines_only=not self._screen.live)

        while self._supervisor is not None and process.alive(self._supervisor):
            tick()
            self._window.wait(tick, TICK)
        self._tick(lines_only=True)
        raise ServerError("the demo was stopped from elsewhere", hint="`pgctl demo` starts it again.")

    def stop(self) -> bool:
        """Asks the supervisor to stop everything, shows how it does, and sees to what is left.

        False when processes are still there after that.
        """
        self._screen.leave()
        self._agents = {}
        if self._supervisor is not None and process.send(self._supervisor, signal.SIGTERM):
            deadline = Instant(self._clock.now() + STOP_TIME)
            while process.wait([self._supervisor], self._clock, min(deadline, Instant(self._clock.now() + TICK))):
                self._tell()
                if self._clock.now() >= deadline:
                    process.send(self._supervisor, signal.SIGKILL)
                    break
            self._tell()
        if self._child is not None:
            self._child.wait(timeout=10)
        return sweep(self._plan, self._clock, self._screen.line)

    def close(self) -> None:
        self._window.close()

    def _tell(self) -> None:
        for line in self._log.new_lines():
            self._screen.line(f"  {line}")
        for name, log in self._agents.items():
            for line in log.new_lines():
                self._screen.line(f"  {name}  {line}")

    def _tick(self, *, lines_only: bool) -> Cluster | None:
        """Shows what is new; returns the cluster."""
        self._tell()
        cluster = self._window.read()
        now = show.progress(self._plan, cluster)
        if lines_only:
            for line in show.changed(self._shown, now):
                self._screen.line(line)
            self._shown = now
        else:
            self._screen.block(show.live(self._plan, cluster, self._window.problem))
        return cluster


def sweep(plan: Plan, clock: Clock, say: Callable[[str], None]) -> bool:
    """Ends what an earlier demo left in this directory, without a supervisor; False when something would not end."""
    left = {name: one for name, one in files.read_processes(plan).items() if process.alive(one)}
    left.pop("supervisor", None)
    servers = [server for node in plan.nodes if (server := process.postmaster(plan.data_dir(node)))]
    if not left and not servers:
        return True
    stop.stop_all(plan, left, look.leader_name(plan, clock), clock, say)
    return not any(process.alive(one) for one in (*left.values(), *servers))


def supervisor_of(plan: Plan) -> Process | None:
    """The supervisor that works on this plan now, if there is one."""
    one = files.read_processes(plan).get("supervisor")
    return one if one is not None and process.alive(one) else None
