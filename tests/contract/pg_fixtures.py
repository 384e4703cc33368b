"""Real servers for contract tests: a member's place on this host, made and taken away. Loopback, free ports.

`Member` is what the agent's hands would hold for one server: its section, its façade, and the dynamic settings.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pgctl.cli.demo import host
from pgctl.clock import SystemClock
from pgctl.config.sections import BootstrapSection, Credentials, PostgresSection
from pgctl.model.conf import Conf, StopMode, Upstream
from pgctl.model.member import slot_name
from pgctl.model.server import Phase, ServerState
from pgctl.postgresql import connection, options
from pgctl.postgresql.connection import Row
from pgctl.postgresql.server import Server
from pgctl.postgresql.site import Site
from pgctl.units import Instant, Seconds

CLOCK = SystemClock()
PASSWORDS = {"postgres": "s3cret: it's\\", "replicator": "tell 'nobody", "rewinder": "hush%s"}
BOOTSTRAP = BootstrapSection(initdb=("data-checksums", {"encoding": "UTF8"}, {"locale": "C"}, {"auth": "scram-sha-256"}))
DYNAMIC: dict[str, object] = {
    "use_pg_rewind": True,
    "parameters": {"max_connections": 50, "shared_buffers": "16MB", "log_line_prefix": "%m [%p] "},
    "pg_hba": [
        "local all all trust",
        "host all all 127.0.0.1/32 scram-sha-256",
        "host replication replicator 127.0.0.1/32 scram-sha-256",
    ],
}


def soon(seconds: float = 30.0) -> Instant:
    return Instant(CLOCK.now() + seconds)


@dataclass
class Member:
    """One server and its façade; `said` collects the progress of deeds."""

    name: str
    section: PostgresSection
    server: Server
    said: list[str]

    def upstream(self, of: "Member | None" = None) -> Upstream:
        """This member as a server to follow, with the slot of `of`."""
        return Upstream(self.name, "127.0.0.1", self.section.port, slot_name(of.name) if of else None)

    def look(self) -> ServerState:
        return self.server.probe(Seconds(5.0))

    def look_until(self, phase: Phase, seconds: float = 10.0) -> ServerState:
        """The first look that finds `phase`; the last one, when none does in time."""
        until = soon(seconds)
        while (state := self.look()).phase is not phase and CLOCK.now() < until:
            CLOCK.sleep(Seconds(0.02))
        return state

    def sql(self, statement: str) -> list[Row]:
        """Runs a statement as superuser."""
        site = Site(self.section, "test", self.name, CLOCK, {})
        with connection.local(site, options.merge(self.section.local, DYNAMIC), "test", soon()) as conn:
            return conn.rows(statement, None, soon())

    def primary_conf(self, **changes: object) -> Conf:
        return replace(Conf(standby=False, postgresql=DYNAMIC), **changes)  # type: ignore[arg-type]

    def standby_conf(self, of: "Member", *, slot: bool = True) -> Conf:
        return Conf(standby=True, upstream=of.upstream(self if slot else None), postgresql=DYNAMIC)

    def bootstrap(self) -> "Member":
        self.server.bootstrap(BOOTSTRAP, self.primary_conf(), progress=self.said.append)
        return self

    def clone_of(self, source: "Member") -> "Member":
        """A copy of `source`, streaming from it through a slot of its own."""
        self.server.clone(source.upstream(self), self.standby_conf(source), progress=self.said.append)
        self.server.start(self.standby_conf(source), deadline=soon())
        return self

    def caught_up(self, with_: "Member", seconds: float = 10.0) -> bool:
        """Whether this standby replays, in time, what `with_` has flushed by now."""
        goal, until = with_.look().lsn or 0, soon(seconds)
        while (self.look().replay_lsn or 0) < goal and CLOCK.now() < until:
            CLOCK.sleep(Seconds(0.02))
        return (self.look().replay_lsn or 0) >= goal


@contextmanager
def member(tmp: Path, name: str, bin_dir: Path, **section: object) -> Iterator[Member]:
    """A member with nothing in its data directory; whatever runs at the end is ended."""
    sockets = tmp / name / "sockets"
    sockets.mkdir(parents=True)
    written = PostgresSection(
        data_dir=str(tmp / name / "data"),
        listen_hosts=("127.0.0.1",),
        port=host.free_ports(1)[0],
        bin_dir=str(bin_dir),
        pgpass=str(tmp / name / "pgpass"),
        superuser=Credentials("postgres", PASSWORDS["postgres"]),
        replication=Credentials("replicator", PASSWORDS["replicator"]),
        rewind=Credentials("rewinder", PASSWORDS["rewinder"]),
        local={"parameters": {"unix_socket_directories": str(sockets), "fsync": "off"}},
    )
    written = replace(written, **section)  # type: ignore[arg-type]
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PATRONI_SECRET": "x"}
    server = Server(written, "test", CLOCK, name=name, environment=environment)
    try:
        yield Member(name, written, server, [])
    finally:
        server.kill()
        server.close()


def stop_fast(one: Member) -> None:
    one.server.stop(StopMode.FAST, checkpoint=False, deadline=soon())
