"""A real cluster for tests and benchmarks: agents, PostgreSQL and a store, killed, frozen and cut off for real.

Its files are those of `pgctl demo`; there is no supervisor, so that what a test kills stays dead. All is on the
loopback, below one directory. Ends only processes it started, by identity.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Self

import psycopg2
from psycopg2.extensions import connection as Connection

from pgctl.cli.demo import files, host, look, process
from pgctl.cli.demo import plan as plans
from pgctl.cli.demo.build import new_plan
from pgctl.cli.demo.look import Window
from pgctl.cli.demo.plan import Plan
from pgctl.cli.demo.process import Process
from pgctl.cli.demo.store import KINDS
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Store
from pgctl.errors import ServerError
from pgctl.model.cluster import Cluster as State
from pgctl.model.member import Member
from pgctl.units import Instant, Seconds
from tests.signals import send

QUICK: Mapping[str, object] = {"ttl": 5, "loop_wait": 1, "retry_timeout": 1}
"""A short lease: what waits for its end must not make the suite long."""

START = 90.0
"""Seconds a cluster of three may take to come up on two busy cores."""


class Cluster:
    """N members with their processes. `beside` another one: with its passwords, so that one can follow the other, and
    with member names of its own.
    """

    def __init__(self, directory: str, *, nodes: int = 3, dcs: str = "sqlite",
                 settings: Mapping[str, object] = QUICK, beside: "Cluster | None" = None) -> None:
        self.clock = SystemClock()
        self.plan: Plan = replace(new_plan(directory, nodes, dcs, None), dcs_settings=settings)
        if beside is not None:
            members = tuple(replace(node, name=f"dr{place + 1}") for place, node in enumerate(self.plan.nodes))
            self.plan = replace(self.plan, nodes=members, passwords=beside.plan.passwords, scope=f"{self.plan.scope}-dr")
        files.write_all(self.plan)
        self.agents: dict[str, subprocess.Popen[bytes]] = {}
        self.store: subprocess.Popen[bytes] | None = None
        self.window = Window(self.plan, self.clock)
        self._store: Store | None = None

    # --- life ---------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.plan.nodes)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Started, and at the end stopped, also when it does not come up."""
        try:
            yield self.start()
        finally:
            self.stop()

    def start(self) -> Self:
        """Starts the store and all agents, and waits until every member streams."""
        self.start_store()
        for name in self.names:
            self.start_agent(name)
        self.wait_healthy(START)
        return self

    def stop(self) -> None:
        """Ends everything, fast: this cluster is not needed any more."""
        for agent in self.agents.values():
            if agent.poll() is None:
                agent.kill()
            agent.wait(timeout=10)
        for name in self.names:
            self._kill_fence(name)
            self.kill_server(name)
        self.window.close()
        if self._store is not None:
            self._store.close()
        if self.store is not None:
            self.store.kill()
            self.store.wait(timeout=10)

    def heal(self) -> None:
        """Starts again whatever a test left dead or frozen, and waits until all is well."""
        for name, agent in self.agents.items():
            if agent.poll() is None:
                agent.send_signal(signal.SIGCONT)
            else:
                self.start_agent(name)
        self.wait_healthy(45)

    def start_store(self) -> None:
        """Starts the store's server, if this cluster has one."""
        if server := self.plan.server:
            self.store = self._spawn(server.arguments(self.plan.path("dcs")), self.plan.path("dcs", f"{server.name}.log"))

    def start_agent(self, name: str) -> None:
        node = self.plan.node(name)
        command = [sys.executable, "-m", "pgctl.agent.main", self.plan.agent_file(node)]
        self.agents[name] = self._spawn(command, self.plan.agent_log(node))

    def _spawn(self, command: list[str], log: str) -> "subprocess.Popen[bytes]":
        with open(log, "ab") as output:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                    start_new_session=True)

    # --- harm ---------------------------------------------------------------------------------------------

    def signal_agent(self, name: str, number: signal.Signals) -> None:
        send(self.agents[name], number)

    def kill_agent(self, name: str) -> None:
        """kill -9: no orderly end, and its server is left to the fence."""
        self.agents[name].kill()
        self.agents[name].wait(timeout=10)

    def server(self, name: str) -> Process | None:
        """The postmaster of a member, if it runs."""
        return process.postmaster(self.plan.data_dir(self.plan.node(name)))

    def kill_server(self, name: str) -> None:
        """kill -9 to the postmaster; its children notice and end."""
        server = self.server(name)
        if server is not None:
            process.send(server, signal.SIGKILL)
            process.wait([server], self.clock, Instant(self.clock.now() + 10))

    def lose_host(self, name: str) -> None:
        """Agent, fence and server gone at one blow."""
        self.signal_agent(name, signal.SIGSTOP)
        self._kill_fence(name)
        self.kill_server(name)
        self.kill_agent(name)

    def _kill_fence(self, name: str) -> None:
        for fence in fences(self.plan.path(name, "run")):
            process.send(fence, signal.SIGKILL)

    def break_rewind(self, name: str) -> None:
        """Removes the WAL of a stopped member: its data can neither recover nor be rewound."""
        wal = os.path.join(self.plan.data_dir(self.plan.node(name)), "pg_wal")
        for entry in os.listdir(wal):
            if len(entry) == 24:
                os.unlink(os.path.join(wal, entry))

    # --- the store, behind everybody's back ---------------------------------------------------------------

    def raw_get(self, key: str) -> str:
        """A key's text; nothing when it is absent."""
        item = self._raw().snapshot(budget=Seconds(5)).items.get(key)
        return item.value if item else ""

    def raw_put(self, key: str, text: str) -> None:
        self._raw().put(key, text, budget=Seconds(5))

    def raw_delete(self, key: str) -> None:
        self._raw().delete(key, budget=Seconds(5))

    def empty_store(self) -> None:
        """Deletes every key of the cluster."""
        for key in self._raw().snapshot(budget=Seconds(5)).items:
            self.raw_delete(key)

    def _raw(self) -> Store:
        if self._store is None:
            ((kind, options),) = plans.store_section(self.plan).items()
            section = StoreSection(kind, options, scope=self.plan.scope)
            self._store = factory.open_store(section, self.clock)
        return self._store

    # --- looking ------------------------------------------------------------------------------------------

    def read(self) -> State | None:
        """The cluster as the store has it; None while it cannot be read."""
        return self.window.read()

    def leader(self) -> str | None:
        state = self.read()
        return state.leader_name if state else None

    def member(self, name: str) -> Member | None:
        state = self.read()
        return state.member(name) if state else None

    def replicas(self) -> tuple[str, ...]:
        leader = self.leader()
        return tuple(name for name in self.names if name != leader)

    def wait(self, what: str, reached: Callable[[], bool], timeout: float = 40.0) -> float:
        """Waits until `reached`; returns how long it took. Raises AssertionError with the agents' last words."""
        begun = time.monotonic()
        while not reached():
            if time.monotonic() - begun > timeout:
                raise AssertionError(f"after {timeout:.0f} s still not so: {what}\n{self.last_words()}")
            time.sleep(0.02)
        return time.monotonic() - begun

    def wait_healthy(self, timeout: float = 60.0, names: Iterable[str] | None = None) -> None:
        """Waits for one running primary and everyone else (or `names`) streaming from it on its timeline."""
        wanted = frozenset(names if names is not None else self.names)
        self.wait("one primary, and everyone else streams", lambda: look.healthy(self.read(), wanted), timeout)

    def wait_leader(self, other_than: str | None = None, timeout: float = 40.0) -> str:
        """Waits until a member other than that one holds the lease and its server is writable; returns its name."""
        found: list[str] = []

        def reached() -> bool:
            leader = self.leader()
            if leader is None or leader == other_than or not self.writable(leader):
                return False
            found.append(leader)
            return True

        self.wait(f"a leader other than {other_than}", reached, timeout)
        return found[-1]

    def connect(self, name: str, *, timeout: int = 3) -> Connection:
        """An autocommit session on one member's server. Raises psycopg2.OperationalError."""
        node = self.plan.node(name)
        session = psycopg2.connect(
            host="127.0.0.1", port=node.port, user=plans.SUPERUSER, dbname="postgres", connect_timeout=timeout,
            password=self.plan.passwords["superuser"], options="-c statement_timeout=3000", application_name="e2e")
        session.autocommit = True
        return session

    def query(self, name: str, sql: str) -> list[tuple[object, ...]]:
        """Rows of one statement on one member."""
        session = self.connect(name)
        try:
            with session.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            session.close()

    def writable(self, name: str) -> bool:
        """Whether the member's server answers and is out of recovery."""
        with suppress(psycopg2.Error):
            return self.query(name, "SELECT pg_is_in_recovery()") == [(False,)]
        return False

    def pgctl(self, *arguments: str, timeout: float = 60.0, on: str = "") -> "subprocess.CompletedProcess[str]":
        """Runs the command line on this cluster; with the configuration of the member it runs `on`, if on any."""
        file = self.plan.agent_file(self.plan.node(on)) if on else self.plan.ctl_file
        command = [sys.executable, "-m", "pgctl.cli.main", "-c", file, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)

    def log(self, name: str) -> str:
        """All that a member's agent has said."""
        with open(self.plan.agent_log(self.plan.node(name)), encoding="utf-8", errors="replace") as file:
            return file.read()

    def last_words(self, lines: int = 12) -> str:
        """The end of each agent's log, for a failed test's report."""
        return "\n".join(f"--- {name}\n" + "\n".join(self.log(name).splitlines()[-lines:]) for name in self.agents)


def fences(directory: str) -> tuple[Process, ...]:
    """Fence processes that guard this run directory, whoever their parent is by now."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    found = [pid for pid in pids if "fence_process" in (line := command_line(pid)) and directory in line]
    return tuple(one for pid in found if (one := process.identify(pid)))


def command_line(pid: int) -> str:
    """A process's command line; nothing when it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
        return file.read().replace("\0", " ")
    return ""


def why_not(dcs: str) -> str:
    """Why such a cluster cannot run here; nothing when it can."""
    if os.geteuid() == 0:
        return "PostgreSQL refuses to run as root: use `make test`, or another user"
    try:
        host.find_postgres(host.directories(None), host.os_release())
        if dcs in KINDS:
            host.find_store(KINDS[dcs][0], None, host.os_release())
    except ServerError as error:
        return f"{error.message}. {error.hint}"
    return ""
