"""What pg_control says of a server, by pg_controldata. The parse is kept while the file is unchanged.

Source: PostgreSQL 15, pg_controldata; postgresql.md 8.
"""

from dataclasses import dataclass

from pgctl.errors import ServerError
from pgctl.model import lsn as lsns
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData
from pgctl.postgresql import run
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant

_LIMIT = 5.0
_SETTLED = 0.1
"""Seconds after which a file's time can be told from that of the next write: kernels count in ticks of some ms."""
_SETTINGS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_xacts",
    "max_locks_per_xact",
)
_GUC = {"max_prepared_xacts": "max_prepared_transactions", "max_locks_per_xact": "max_locks_per_transaction"}


def parse(lines: tuple[str, ...]) -> ControlData:
    """The output of pg_controldata in the C locale. Raises ServerError."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().removeprefix("Current ")] = value.strip()
    try:
        return ControlData(
            state=found["Database cluster state"],
            system_identifier=found["Database system identifier"],
            checkpoint_lsn=lsns.parse(found["Latest checkpoint location"]),
            checkpoint_timeline=int(found["Latest checkpoint's TimeLineID"]),
            redo_wal_file=found.get("Latest checkpoint's REDO WAL file", ""),
            minimum_recovery_lsn=_position(found.get("Minimum recovery ending location")),
            minimum_recovery_timeline=int(found.get("Min recovery ending loc's timeline", "0")) or None,
            checksums=found.get("Data page checksum version", "0") != "0",
            wal_log_hints=found.get("wal_log_hints setting") == "on",
            settings=tuple(
                (_GUC.get(name, name), found[f"{name} setting"]) for name in _SETTINGS if f"{name} setting" in found
            ),
        )
    except (KeyError, ValueError) as error:
        raise ServerError("pg_controldata printed nothing that could be read", detail=str(error)) from error


def _position(text: str | None) -> Lsn | None:
    return (lsns.parse(text) or None) if text else None


@dataclass(slots=True)
class ControlReader:
    """Runs pg_controldata when pg_control changed since the last time."""

    site: Site
    _seen: tuple[tuple[int, int, int], ControlData] | None = None

    def stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever pg_control does; None when it cannot be looked at."""
        try:
            status = (self.site.data_dir / "global" / "pg_control").stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def read(self) -> ControlData | None:
        """What pg_control says; None where there is none. Raises ServerError."""
        stamp = self.stamp()
        if stamp is None:
            return None
        seen = self._seen
        if seen is not None and seen[0] == stamp:
            return seen[1]
        done = run.run(
            [self.site.program("pg_controldata"), str(self.site.data_dir)],
            clock=self.site.clock,
            environment=child_environment(self.site.environment),
            deadline=Instant(self.site.clock.now() + _LIMIT),
        )
        if not done.ok:
            raise ServerError("pg_controldata failed", detail=done.tail)
        control = parse(done.lines)
        settled = self.site.clock.wall() - stamp[0] / 1e9 > _SETTLED
        self._seen = (stamp, control) if settled else None
        return control
