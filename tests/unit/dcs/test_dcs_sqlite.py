"""The SQLite store where files go wrong, and between a root command line and agents of another user."""

import errno
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory, sqlite_file
from pgctl.dcs.sqlite import SqliteStore
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import ConfigError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds

SOON = Seconds(10)
CLOCK = SystemClock()


def opened(path: Path) -> SqliteStore:
    return SqliteStore(str(path), "/service/prod", CLOCK)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(StoreUnreachable) as caught:
        call()
    return str(caught.value)


def test_a_path_is_needed() -> None:
    with pytest.raises(ConfigError, match="sqlite.path is missing"):
        factory.open_store(StoreSection("sqlite", {}, scope="prod"), CLOCK)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    assert store.snapshot(budget=SOON).items == {}
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    store = opened(tmp_path / "absent" / "store")
    for call in (lambda: store.snapshot(budget=SOON), lambda: store.put("config", "1", budget=SOON)):
        assert "the directory of store file" in refused(call)


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text("some text that is long enough to be taken for a database header " * 20)
    before = path.read_bytes()
    store = opened(path)
    assert "is damaged, or no store" in refused(lambda: store.put("config", "1", budget=SOON))
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    store = opened(path)
    assert "is a database of another program" in refused(lambda: store.put("config", "1", budget=SOON))
    assert "is a database of another program" in refused(lambda: store.snapshot(budget=SOON))


def test_a_later_format_is_said(tmp_path: Path) -> None:
    path = tmp_path / "store"
    first = opened(path)
    first.put("config", "1", budget=SOON)
    first.close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 9")
    other.close()
    assert "has format 9, this version of pgctl knows 1" in refused(lambda: opened(path).snapshot(budget=SOON))


def test_damage_is_said_and_a_file_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = opened(path)
    assert isinstance(store.hold("leader", "a", ttl=Seconds(30), budget=SOON), Applied)
    store.put("config", "x" * 100_000, budget=SOON)
    store.close()
    content = bytearray(path.read_bytes())
    content[100:20000] = os.urandom(19900)
    path.write_bytes(bytes(content))
    assert "is damaged, or no store" in refused(lambda: store.snapshot(budget=SOON))
    path.rename(tmp_path / "damaged")
    assert store.snapshot(budget=SOON).items == {}
    assert isinstance(store.renew(ttl=Seconds(30), budget=SOON), Rejected)
    assert isinstance(store.hold("leader", "a", ttl=Seconds(30), budget=SOON), Applied)


def test_a_file_removed_under_open_stores_is_the_same_new_one_for_all(tmp_path: Path) -> None:
    path = tmp_path / "store"
    a, b = opened(path), opened(path)
    assert isinstance(a.hold("leader", "a", ttl=Seconds(30), budget=SOON), Applied)
    assert b.snapshot(budget=SOON).items["leader"].value == "a"
    since = b.snapshot(budget=SOON).revision
    for file in tmp_path.glob("store*"):
        if file.is_file():
            file.unlink()
    assert isinstance(b.hold("leader", "b", ttl=Seconds(30), budget=SOON), Applied)
    assert isinstance(a.hold("leader", "a", ttl=Seconds(30), budget=SOON), Rejected)
    found = a.snapshot(budget=SOON).items["leader"]
    assert (found.value, found.mine) == ("b", False)  # though both leases have the number 1
    heard: list[frozenset[str]] = []
    a.watch(Revision(since + 5), heard.append, budget=Seconds(0.3))
    assert heard[:1] == [frozenset()]


def test_a_locked_file_costs_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = opened(path)
    store.put("config", "1", budget=SOON)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    assert "is locked by another process" in refused(lambda: store.put("config", "2", budget=Seconds(0.5)))
    assert 0.4 < time.monotonic() - started < 1.5
    assert store.snapshot(budget=SOON).items["config"].value == "1"  # readers do not wait for a writer
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(store.put("config", "2", budget=SOON), Applied)


def test_a_thread_that_waits_in_vain_for_its_turn_ends_in_time(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = opened(path)
    store.put("config", "1", budget=SOON)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    first = threading.Thread(target=lambda: refused(lambda: store.put("config", "2", budget=Seconds(1.5))))
    first.start()
    time.sleep(0.2)
    started = time.monotonic()
    assert "is busy" in refused(lambda: store.put("config", "3", budget=Seconds(0.3)))
    assert time.monotonic() - started < 1
    first.join()
    other.close()


def test_leases_of_an_earlier_boot_have_ended(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = opened(path)
    assert isinstance(store.hold("leader", "a", ttl=Seconds(3000), budget=SOON), Applied)
    store.put("config", "1", budget=SOON)
    store.close()
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE state SET boot = 'an earlier one'")
    other.close()
    assert set(opened(path).snapshot(budget=SOON).items) == {"config"}


def test_what_a_write_left_unfinished_is_not_there(tmp_path: Path) -> None:
    """A process killed within a transaction: the next one finds the file usable and nothing half-done."""
    path = tmp_path / "store"
    store = opened(path)
    store.put("config", "1", budget=SOON)
    code = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE keys SET value = '2'")
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert store.snapshot(budget=SOON).items["config"].value == "1"
    assert isinstance(store.put("config", "3", budget=SOON), Applied)


@pytest.mark.parametrize(("code", "words"), [
    (sqlite3.SQLITE_FULL, "no space left"), (sqlite3.SQLITE_READONLY, "could not open"),
    (sqlite3.SQLITE_CANTOPEN, "could not open"), (sqlite3.SQLITE_IOERR, "could not use"),
    (sqlite3.SQLITE_CORRUPT, "damaged"), (sqlite3.SQLITE_LOCKED, "locked"),
])
def test_errors_are_said_in_words(code: int, words: str) -> None:
    error = sqlite3.OperationalError("some text")
    error.sqlite_errorcode = code
    assert words in str(sqlite_file.failure(error, Path("/x/store")))


def test_a_full_disk_is_said_and_ends_with_the_space(tmp_path: Path) -> None:
    """The limit on file size stands in for the disk: SQLite meets it where it would meet a full one."""
    code = """
import resource, signal, sys
from pgctl.clock import SystemClock
from pgctl.dcs.sqlite import SqliteStore
from pgctl.errors import StoreUnreachable, OutcomeUnknown
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(sys.argv[1], "/service/prod", SystemClock())
store.put("config", "1", budget=5)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    store.put("config", "x" * 1_000_000, budget=5)
except (StoreUnreachable, OutcomeUnknown) as error:
    print(type(error).__name__)
print(store.snapshot(budget=5).items["config"].value)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put("config", "2", budget=5)
print(store.snapshot(budget=5).items["config"].value)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "store")], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, timeout=60)
    assert done.stdout.split()[1:] == ["1", "2"], done.stderr
    assert done.stdout.split()[0] in ("StoreUnreachable", "OutcomeUnknown")


# --- waking ---


def test_a_path_too_long_for_a_socket_is_watched_all_the_same(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 100) / ("e" * 100)
    directory.mkdir(parents=True)
    store, other = opened(directory / "store"), opened(directory / "store")
    other.put("config", "1", budget=SOON)
    since = store.snapshot(budget=SOON).revision
    heard: list[tuple[float, frozenset[str]]] = []
    watching = threading.Thread(target=lambda: store.watch(
        since, lambda keys: heard.append((time.monotonic(), keys)), budget=Seconds(1)))
    watching.start()
    time.sleep(0.3)
    sent = time.monotonic()
    other.put("config", "2", budget=SOON)
    watching.join()
    assert heard and heard[0][0] - sent < 0.3 and heard[0][1] == {"config"}


def test_sockets_of_the_dead_are_removed(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    store.watch(Revision(0), lambda keys: None, budget=Seconds(0))
    ears = tmp_path / "store.watch"
    assert list(ears.iterdir()) == []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        descriptor = os.open(ears, os.O_PATH)
        dead.bind(f"/proc/self/fd/{descriptor}/4-0")
        os.close(descriptor)
    assert len(list(ears.iterdir())) == 1
    store.put("config", "1", budget=SOON)
    assert list(ears.iterdir()) == []


def test_a_watcher_that_does_not_listen_delays_nobody(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    store.watch(Revision(0), lambda keys: None, budget=Seconds(0))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        descriptor = os.open(tmp_path / "store.watch", os.O_PATH)
        deaf.bind(f"/proc/self/fd/{descriptor}/1-0")
        os.close(descriptor)
        started = time.monotonic()
        for number in range(100):
            store.put("status", str(number), budget=SOON)
        assert time.monotonic() - started < 10


def test_a_store_that_was_closed_can_be_closed_again_and_forgotten(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for store in [opened(tmp_path / "store") for _ in range(5)]:
        store.put("config", "1", budget=SOON)
        store.close()
        store.close()
    del store
    assert len(os.listdir("/proc/self/fd")) <= before + 1


# --- users ---


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_root_writes_the_owner_can_open() -> None:
    """A root command line makes the file, its companions and a socket; the agents' user reads, writes and wakes."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "dcs"
        directory.mkdir()
        Path(name).chmod(0o755)
        os.chown(directory, 65534, 65534)
        root = opened(directory / "store")
        root.put("config", "1", budget=SOON)
        heard: list[frozenset[str]] = []
        watching = threading.Thread(target=lambda: root.watch(Revision(1), heard.append, budget=Seconds(1)))
        watching.start()
        time.sleep(0.3)
        owners = {path.name: path.stat().st_uid for path in [*directory.iterdir(), *(directory / "store.watch").iterdir()]}
        assert set(owners.values()) == {65534} and {"store", "store-wal", "store-shm"} <= set(owners)
        assert _as_nobody(directory / "store") == 0
        watching.join()
        assert heard and heard[0] == {"sync"}
        assert root.snapshot(budget=SOON).items["sync"].value == "1"
        root.close()


def _as_nobody(path: Path) -> int:
    """Writes a key as another user, in a child that shares nothing but the file; its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            store = opened(path)
            assert store.snapshot(budget=SOON).items["config"].value == "1"
            code = 0 if isinstance(store.put("sync", "1", budget=SOON), Applied) else errno.EIO
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
