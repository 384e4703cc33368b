"""The program: arguments, exit codes, the run directory, and what systemd is told."""


import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pgctl.agent import main, notify, wiring
from pgctl.agent.promise import FileRecord
from pgctl.clock import SystemClock
from pgctl.config import local
from pgctl.errors import ConfigError
from pgctl.model.failsafe import Ping, Promise
from pgctl.units import Instant
from tests.unit.agent.stand_ins import eventually


def document(root: Path, port: int) -> dict[str, object]:
    return {
        "scope": "prod", "name": "a", "pgctl": {"run_dir": str(root / "run")},
        "sqlite": {"path": str(root / "dcs" / "store.sqlite")},
        "restapi": {"listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}"},
        "postgresql": {
            "listen": "127.0.0.1:5999", "connect_address": "192.0.2.7:5999", "data_dir": str(root / "data"),
            "database": "app", "proxy_address": "[2001:db8::1]:6000",
            "authentication": {"superuser": {"username": "postgres"}, "replication": {"username": "replicator"}},
        },
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "dcs").mkdir()
    path = tmp_path / "agent.yaml"
    path.write_text(yaml.safe_dump(document(tmp_path, port)))
    return path


def test_wrong_words_end_with_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["--no-such-word"])
    assert ended.value.code == 2


def test_version_and_rules_and_sample(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert ended.value.code == 0
    assert main.main(["rules"]) == 0
    assert "lead.90" in capsys.readouterr().out
    assert main.main(["--generate-sample-config"]) == 0
    assert "scope" in yaml.safe_load(capsys.readouterr().out)


def test_every_fault_is_told_and_fails(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--validate-config", str(file.parent / "absent.yaml")]) == 1
    file.write_text("scope: prod\nrestapi: {listen: '127.0.0.1:99999'}\n")
    assert main.main(["--validate-config", str(file)]) == 1
    told = capsys.readouterr().err
    assert "error: name: " in told and "error: postgresql.data_dir: " in told


def test_an_agent_without_a_usable_configuration_ends_with_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("scope: prod\n")
    assert main.main([str(file)]) == 1
    assert "pgctl-agent: error:" in capsys.readouterr().err


def test_what_the_core_is_told_of_this_host(file: Path) -> None:
    host = wiring.host_of(local.read(str(file), {}))
    assert (host.name, host.conn_url) == ("a", "postgres://192.0.2.7:5999/app")
    assert host.proxy_url == "postgres://[2001:db8::1]:6000/app"
    assert host.bootstrap is None
    section = wiring.store_section(local.read(str(file), {}))
    assert (section.kind, section.scope, section.member) == ("sqlite", "prod", "a")


def test_the_run_directory_is_private(tmp_path: Path) -> None:
    wiring.make_run_dir(str(tmp_path / "x" / "run"))
    assert (tmp_path / "x" / "run").stat().st_mode & 0o777 == 0o700
    wiring.make_run_dir(str(tmp_path / "x" / "run"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ConfigError, match="open to others"):
        wiring.make_run_dir(str(tmp_path / "open"))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="could not make"):
        wiring.make_run_dir(str(tmp_path / "file" / "run"))


def test_systemd_is_told_if_it_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    notify.notify({}, notify.READY)
    notify.notify({"NOTIFY_SOCKET": path}, notify.READY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        notify.notify({"NOTIFY_SOCKET": path}, notify.STOPPING)
        assert manager.recv(100) == b"STOPPING=1"


def spawn(file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "pgctl.agent.main", str(file)], stderr=subprocess.PIPE,
                            cwd=Path(main.__file__).parents[2])


def elsewhere(file: Path) -> Path:
    """The same member again, with a data directory and a run directory of its own."""
    document = yaml.safe_load(file.read_text())
    document["postgresql"]["data_dir"] += "-elsewhere"
    document["pgctl"] = {"run_dir": str(file.parent / "run-elsewhere")}
    other = file.with_name("elsewhere.yaml")
    other.write_text(yaml.safe_dump(document))
    return other


def listens(file: Path) -> bool:
    port = int(yaml.safe_load(file.read_text())["restapi"]["listen"].rpartition(":")[2])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_program_runs_until_it_is_told_to_end_and_refuses_a_twin(file: Path) -> None:
    """Without data and without leave to bootstrap it waits: a whole agent that needs no PostgreSQL.

    A twin whose promise stands is not looked for: it may not lose time, and fails for want of the address only.
    """
    first = spawn(file)
    try:
        assert eventually(lambda: listens(file), within=15)
        store = file.parent / "dcs" / "store.sqlite"
        assert eventually(lambda: store.exists() and b"members/a" in store.read_bytes() + wal(store), within=10)
        same = spawn(file)
        _, told = same.communicate(timeout=20)
        assert same.returncode == 1 and b"another agent looks after the data directory" in told
        twin = spawn(elsewhere(file))
        _, told = twin.communicate(timeout=20)
        assert twin.returncode == 1 and b'a member called "a" is alive already' in told
        promised = Promise(Instant(SystemClock().now() + 60), Ping("b", "", ""))
        FileRecord(str(file.parent / "run-elsewhere" / "prod-a")).save(promised)
        comes_back = spawn(elsewhere(file))
        _, told = comes_back.communicate(timeout=20)
        assert comes_back.returncode == 1 and b"alive already" not in told and b"Another program listens there" in told
        first.send_signal(signal.SIGHUP)
        first.send_signal(signal.SIGTERM)
        _, told = first.communicate(timeout=20)
        assert first.returncode == 0 and b"pgctl-agent ended" in told
        assert b"Traceback" not in told
    finally:
        first.kill()
        first.wait()
    assert eventually(lambda: not fence_lives(file.parent), within=5)


def wal(store: Path) -> bytes:
    beside = store.with_name(store.name + "-wal")
    return beside.read_bytes() if beside.exists() else b""


def fence_lives(root: Path) -> bool:
    """Whether a fence still guards the run directory."""
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any("fence_process.py" in line and str(root) in line for line in lines.splitlines())


