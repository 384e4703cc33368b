"""query: on a real server where there is one; and values, failures and silence without."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pgctl.cli import output
from pgctl.cli.commands import query
from pgctl.cli.commands.query import Rows
from pgctl.cli.output import Format
from tests.unit.cli.cli_site import Site


def at(site: Site, name: str, port: int, role: str) -> None:
    """Says that the member's server listens there."""
    site.member(name, role, conn_url=f"postgres://127.0.0.1:{port}/postgres")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, newest_bindir: Path) -> Iterator[int]:
    """The port of a throw-away server."""
    data = tmp_path_factory.mktemp("query") / "data"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    initdb: list[str | Path] = [newest_bindir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run(initdb, check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    start: list[str | Path] = [newest_bindir / "pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", options, "start"]
    subprocess.run(start, check=True, capture_output=True)
    yield port
    subprocess.run([newest_bindir / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, capture_output=True)


ARGUMENTS = ("query", "-U", "postgres", "-d", "postgres")


@pytest.mark.pg(">= 13")
def test_rows_in_every_format(prod: Site, server: int) -> None:
    at(prod, "a", server, "primary")
    sql = "SELECT 1 AS one, NULL AS nothing, E'a\\tb' AS text, 1.50::numeric AS exact, true AS yes"
    tsv = prod.run(*ARGUMENTS, "-c", sql)
    assert tsv.stdout == "one\tnothing\ttext\texact\tyes\n1\t\ta\\tb\t1.50\tt\n", tsv.stderr
    rows = json.loads(prod.run(*ARGUMENTS, "-c", sql, "--format", "json").stdout)
    assert rows == [{"one": 1, "nothing": None, "text": "a\tb", "exact": "1.50", "yes": True}]
    assert "| 1   |" in prod.run(*ARGUMENTS, "-c", sql, "--format", "pretty").stdout
    assert prod.run(*ARGUMENTS, "-c", "SELECT 1, 2", "--delimiter", ";").stdout.endswith("1;2\n")


@pytest.mark.pg(">= 13")
def test_a_statement_without_rows_answers_its_tag(prod: Site, server: int) -> None:
    at(prod, "a", server, "primary")
    result = prod.run(*ARGUMENTS, "-c", "CREATE TEMP TABLE t (i int)")
    assert (result.exit_code, result.stdout) == (0, "Status\nCREATE TABLE\n")


@pytest.mark.pg(">= 13")
def test_an_error_is_told_in_the_servers_words(prod: Site, server: int) -> None:
    at(prod, "a", server, "primary")
    result = prod.run(*ARGUMENTS, "-c", "SELECT nonsense")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == 'error: a: column "nonsense" does not exist: SQLSTATE 42703\n'


@pytest.mark.pg(">= 13")
def test_a_slow_statement_ends_in_time(prod: Site, server: int) -> None:
    at(prod, "a", server, "primary")
    begun = time.monotonic()
    result = prod.run(*ARGUMENTS, "-c", "SELECT pg_sleep(30)", "--statement-timeout", "0.5")
    assert result.exit_code == 1 and "no answer in time" in result.stderr
    assert time.monotonic() - begun < 5


@pytest.mark.pg(">= 13")
def test_a_member_that_does_not_fit_is_passed_over(prod: Site, server: int) -> None:
    """b's server is away and c's is none in recovery: all reasons are told."""
    at(prod, "b", 9, "replica")
    at(prod, "c", server, "replica")
    result = prod.run(*ARGUMENTS, "-r", "replica", "-c", "SELECT 1")
    assert result.exit_code == 1
    assert "b: " in result.stderr and "c: is not in recovery" in result.stderr
    at(prod, "a", server, "primary")
    assert prod.run(*ARGUMENTS, "-r", "any", "-c", "SELECT 1").exit_code == 0


def test_a_server_that_is_silent_does_not_hold_us(prod: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_CONNECT", 0.7)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        at(prod, "a", frozen.getsockname()[1], "primary")
        begun = time.monotonic()
        result = prod.run(*ARGUMENTS, "-c", "SELECT 1")
    assert result.exit_code == 1 and "no answer in time" in result.stderr
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("arguments", [(), ("-c", "SELECT 1", "-f", "x.sql"), ("-c", "x", "-r", "any", "-m", "a")])
def test_wrong_usage(prod: Site, arguments: tuple[str, ...]) -> None:
    assert prod.run("query", *arguments).exit_code == 2


def test_a_file_that_is_not_there(prod: Site) -> None:
    result = prod.run("query", "-f", "/nowhere.sql")
    assert result.exit_code == 1 and "cannot read /nowhere.sql: No such file" in result.stderr


@pytest.mark.parametrize(("value", "wanted"), [
    (Decimal("1.50"), "1.50"), (Decimal("20"), 20), (Decimal("NaN"), "NaN"), (Decimal(2**70), str(2**70)),
    (datetime(2030, 1, 1, tzinfo=UTC), "2030-01-01T00:00:00+00:00"), (date(2030, 1, 1), "2030-01-01"),
    (memoryview(b"\x00\xff"), "\\x00ff"), ([Decimal("1.5"), None], ["1.5", None]), (None, None), (True, True),
])
def test_values_become_json(value: object, wanted: object) -> None:
    assert query.plain(value) == wanted


def test_no_rows_are_an_empty_list() -> None:
    shown = query.render(Rows("a", ("x",), (), "SELECT 0"))
    assert output.text(shown, Format.JSON) == "[]\n"
    assert output.text(shown, Format.TSV) == "x\n"
