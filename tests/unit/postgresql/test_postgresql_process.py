"""`process`: which process is the postmaster of a data directory, told apart from all others by the kernel's word."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import PostgresSection
from pgctl.model.server import Postmaster
from pgctl.postgresql import process
from pgctl.postgresql.site import Site

CLOCK = SystemClock()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    data = tmp_path / "data"
    data.mkdir()
    return Site(PostgresSection(str(data)), "main", "alpha", CLOCK, {})


@contextmanager
def program(cwd: Path, name: str = "postgres") -> Iterator[int]:
    """A process of that name in that directory, which sleeps."""
    script = f"open('/proc/self/comm', 'w').write({name!r}); print(flush=True); import sys; sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", script], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield child.pid
    finally:
        child.kill()
        child.communicate()


def note(site: Site, pid: int, *, started: float | None = None, status: str = "ready", home: str = "") -> None:
    when = int(CLOCK.wall() if started is None else started)
    rows = [str(pid), home or str(site.data_dir), str(when), "5432", "/tmp", "localhost", "  1  2", f"{status:8}", ""]
    site.pid_file.write_text("\n".join(rows))


def test_a_postmaster_is_found(site: Site) -> None:
    with program(site.data_dir) as pid:
        note(site, pid)
        found = process.find(site)
        assert found is not None and found.pid == pid
        assert process.same(found)
        assert not process.same(Postmaster(pid, found.started - 1))
    assert process.find(site) is None


def test_a_calendar_that_was_set_does_not_hide_it(site: Site) -> None:
    with program(site.data_dir) as pid:
        note(site, pid, started=0)
        assert process.find(site) is not None


def test_a_recycled_pid_is_not_taken_for_it(site: Site, tmp_path: Path) -> None:
    with program(tmp_path) as pid:
        note(site, pid)
        assert process.find(site) is None
    with program(site.data_dir, "bash") as pid:
        note(site, pid, started=CLOCK.wall() - 60)
        assert process.find(site) is None


def test_neither_we_nor_our_parent_are_it(site: Site) -> None:
    for pid in (os.getpid(), os.getppid(), -4, 0):
        note(site, pid)
        assert process.find(site) is None


@pytest.mark.parametrize("text", ["", "12", "12\n/data", "x\n/data\n0\n"])
def test_a_half_written_file_is_no_postmaster(site: Site, text: str) -> None:
    site.pid_file.write_text(text)
    assert process.find(site) is None


def test_the_files_status_is_the_servers_own_word(site: Site) -> None:
    note(site, 77, status="stopping")
    noted = process.read_pid_file(site.pid_file)
    assert noted is not None and (noted.pid, noted.status) == (77, "stopping")


def test_a_single_user_server_is_seen(site: Site) -> None:
    assert not process.single_user(site.pid_file)
    note(site, -77)
    assert process.single_user(site.pid_file)


def test_an_exit_is_waited_for(site: Site) -> None:
    with program(site.data_dir) as pid:
        note(site, pid)
        found = process.find(site)
        assert found is not None
        fd = process.open_fd(found)
        assert fd is not None and not process.exited(fd, 10)
        os.kill(pid, 9)
        assert process.exited(fd, 5000)
        os.close(fd)
        assert process.open_fd(found) is None


def test_what_outlived_its_postmaster_is_ended_and_nothing_else(site: Site, tmp_path: Path) -> None:
    with program(site.data_dir) as orphan, program(site.data_dir, "psql") as other, program(tmp_path) as elsewhere:
        assert process.orphans(site) == [orphan]
        process.end_orphans(site)
        assert process.orphans(site) == []
        assert Path(f"/proc/{other}/cwd").exists() and Path(f"/proc/{elsewhere}/cwd").exists()


def test_children_of_a_living_postmaster_are_no_orphans(site: Site) -> None:
    with program(site.data_dir) as postmaster, program(site.data_dir) as child:
        note(site, postmaster)
        process.end_orphans(site)
        assert set(process.orphans(site)) == {postmaster, child}


def test_killing_takes_the_children_along(site: Site) -> None:
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        fd = os.pidfd_open(child)
        assert process.children(parent.pid) == [child]
        ticks = int(Path(f"/proc/{parent.pid}/stat").read_text().rpartition(")")[2].split()[19])
        process.kill_tree(site, Postmaster(parent.pid, ticks / os.sysconf("SC_CLK_TCK")))
        assert process.exited(fd, 1000)
        os.close(fd)
    assert parent.returncode == -9


def test_locks_that_a_dead_server_left_are_passed_over(site: Site, tmp_path: Path) -> None:
    lock = tmp_path / ".s.PGSQL.5432.lock"
    with program(tmp_path, "bash") as pid:
        note(site, pid, started=1)
        assert process.past_stale_locks(site, ()) == {"PG_GRANDPARENT_PID": str(pid)}
        site.pid_file.rename(lock)
        assert process.past_stale_locks(site, [tmp_path]) == {"PG_GRANDPARENT_PID": str(pid)}
        lock.write_text(lock.read_text().replace(str(site.data_dir), "/another"))
        assert process.past_stale_locks(site, [tmp_path]) == {}


def test_locks_of_a_living_server_are_believed(site: Site) -> None:
    with program(site.data_dir) as pid:
        note(site, pid)
        assert process.past_stale_locks(site, ()) == {}


def test_killing_what_is_gone_is_done_already(site: Site) -> None:
    with program(site.data_dir) as pid:
        process.kill_tree(site, Postmaster(pid, 0.0))
        assert process.orphans(site) == [pid]
