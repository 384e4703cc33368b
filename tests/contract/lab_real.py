"""The server contract's real world: PostgreSQL servers on this host under the agent's own hands, clients in threads."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg2

from pgctl.agent.bell import Bell
from pgctl.agent.core.job import Job
from pgctl.agent.core.view import JobState
from pgctl.agent.jobs import Jobs
from pgctl.model.conf import Conf, SlotPlan
from pgctl.model.server import ServerState
from pgctl.postgresql import process
from pgctl.units import Seconds
from tests.contract.lab import Commit, Fate
from tests.contract.pg_fixtures import BOOTSTRAP, CLOCK, DYNAMIC, Member, member, soon

TABLE = "CREATE TABLE public.rows (id int)"
FILL = bytes(64 * 1024)
SMALL_SEGMENTS = replace(BOOTSTRAP, initdb=(*BOOTSTRAP.initdb, {"wal-segsize": "1"}))


class RealCommit(threading.Thread):
    """One client, with a session of its own."""

    def __init__(self, lab: "RealLab", member: str, row: int) -> None:
        super().__init__(name=f"row {row}", daemon=True)
        self.row, self._lab, self._member = row, lab, member
        self.pid = 0
        self._told = Fate.SENT
        self.connected = threading.Event()

    def run(self) -> None:
        try:
            with closing(self._lab.session(self._member)) as found:
                self.pid = found.get_backend_pid()
                self.connected.set()
                with found.cursor() as cursor:
                    cursor.execute("INSERT INTO public.rows VALUES (%s)", [self.row])
                alone = any("might not have been replicated" in notice for notice in found.notices)
                self._told = Fate.UNHEARD if alone else Fate.ACKNOWLEDGED
        except psycopg2.Error:
            self._told = Fate.UNHEARD
        self.connected.set()

    @property
    def fate(self) -> Fate:
        waits = self._told is Fate.SENT and self._lab.waits(self._member, self.pid)
        return Fate.WAITING if waits and self._told is Fate.SENT else self._told


class RealLab:
    """`begin`, `slots` and `configure` are what an agent's driver does for a decision."""

    def __init__(self, tmp: Path, bin_dir: Path) -> None:
        self._stack = ExitStack()
        self._members: dict[str, Member] = {}
        self._jobs: dict[str, Jobs] = {}
        self._allowed = dict.fromkeys("abc", True)
        self._stopped: dict[str, list[int]] = {}
        self._rows = 0
        self._ballast = tmp / "ballast"
        for name in "abc":
            found = self._members[name] = self._stack.enter_context(member(tmp, name, bin_dir))
            bell = Bell()
            self._stack.callback(bell.close)
            self._jobs[name] = Jobs(found.server, SMALL_SEGMENTS, CLOCK, bell, partial(self._allowed.__getitem__, name))

    def conf(self, member: str, *, follows: str = "", names: str | None = None) -> Conf:
        upstream = self._members[follows].upstream(self._members[member]) if follows else None
        return Conf(standby=bool(follows), upstream=upstream, sync_names=names, postgresql=DYNAMIC)

    def begin(self, member: str, job: Job) -> JobState | None:
        jobs = self._jobs[member]
        refusal = jobs.start(job)
        assert not refusal, refusal
        return jobs.look()

    def deed(self, member: str) -> JobState | None:
        return self._jobs[member].look()

    def call_off(self, member: str) -> None:
        self._jobs[member].cancel("a test")

    def lease(self, member: str, *, good: bool) -> None:
        self._allowed[member] = good

    def configure(self, member: str, conf: Conf) -> None:
        self._members[member].server.write_conf(conf, reload=True)

    def slots(self, member: str, plan: SlotPlan) -> None:
        self._members[member].server.set_slots(plan)

    def look(self, member: str) -> ServerState:
        return self._members[member].server.probe(Seconds(2.0))

    def rows(self, member: str) -> frozenset[int]:
        with suppress(psycopg2.OperationalError), closing(self.session(member)) as found, found.cursor() as cursor:
            cursor.execute("SELECT id FROM public.rows")
            return frozenset(row for row, in cursor)
        return frozenset()

    def session(self, member: str) -> psycopg2.extensions.connection:
        section = self._members[member].section
        sockets = Path(section.data_dir).parent / "sockets"
        found = psycopg2.connect(host=str(sockets), port=section.port, user="postgres", dbname="postgres", connect_timeout=5)
        found.autocommit = True
        return found

    def commit(self, member: str) -> Commit:
        if not self._rows:
            with closing(self.session(member)) as found, found.cursor() as cursor:
                cursor.execute(TABLE)
        self._rows += 1
        client = RealCommit(self, member, self._rows)
        client.start()
        assert client.connected.wait(10)
        return client

    def waits(self, member: str, backend: int) -> bool:
        """Whether it waits for standbys; a server that is gone waits for nobody."""
        query = f"SELECT FROM pg_stat_activity WHERE pid = {backend} AND wait_event = 'SyncRep'"
        with suppress(psycopg2.OperationalError), closing(self.session(member)) as found, found.cursor() as cursor:
            cursor.execute(query)
            return cursor.rowcount > 0
        return False

    def cancel(self, commit: Commit) -> None:
        assert isinstance(commit, RealCommit)
        with closing(self.session(commit._member)) as found, found.cursor() as cursor:
            cursor.execute("SELECT pg_cancel_backend(%s)", [commit.pid])

    def crash(self, member: str) -> None:
        self._members[member].server.kill()

    def kill_backend(self, member: str) -> None:
        """Returns when the other sessions have ended."""
        with closing(self.session(member)) as victim, closing(self.session(member)) as other, other.cursor() as cursor:
            os.kill(victim.get_backend_pid(), signal.SIGKILL)
            with suppress(psycopg2.DatabaseError):
                cursor.execute("SELECT pg_sleep(20)")
                raise AssertionError("a session outlives the crash of another one")

    def _processes(self, member: str) -> list[int]:
        postmaster = self.look(member).postmaster
        assert postmaster is not None
        return [postmaster.pid, *process.children(postmaster.pid)]

    def hang(self, member: str) -> None:
        self._stopped[member] = self._processes(member)
        for pid in self._stopped[member]:
            os.kill(pid, signal.SIGSTOP)

    def resume(self, member: str) -> None:
        for pid in self._stopped.pop(member, ()):
            os.kill(pid, signal.SIGCONT)

    def fill_disk(self, member: str) -> None:
        with open(self._ballast, "wb", buffering=0) as ballast, suppress(OSError):
            while ballast.write(FILL):
                pass
        with closing(self.session(member)) as found, found.cursor() as cursor, suppress(psycopg2.Error):
            while True:
                cursor.execute("SELECT pg_logical_emit_message(true, 'a test', repeat('x', 200000))")

    def empty_disk(self, member: str) -> None:
        self._ballast.unlink()

    def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> bool:
        until = soon(seconds)
        while not holds() and CLOCK.now() < until:
            CLOCK.sleep(Seconds(0.03))
        return holds()

    def close(self) -> None:
        for name in list(self._stopped):
            self.resume(name)
        for jobs in self._jobs.values():
            jobs.cancel("the end of a test")
            jobs.wait(Seconds(20.0))
        self._stack.close()
