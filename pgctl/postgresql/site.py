"""`Site`: where the one server lives, as every deed is given it: paths, programs, clock, environment. Reads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pgctl.clock import Clock
from pgctl.config.sections import PostgresSection

_OURS = ("PATRONI_", "PGCTL_", "KUBERNETES_")


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What child processes may see of the agent's environment: nothing of ours, no notify socket.

    PG_MALLOC_ARENA_MAX becomes MALLOC_ARENA_MAX. Source: postgresql.md 4 row 7.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(_OURS) and name not in ("NOTIFY_SOCKET", "PG_MALLOC_ARENA_MAX")
    }
    arenas = environment.get("PG_MALLOC_ARENA_MAX")
    return kept | {"MALLOC_ARENA_MAX": arenas} if arenas else kept


@dataclass(frozen=True, slots=True)
class Site:
    """One server's place. `name` is the member's; `environment` is the agent's own, as it was at start."""

    section: PostgresSection
    scope: str
    name: str
    clock: Clock
    environment: Mapping[str, str]

    @property
    def data_dir(self) -> Path:
        return Path(self.section.data_dir)

    @property
    def config_dir(self) -> Path:
        return Path(self.section.config_dir or self.section.data_dir)

    @property
    def pid_file(self) -> Path:
        return self.data_dir / "postmaster.pid"

    @property
    def start_log(self) -> Path:
        """Where the server writes until, or unless, its logging collector takes over."""
        return self.data_dir / "log" / "server.log"

    @property
    def pgpass(self) -> Path:
        """The password file named in primary_conninfo."""
        return Path(self.section.pgpass) if self.section.pgpass else Path.home() / "pgpass"

    def program(self, name: str) -> str:
        """The path of a PostgreSQL program, or its bare name to be looked up in PATH."""
        called = self.section.bin_names.get(name, name)
        return str(Path(self.section.bin_dir) / called) if self.section.bin_dir else called
