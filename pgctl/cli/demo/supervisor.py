"""The demo's supervisor: starts store and agents, starts again what ends, stops all in order; as systemd would.

Run as `python -m pgctl.cli.demo.supervisor DIRECTORY [--detached]`. Without --detached its standard input is a pipe
from the `pgctl demo` in the foreground; when that ends, however it ends, so does the cluster. It outlives nothing but
its own death: then the next `pgctl demo` takes over the agents that still run. What it does goes to standard output.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from pgctl.cli.demo import files, look, process, stop
from pgctl.cli.demo.plan import Plan
from pgctl.cli.demo.process import Process
from pgctl.clock import Clock, SystemClock
from pgctl.units import Instant, Seconds

RESTART_DELAY = Seconds(1.0)
LONGEST_DELAY = Seconds(30.0)
STABLE = Seconds(10.0)
"""What lived this long is started again after RESTART_DELAY; what ends sooner waits twice as long each time."""


def say(text: str) -> None:
    """One line to the log; the log's own trouble must not stop the cluster."""
    with suppress(OSError):
        print(f"{datetime.fromtimestamp(SystemClock().wall()).astimezone():%H:%M:%S} {text}", flush=True)


class Supervisor:
    """Keeps the processes of one plan running."""

    def __init__(self, plan: Plan, commands: Mapping[str, list[str]], clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._commands = commands
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._running: dict[str, Process] = {}
        self._descriptors: dict[int, str] = {}
        self._since: dict[str, Instant] = {}
        self._due: dict[str, Instant] = {name: clock.now() for name in commands}
        self._delay: dict[str, Seconds] = {}
        self._poll = select.poll()

    def adopt(self, recorded: Mapping[str, Process]) -> None:
        """Takes over what an earlier supervisor left running."""
        for name in self._commands:
            if name in recorded and process.alive(recorded[name]):
                say(f"{name} still runs (pid {recorded[name].pid})")
                self._keep(name, recorded[name])

    def run(self, wakes: socket.socket, owner: int | None) -> None:
        """Works until a signal comes or the owner's pipe closes."""
        self._poll.register(wakes.fileno(), select.POLLIN)
        if owner is not None:
            self._poll.register(owner, select.POLLIN)
        while True:
            self._start_due()
            left = min((due - self._clock.now() for due in self._due.values()), default=None)
            for descriptor, _ in self._poll.poll(None if left is None else max(0.0, left) * 1000):
                if descriptor in self._descriptors:
                    self._ended(descriptor)
                else:
                    return

    def stop(self, leader: str | None) -> None:
        """Ends everything in order: `leader` last of the members."""
        stop.stop_all(self._plan, self._running, leader, self._clock, say)
        for child in self._children.values():
            child.wait(timeout=10)
        files.write_processes(self._plan, {})

    def _start_due(self) -> None:
        for name in [name for name, due in self._due.items() if due <= self._clock.now()]:
            if name not in self._since:
                with suppress(FileNotFoundError):
                    os.replace(self._log(name), f"{self._log(name)}.1")
            with open(self._log(name), "ab") as output:
                child = subprocess.Popen(self._commands[name], stdin=subprocess.DEVNULL, stdout=output,
                                         stderr=subprocess.STDOUT, start_new_session=True)
            self._children[name] = child
            started = process.identify(child.pid)
            if started is None:
                self._again(name, _how(child.wait()))
            else:
                self._keep(name, started)

    def _keep(self, name: str, started: Process) -> None:
        self._due.pop(name, None)
        self._running[name] = started
        self._since[name] = self._clock.now()
        descriptor = process.open_fd(started)
        if descriptor is None:
            self._gone(name)
            return
        self._descriptors[descriptor] = name
        self._poll.register(descriptor, select.POLLIN)
        self._record()

    def _ended(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        os.close(descriptor)
        self._gone(self._descriptors.pop(descriptor))

    def _gone(self, name: str) -> None:
        del self._running[name]
        child = self._children.pop(name, None)
        how = _how(child.wait()) if child else "ended"
        lived = self._clock.now() - self._since[name]
        self._delay[name] = RESTART_DELAY if lived >= STABLE else Seconds(self._delay.get(name, Seconds(0.5)) * 2)
        self._record()
        self._again(name, how)

    def _again(self, name: str, how: str) -> None:
        delay = min(self._delay.setdefault(name, RESTART_DELAY), LONGEST_DELAY)
        last = "" if "SIGKILL" in how else files.last_line(self._log(name))
        say(f"{name} {how}; starting it again in {delay:.0f} s" + (f" ({last})" if last else ""))
        self._due[name] = Instant(self._clock.now() + delay)

    def _log(self, name: str) -> str:
        """Where a process says what it does."""
        store = self._plan.server
        return self._plan.path("dcs", f"{name}.log") if store and name == store.name else self._plan.path(name, "agent.log")

    def _record(self) -> None:
        mine = process.identify(os.getpid())
        files.write_processes(self._plan, self._running | ({"supervisor": mine} if mine else {}))


def commands_of(plan: Plan) -> dict[str, list[str]]:
    """What to run, by name, in the order of starting."""
    store = {plan.server.name: plan.server.arguments(plan.path("dcs"))} if plan.server else {}
    agent = [sys.executable, "-m", "pgctl.agent.main"]
    return store | {node.name: [*agent, plan.agent_file(node)] for node in plan.nodes}


def _how(code: int) -> str:
    """An exit code in words."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def main(arguments: list[str]) -> int:
    """Runs the supervisor of the demo in `arguments[0]`; 1 when there is no demo, or it has one already."""
    plan = files.read_plan(arguments[0])
    lock = files.take_lock(plan) if plan else None
    if plan is None or lock is None:
        say("there is no demo here, or it runs already")
        return 1
    wakes, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    clock = SystemClock()
    supervisor = Supervisor(plan, commands_of(plan), clock)
    supervisor.adopt(files.read_processes(plan))
    try:
        supervisor.run(wakes, None if "--detached" in arguments else sys.stdin.fileno())
    finally:
        supervisor.stop(look.leader_name(plan, clock))
        say("everything is stopped")
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
