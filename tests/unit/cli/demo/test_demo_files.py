"""The demo's files: private, whole, and never over somebody else's."""

import os
import stat
from pathlib import Path

import pytest

from pgctl.cli.demo import files, process
from pgctl.cli.demo import plan as plans
from pgctl.cli.demo.plan import Node, Plan
from pgctl.cli.demo.process import Process
from pgctl.errors import ConfigError

PASSWORDS = {"superuser": "s3", "replication": "r3", "rewind": "w3", "restapi": "a3"}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(str(tmp_path / "demo"), "/bin", (Node("pg1", 5001, 8001),), passwords=PASSWORDS)


def test_what_is_written_is_read_again(plan: Plan) -> None:
    assert files.read_plan(plan.directory) is None
    files.write_all(plan)
    assert files.read_plan(plan.directory) == plan


def test_nobody_else_can_read_them(plan: Plan) -> None:
    files.write_all(plan)
    for path in Path(plan.directory).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_every_configuration_file_bears_the_mark(plan: Plan) -> None:
    files.write_all(plan)
    for path in (plan.ctl_file, plan.agent_file(plan.nodes[0])):
        assert Path(path).read_text(encoding="utf-8").startswith(plans.MARK)


def test_the_users_own_file_is_never_replaced(plan: Plan, tmp_path: Path) -> None:
    theirs = tmp_path / "config" / "pgctl.yaml"
    theirs.parent.mkdir()
    theirs.write_text("scope: prod\n", encoding="utf-8")
    assert not files.write_user_file(plan, str(theirs))
    files.remove_user_file(plan, str(theirs))
    assert theirs.read_text(encoding="utf-8") == "scope: prod\n"


def test_a_file_of_ours_is_renewed_and_taken_back(plan: Plan, tmp_path: Path) -> None:
    ours = tmp_path / "config" / "pgctl.yaml"
    assert files.write_user_file(plan, str(ours))
    assert files.write_user_file(plan, str(ours))
    files.remove_user_file(plan, str(ours))
    assert not ours.exists()


def test_another_demos_file_is_not_taken_back(plan: Plan, tmp_path: Path) -> None:
    other = Plan(str(tmp_path / "other"), "/bin", plan.nodes, passwords=PASSWORDS)
    files.write_user_file(other, str(tmp_path / "pgctl.yaml"))
    files.remove_user_file(plan, str(tmp_path / "pgctl.yaml"))
    assert (tmp_path / "pgctl.yaml").exists()


def test_the_file_goes_on_leading_to_a_demo_that_runs(plan: Plan, tmp_path: Path) -> None:
    """A second demo with --dir leaves it alone; once the first has ended it takes it over."""
    other, target = Plan(str(tmp_path / "other"), "/bin", plan.nodes, passwords=PASSWORDS), str(tmp_path / "pgctl.yaml")
    files.write_all(other)
    me = process.identify(os.getpid())
    assert me is not None
    files.write_processes(other, {"supervisor": me})
    assert files.write_user_file(other, target)
    assert not files.write_user_file(plan, target)
    files.remove_user_file(plan, target)
    assert Path(target).exists()
    files.write_processes(other, {})
    assert files.write_user_file(plan, target)
    files.remove_user_file(other, target)
    assert Path(target).exists()


def test_a_file_that_cannot_be_written_is_no_error(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not files.write_user_file(plan, str(tmp_path / "file" / "below" / "pgctl.yaml"))


def test_processes_survive_their_record(plan: Plan) -> None:
    files.write_all(plan)
    assert files.read_processes(plan) == {}
    files.write_processes(plan, {"pg1": Process(12, 34)})
    assert files.read_processes(plan) == {"pg1": Process(12, 34)}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pg1": 3}', '{"pg1": ["x", 1]}', "null"])
def test_a_broken_record_of_processes_names_nobody(plan: Plan, text: str) -> None:
    files.write_all(plan)
    Path(plan.path("processes.json")).write_text(text, encoding="utf-8")
    assert files.read_processes(plan) == {}


def test_a_directory_has_one_supervisor(plan: Plan) -> None:
    files.write_all(plan)
    first = files.take_lock(plan)
    assert first is not None
    assert files.take_lock(plan) is None


def test_a_directory_with_other_things_is_refused(plan: Plan, tmp_path: Path) -> None:
    files.check_directory(str(tmp_path / "new"))
    (tmp_path / "full").mkdir()
    files.check_directory(str(tmp_path / "full"))
    (tmp_path / "full" / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        files.check_directory(str(tmp_path / "full"))
    with pytest.raises(ConfigError, match="not a directory"):
        files.check_directory(str(tmp_path / "full" / "thesis.txt"))
    files.write_all(plan)
    files.check_directory(plan.directory)


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert files.last_line(str(log)) == ""
    log.write_text("one\ntwo\n\n", encoding="utf-8")
    assert files.last_line(str(log)) == "two"
