"""Ending a demo's processes in order: standbys first, then the leader, then the store. Only what we started."""

import signal
from collections.abc import Callable, Mapping

from pgctl.cli.demo import process
from pgctl.cli.demo.plan import Plan
from pgctl.cli.demo.process import Process
from pgctl.clock import Clock
from pgctl.units import Instant, Seconds

Say = Callable[[str], None]

AGENT_TIME = Seconds(40.0)
"""An orderly end of an agent stops its server after a checkpoint; longer than this is a fault."""
SERVER_TIME = Seconds(15.0)
STORE_TIME = Seconds(10.0)


def stop_all(plan: Plan, processes: Mapping[str, Process], leader: str | None, clock: Clock, say: Say) -> None:
    """Ends agents, servers and the store, each within its time; what does not end is killed.

    The standbys go first, so that the leader's end starts no race.
    """
    names = [node.name for node in plan.nodes if node.name in processes]
    for group in ([name for name in names if name != leader], [name for name in names if name == leader]):
        if group:
            say(f"stopping {', '.join(group)}")
            _end([processes[name] for name in group], signal.SIGTERM, AGENT_TIME, clock)
    for node in plan.nodes:
        _stop_server(plan.data_dir(node), node.name, clock, say)
    if plan.server and plan.server.name in processes:
        say(f"stopping {plan.server.name}")
        _end([processes[plan.server.name]], signal.SIGTERM, STORE_TIME, clock)


def _end(processes: list[Process], first: signal.Signals, patience: Seconds, clock: Clock) -> None:
    """Asks with `first`, wakes whatever is stopped, and kills what is still there when the time is over."""
    for one in processes:
        process.send(one, first)
        process.send(one, signal.SIGCONT)
    for one in process.wait(processes, clock, Instant(clock.now() + patience)):
        process.send(one, signal.SIGKILL)
    process.wait(processes, clock, Instant(clock.now() + STORE_TIME))


def _stop_server(data_dir: str, name: str, clock: Clock, say: Say) -> None:
    """Stops a server whose agent is gone: fast, then at once. SIGINT and SIGQUIT are PostgreSQL's words for these."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server = process.postmaster(data_dir)
        if server is None:
            return
        say(f"stopping the server that {name}'s agent left")
        process.send(server, number)
        process.send(server, signal.SIGCONT)
        process.wait([server], clock, Instant(clock.now() + SERVER_TIME))
