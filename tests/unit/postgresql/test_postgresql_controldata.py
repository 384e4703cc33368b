"""`controldata`: the output of pg_controldata, and when it is run again."""

import os
import stat
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import PostgresSection
from pgctl.errors import ServerError
from pgctl.postgresql import controldata
from pgctl.postgresql.controldata import ControlReader
from pgctl.postgresql.site import Site

OUTPUT = """\
pg_control version number:            1300
Database system identifier:           7350000000000000001
Database cluster state:               shut down in recovery
pg_control last modified:             Mon 23 Nov 2026 08:00:00 PM UTC
Latest checkpoint location:           0/3000060
Latest checkpoint's REDO location:    0/3000028
Latest checkpoint's REDO WAL file:    000000020000000000000003
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     0/3000108
Min recovery ending loc's timeline:   3
wal_level setting:                    replica
wal_log_hints setting:                on
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           4
max_locks_per_xact setting:           64
Data page checksum version:           1
"""


def test_what_is_read() -> None:
    found = controldata.parse(tuple(OUTPUT.splitlines()))
    assert (found.state, found.cleanly_stopped) == ("shut down in recovery", True)
    assert found.system_identifier == "7350000000000000001"
    assert (found.checkpoint_lsn, found.checkpoint_timeline) == (0x3000060, 2)
    assert (found.minimum_recovery_lsn, found.minimum_recovery_timeline) == (0x3000108, 3)
    assert found.redo_wal_file == "000000020000000000000003"
    assert found.checksums and found.wal_log_hints
    assert dict(found.settings)["max_prepared_transactions"] == "4"


def test_zero_means_none() -> None:
    text = (
        OUTPUT.replace("0/3000108", "0/0")
        .replace("timeline:   3", "timeline:   0")
        .replace("version:           1", "version: 0")
    )
    found = controldata.parse(tuple(text.splitlines()))
    assert (found.minimum_recovery_lsn, found.minimum_recovery_timeline, found.checksums) == (None, None, False)


def test_older_names_have_a_prefix() -> None:
    text = OUTPUT.replace("wal_log_hints setting", "Current wal_log_hints setting")
    assert controldata.parse(tuple(text.splitlines())).wal_log_hints


@pytest.mark.parametrize("text", ["", "pg_controldata: error", OUTPUT.replace("0/3000060", "?")])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ServerError, match="pg_controldata"):
        controldata.parse(tuple(text.splitlines()))


@pytest.fixture
def reader(tmp_path: Path) -> ControlReader:
    """A reader whose pg_controldata prints OUTPUT and notes each run."""
    (tmp_path / "data" / "global").mkdir(parents=True)
    (tmp_path / "output").write_text(OUTPUT)
    program = tmp_path / "pg_controldata"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\ncat {tmp_path}/output\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    section = PostgresSection(str(tmp_path / "data"), bin_dir=str(tmp_path))
    return ControlReader(Site(section, "main", "alpha", SystemClock(), {"PATH": "/usr/bin:/bin"}))


def runs(reader: ControlReader) -> int:
    noted = Path(reader.site.section.bin_dir) / "runs"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def test_it_runs_again_only_when_the_file_changed(reader: ControlReader) -> None:
    assert reader.read() is None
    path = reader.site.data_dir / "global" / "pg_control"
    path.write_bytes(b"1")
    os.utime(path, (1, 1))
    assert reader.read() == reader.read()
    assert runs(reader) == 1
    os.utime(path, (2, 2))
    reader.read()
    assert runs(reader) == 2


def test_a_file_written_just_now_may_be_written_again_in_the_same_tick(reader: ControlReader) -> None:
    (reader.site.data_dir / "global" / "pg_control").write_bytes(b"1")
    reader.read()
    reader.read()
    assert runs(reader) == 2


def test_a_failing_program_is_an_error(reader: ControlReader) -> None:
    (reader.site.data_dir / "global" / "pg_control").write_bytes(b"1")
    (Path(reader.site.section.bin_dir) / "pg_controldata").write_text("#!/bin/sh\necho corrupt\nexit 1\n")
    with pytest.raises(ServerError, match="corrupt"):
        reader.read()
