"""Copies logical slots of the leader into a standby that is down: up to PostgreSQL 15 it cannot have them otherwise.

A slot is one file, pg_replslot/NAME/state, with a checksum over itself; the server reads it as it starts. It is written
into NAME.tmp, which a starting server removes, and gets its name when it is whole: so a crash leaves a slot or none.

A slot whose WAL this standby no longer has would be of no use, and is left for later: its consumer moves on, and then the
leader's slot begins where the standby's WAL still is. Source: ha.md O30; PostgreSQL 15, slot.c (SaveSlotToPath).
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pgctl.errors import ServerError
from pgctl.model import lsn as lsns
from pgctl.model.conf import Conf, Upstream
from pgctl.model.lsn import Lsn
from pgctl.postgresql import connection, files, rewind, version
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.postgresql.version import Feature
from pgctl.units import Instant

log = logging.getLogger(__name__)

_WITHIN = 5.0
_LARGEST = 1 << 20
_READ = """
SELECT slot_name, restart_lsn, pg_read_binary_file('pg_replslot/' || slot_name || '/state', 0, %s, false),
       (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size')
FROM pg_replication_slots WHERE slot_type = 'logical' AND slot_name = ANY(%s) AND NOT temporary ORDER BY slot_name
"""
_HINT = "Grant the rewind role EXECUTE on pg_read_binary_file(text, bigint, bigint, boolean) on the leader."


@dataclass(frozen=True, slots=True)
class State:
    """One slot's file; `segment` is the number of the first WAL file that it needs."""

    name: str
    restart_lsn: Lsn
    content: bytes
    segment: int
    segments_per_id: int


def missing(site: Site, conf: Conf) -> tuple[str, ...]:
    """Names of `conf.copy_slots` that this data directory lacks and only a copy can bring."""
    major = version.parse_major(files.major_version(site.data_dir) or "")
    if not conf.standby or conf.leader is None or version.has(major, Feature.DECODING_ON_STANDBY):
        return ()
    return tuple(name for name in conf.copy_slots if not (_directory(site) / name / "state").exists())


def read(site: Site, options: Options, leader: Upstream, names: Iterable[str]) -> tuple[State, ...]:
    """Those of the leader's logical slots that are of use here. Raises ServerError."""
    deadline = Instant(site.clock.now() + _WITHIN)
    try:
        with connection.remote(site, options, leader, rewind.role_for(site), deadline) as conn:
            rows = conn.rows(_READ, [_LARGEST, list(names)], deadline)
    except ServerError as error:
        raise ServerError(f"logical slots of {leader.name} could not be read", detail=str(error), hint=_HINT) from error
    found = []
    for name, at, content, size in rows:
        restart = lsns.parse(at) if at else Lsn(0)
        state = State(name, restart, bytes(content), restart // size, 2**32 // size)
        if restart and _has_wal(site, state):
            found.append(state)
        else:
            log.debug("slot %s cannot be copied yet: its WAL from %s on is not here", name, at)
    return tuple(found)


def check(site: Site, options: Options, conf: Conf) -> None:
    """Raises ServerError unless a restart would bring a slot that is missing."""
    names = missing(site, conf)
    if conf.leader is None or not names or not read(site, options, conf.leader, names):
        raise ServerError("no logical slot can be copied yet", detail=f"of {', '.join(names) or 'none that is missing'}")


def copy_missing(site: Site, options: Options, conf: Conf) -> None:
    """Before a start, which does not depend on it: what fails is told."""
    names = missing(site, conf)
    if not names or conf.leader is None:
        return
    try:
        for state in read(site, options, conf.leader, names):
            _write(site, state)
            log.info("logical slot %s was copied from %s  restart_lsn=%s", state.name, conf.leader.name,
                     lsns.show(state.restart_lsn))
    except ServerError as error:
        log.warning("%s%s", error, f"  hint: {error.hint}" if error.hint else "")


def _directory(site: Site) -> Path:
    return site.data_dir / "pg_replslot"


def _has_wal(site: Site, state: State) -> bool:
    """Whether pg_wal has the segment where the slot begins, on any timeline."""
    high, low = divmod(state.segment, state.segments_per_id)
    wanted = f"{high:08X}{low:08X}"
    try:
        return any(len(entry) == 24 and entry[8:] == wanted for entry in os.listdir(site.data_dir / "pg_wal"))
    except OSError as error:
        raise ServerError("pg_wal cannot be read", detail=error.strerror or "") from error


def _write(site: Site, state: State) -> None:
    """Raises ServerError."""
    whole, part = _directory(site) / state.name, _directory(site) / f"{state.name}.tmp"
    mode = files.mode_below(site.data_dir)
    try:
        part.mkdir(mode=0o700 if mode == 0o600 else 0o750, exist_ok=True)
        descriptor = os.open(part / "state", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(state.content)
            file.flush()
            os.fsync(file.fileno())
        _sync(part)
        os.rename(part, whole)
        _sync(_directory(site))
    except OSError as error:
        raise ServerError(f"logical slot {state.name} could not be written", detail=error.strerror or "") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
