"""Errors, exit codes and help: what everyone meets first."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import pgctl
from pgctl.cli import lazy
from pgctl.cli.program import cli
from tests.unit.cli.cli_site import Site

ROOT = Path(__file__).parents[3]


def test_help_names_every_command_and_imports_none() -> None:
    code = ("import sys; from click.testing import CliRunner; from pgctl.cli.program import cli;"
            "out = CliRunner().invoke(cli, ['--help']).stdout;"
            "print([m for m in sys.modules if m.startswith(('pgctl.cli.commands.', 'pgctl.net', 'urllib3', 'psycopg2', "
            "'asyncio', 'prettytable', 'tabulate'))]); print(out)")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    first, _, text = found.stdout.partition("\n")
    assert first == "[]"
    assert all(f"  {name} " in text for name in lazy.COMMANDS)


@pytest.mark.parametrize("name", lazy.COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    assert isinstance(cli, click.Group)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None and command.name == name
    assert name == "demo" or (command.help or "").split("\n")[0] == lazy.COMMANDS[name][1]


def test_listing_imports_no_client_and_no_section_of_an_agent(prod: Site) -> None:
    code = ("import sys; from pgctl.cli.program import cli\n"
            "try: cli()\n"
            "except SystemExit: pass\n"
            "heavy = ('pgctl.net.', 'pgctl.config.sections.', 'pgctl.config.build.', 'urllib3.', 'psycopg2.', 'asyncio.', "
            "'tabulate.')\n"
            "print([m for m in sys.modules if (m + '.').startswith(heavy)], file=sys.stderr)")
    found = subprocess.run([sys.executable, "-c", code, "-c", str(prod.config), "list"], capture_output=True, text=True,
                           check=True, cwd=ROOT)
    assert found.stderr == "[]\n"
    assert "Leader" in found.stdout


def test_the_entry_point_imports_nothing_before_it_is_called_and_collects_no_garbage() -> None:
    code = ("import gc, sys; from pgctl.cli import main; sys.argv = ['pgctl', '--version']\n"
            "print([m for m in sys.modules if m == 'click' or m.startswith('pgctl.') and m > 'pgctl.cli.main'])\n"
            "before = [of['collections'] for of in gc.get_stats()]\n"
            "try: main.main()\n"
            "except SystemExit as end: print(end.code, gc.get_freeze_count() > 0)\n"
            "print([of['collections'] for of in gc.get_stats()] == before)\n")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.splitlines() == ["[]", f"pgctl {pgctl.__version__}", "0 True", "True"]


def test_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"pgctl {pgctl.__version__}\n"
    assert CliRunner().invoke(cli, ["version"]).stdout == f"pgctl version {pgctl.__version__}\n"


@pytest.mark.parametrize("arguments", [["lst"], ["list", "--nope"], ["list", "-f", "xml"], ["--timeout", "0", "list"], []])
def test_wrong_usage_is_2(site: Site, arguments: list[str]) -> None:
    result = site.run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr and result.stdout == ""


def test_a_mistyped_command_is_suggested(site: Site) -> None:
    result = site.run("switchver")
    assert "hint: Did you mean switchover?" in result.stderr


def test_missing_configuration(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["-c", str(tmp_path / "none.yaml"), "list"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no configuration file")


def test_no_cluster_and_no_store(site: Site) -> None:
    site.config.write_text("namespace: x\n", encoding="utf-8")
    unnamed = site.run("list")
    assert unnamed.exit_code == 1 and "which cluster?" in unnamed.stderr
    unstored = site.run("list", "prod")
    assert unstored.exit_code == 1 and "no store is configured" in unstored.stderr


def test_a_fault_of_ours_is_one_line_and_debug_tells_all(prod: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lazy.COMMANDS, "list", ("list:no_such_command", ""))
    result = prod.run("list")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: this is a fault of pgctl (AttributeError)") and "--debug" in result.stderr
    assert isinstance(prod.run("--debug", "list").exception, AttributeError)


def test_closed_pipe_is_quiet(prod: Site) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "pgctl.cli.main", "-c", str(prod.config), "list"]
    found = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(writer)
    assert found.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_without_room_is_one_clear_error(prod: Site) -> None:
    command = [sys.executable, "-m", "pgctl.cli.main", "-c", str(prod.config), "list"]
    with open("/dev/full", "wb") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert found.returncode == 1
    assert found.stderr.startswith("error: the output could not be written: ") and "Exception" not in found.stderr


def test_a_frozen_store_does_not_hold_us(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        result = CliRunner().invoke(cli, ["-d", f"etcd3://{address}", "--timeout", "1", "list", "prod"])
        assert result.exit_code == 4, result.stderr
        assert time.monotonic() - begun < 4


def test_no_traceback_and_no_output_for_a_malformed_store(site: Site) -> None:
    for key in ("leader", "config", "status", "sync", "history", "failover", "members/a", "initialize", "failsafe"):
        site.put(key, '{"a": [}')
    for command in ("list", "topology", "history", "dsn", "show-config", "explain"):
        result = site.run(command)
        assert result.exit_code in (0, 1) and "fault of pgctl" not in result.stderr


def test_every_command_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    headings = " ".join(line for line in reference.splitlines() if line.startswith("###"))
    assert [name for name in lazy.COMMANDS if f"`{name}`" not in headings] == []


def test_the_nearest_option_is_suggested(site: Site) -> None:
    result = site.run("restart", "--pendng")
    assert result.exit_code == 2 and "--pending" in result.stderr
