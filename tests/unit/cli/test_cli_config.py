"""show-config and edit-config: what is printed, what is stored, what is refused."""

import json
from pathlib import Path

import pytest
import yaml

from pgctl.cli import config_edit
from tests.unit.cli.cli_site import BUDGET, Site

STORED = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}


def test_shows_what_is_stored(prod: Site) -> None:
    assert prod.run("show-config").stdout == "loop_wait: 10\nretry_timeout: 10\nttl: 30\n"
    assert json.loads(prod.run("show-config", "-f", "json").stdout) == STORED
    assert yaml.safe_load(prod.run("show-config", "--effective").stdout)["maximum_lag_on_failover"] == 1048576


def test_nothing_there_says_so(site: Site) -> None:
    site.put("leader", "a")
    result = site.run("show-config")
    assert result.exit_code == 1 and result.stdout == ""
    assert "has no settings in the store" in result.stderr


@pytest.mark.parametrize(("assignment", "wanted"), [
    ("ttl=20", {"ttl": 20}),
    ("a.b.c=x", {"ttl": 30, "a": {"b": {"c": "x"}}}),
    ("ttl=null", {}),
    ("postgresql.parameters.auto_explain.log_min_duration=10s",
     {"ttl": 30, "postgresql": {"parameters": {"auto_explain.log_min_duration": "10s"}}}),
    ("a.b=null", {"ttl": 30}),
    ("x=[1, 2]", {"ttl": 30, "x": [1, 2]}),
])
def test_assignments(assignment: str, wanted: object) -> None:
    assert config_edit.assign({"ttl": 30}, assignment) == wanted


def test_a_null_removes_emptied_parents() -> None:
    assert config_edit.assign({"postgresql": {"parameters": {"work_mem": "4MB"}}}, "postgresql.parameters.work_mem=") == {}


@pytest.mark.parametrize("assignment", ["ttl", "=3", "ttl=[", "ttl={a"])
def test_bad_assignments(assignment: str) -> None:
    with pytest.raises(config_edit.BadYaml):
        config_edit.assign({}, assignment)


def test_set_and_pg_are_stored(prod: Site) -> None:
    result = prod.run("edit-config", "-s", "ttl=60", "-p", "work_mem=8MB", "--force")
    assert result.exit_code == 0, result.stderr
    assert "-ttl: 30\n+ttl: 60\n" in result.stdout
    assert prod.get("config") == {**STORED, "ttl": 60, "postgresql": {"parameters": {"work_mem": "8MB"}}}


def test_apply_merges_and_replace_replaces(prod: Site, tmp_path: Path) -> None:
    file = tmp_path / "patch.yaml"
    file.write_text("ttl: 40\nloop_wait: null\n", encoding="utf-8")
    assert prod.run("edit-config", "--apply", str(file), "--force", "-q").stdout.startswith("Stored")
    assert prod.get("config") == {"ttl": 40, "retry_timeout": 10}
    assert prod.run("edit-config", "--replace", "-", "--force", input="ttl: 45\n").exit_code == 0
    assert prod.get("config") == {"ttl": 45}


def test_what_nobody_knows_is_refused_unless_forced(prod: Site) -> None:
    refused = prod.run("edit-config", "-s", "tll=60")
    assert refused.exit_code == 1
    assert 'unknown key "tll" (did you mean "ttl"?)' in refused.stderr
    assert prod.get("config") == STORED
    forced = prod.run("edit-config", "-s", "tll=60", "--force")
    assert forced.exit_code == 0 and "warning" in forced.stderr
    assert prod.get("config") == {**STORED, "tll": 60}
    assert prod.run("edit-config", "-s", "maximum_lag_on_failover=5", input="y\n").exit_code == 0


def test_out_of_range_is_refused(prod: Site) -> None:
    result = prod.run("edit-config", "-s", "loop_wait=0")
    assert result.exit_code == 1 and "loop_wait" in result.stderr
    assert prod.get("config") == STORED


def test_same_data_is_not_stored(prod: Site) -> None:
    before = prod.store.snapshot(budget=BUDGET).items["config"].revision
    assert prod.run("edit-config", "-s", "ttl=30").stdout == "Not changed\n"
    assert prod.store.snapshot(budget=BUDGET).items["config"].revision == before


def test_a_conflict_is_clear(prod: Site) -> None:
    """Somebody else writes while the question is on the screen."""
    with prod.terminal("edit-config", "-s", "ttl=60") as terminal:
        terminal.until("[y/N]")
        prod.put("config", {"ttl": 99})
        terminal.type("y\n")
        assert terminal.end() == 1
    assert "somebody else changed the settings meanwhile" in terminal.shown
    assert prod.get("config") == {"ttl": 99}


def editor(directory: Path, text: str) -> str:
    """An editor with an argument, which replaces everything by `text`."""
    (directory / "text").write_text(text, encoding="utf-8")
    script = directory / "editor"
    script.write_text(f'#!/bin/sh\ntest "$1" = --wait && cat {directory}/text > "$2"\n', encoding="utf-8")
    script.chmod(0o755)
    return f"{script} --wait"


def test_the_editors_text_is_stored(prod: Site, tmp_path: Path) -> None:
    with prod.terminal("edit-config", EDITOR=editor(tmp_path, "ttl: 45\nloop_wait: 5\n")) as terminal:
        terminal.until("[y/N]")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert prod.get("config") == {"ttl": 45, "loop_wait": 5}


def test_the_editors_text_is_kept_on_error(prod: Site, tmp_path: Path) -> None:
    with prod.terminal("edit-config", EDITOR=editor(tmp_path, "ttl: [60\n"), TMPDIR=str(tmp_path)) as terminal:
        assert terminal.end() == 1
    assert "is not valid YAML: line 2, column 1" in terminal.shown
    (kept,) = tmp_path.glob("pgctl-config-*.yaml")
    assert kept.read_text(encoding="utf-8") == "ttl: [60\n"
    assert str(kept) in terminal.shown
    assert prod.get("config") == STORED


def test_no_terminal_to_edit_on(prod: Site) -> None:
    result = prod.run("edit-config")
    assert result.exit_code == 2 and "Use --set" in result.stderr


def test_diff_is_empty_for_the_same() -> None:
    assert config_edit.diff(STORED, dict(STORED)) == ""


def test_only_new_faults_count() -> None:
    assert config_edit.new_faults({"tll": 1}, {"tll": 1, "ttl": 60}) == ()
    assert len(config_edit.new_faults({}, {"tll": 1})) == 1
