"""`pgctl query`: run SQL on a member. The only room of the command line that may open psycopg2."""

import json
import select
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import psycopg2
import psycopg2.extensions

from pgctl.cli import ask, choose, complete, options, tables, watch
from pgctl.cli.context import Call
from pgctl.cli.output import Format, Shown
from pgctl.cli.tables import Table
from pgctl.errors import ExitCode, PgctlError, UsageError
from pgctl.model import addresses
from pgctl.model.cluster import Cluster
from pgctl.units import Instant

_CONNECT = 5
_STANDBYS = ("replica", "standby", "standby-leader")


@dataclass(frozen=True, slots=True)
class Wish:
    """What to run, as whom, and for how long at most (seconds; 0: as long as it takes)."""

    sql: str
    username: str | None
    password: str | None
    database: str | None
    limit: float


@dataclass(frozen=True, slots=True)
class Rows:
    """The last statement's result; without columns only its `status`, such as `CREATE TABLE`."""

    member: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    status: str


@click.command("query")
@options.cluster
@click.option("-c", "--command", "command", help="The SQL to run.")
@click.option("-f", "--file", "file", metavar="FILE", help="A file with the SQL to run.")
@options.form("tsv", name="")
@click.option("--delimiter", default="\t", help="Between the columns of tsv.  [default: tab]")
@click.option("-U", "--username", help="The database user; libpq's default unless given.")
@click.option("--password", "ask_password", is_flag=True, help="Ask for the password.")
@click.option("-d", "--dbname", help="The database; libpq's default unless given.")
@options.role(None)
@click.option("-m", "--member", help="This member.", shell_complete=complete.members)
@click.option("--statement-timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
              help="Give up after so long; 0: never.")
@options.watching
@options.group
@options.pass_call
def query(call: Call, cluster: str | None, command: str | None, file: str | None, delimiter: str, username: str | None,
          ask_password: bool, dbname: str | None, role: str | None, member: str | None, statement_timeout: float,
          seconds: float | None, often: bool) -> ExitCode:
    """Run SQL on a member.

    On the leader unless told. The first member of the role whose server answers is taken. Connects as psql would: PG*
    variables and the password file count. With several statements the last result is shown.
    """
    if (command is None) == (file is None):
        raise UsageError("give the SQL with --command, or a file of it with --file")
    if role is not None and member is not None:
        raise UsageError("--role and --member exclude each other")
    sql = command if command is not None else _read(file or "")
    password = ask.text("Password: ", "Use PGPASSFILE or PGPASSWORD instead.") if ask_password else None
    limit = call.options.timeout or statement_timeout
    wish = Wish(sql, username, password, dbname, limit)
    scope = call.scope(cluster)

    def draw() -> tuple[ExitCode, Cluster | None]:
        found = call.read(scope)
        rows = _first(call, judge(found, role, member), role, wish)
        if call.form is Format.TSV and delimiter != "\t":
            call.print(tables.tsv(_table(rows), delimiter))
        else:
            call.show(render(rows))
        return ExitCode.DONE, found

    every = watch.interval(seconds, often)
    return watch.repeat(call, draw, every)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PgctlError(f"cannot read {path}", detail=getattr(error, "strerror", None) or str(error)) from error


def judge(cluster: Cluster, role: str | None, name: str | None) -> tuple[tuple[str, str, int], ...]:
    """(member, host, port) in the order in which to try them. Raises PgctlError when there is nobody to ask."""
    chosen = choose.members(cluster, (name,) if name else (), role or ("any" if name else "leader"))
    places = [(member.name, addresses.host_port(member.conn_url or "")) for member in chosen]
    found = tuple((member, place[0], place[1]) for member, place in places if place)
    if not found:
        raise PgctlError(f"{cluster.scope} has no {name or role or 'leader'} with a known address")
    return found


def _first(call: Call, places: Sequence[tuple[str, str, int]], role: str | None, wish: Wish) -> Rows:
    """The result of the first member that can be connected to and has the role. Raises PgctlError with every reason."""
    reasons = []
    patience = _Patience(call)
    psycopg2.extensions.set_wait_callback(patience.wait)
    for member, host, port in places:
        patience.deadline = Instant(call.clock.now() + _CONNECT)
        try:
            connection = _connect(host, port, wish)
        except psycopg2.Error as error:
            reasons.append(f"{member}: {_words(error)}")
            continue
        try:
            if wrong := _wrong_role(connection, role):
                reasons.append(f"{member}: {wrong}")
                continue
            patience.deadline = Instant(call.clock.now() + wish.limit) if wish.limit else None
            return _run(connection, member, wish.sql)
        except psycopg2.Error as error:
            code = f"SQLSTATE {error.pgcode}" if error.pgcode else ""
            raise PgctlError(f"{member}: {_words(error)}", detail=code) from None
        finally:
            connection.close()
    wanting = any("no password supplied" in reason for reason in reasons)
    raise PgctlError("no member could be asked", detail="; ".join(reasons),
                     hint="Set PGPASSFILE or PGPASSWORD, or use --password to be asked." if wanting else "")


def _connect(host: str, port: int, wish: Wish) -> Any:
    given: dict[str, Any] = {"user": wish.username, "password": wish.password, "dbname": wish.database}
    connection = psycopg2.connect(
        host=host, port=port, connect_timeout=_CONNECT, fallback_application_name="pgctl",
        **{key: value for key, value in given.items() if value is not None})
    connection.autocommit = True
    return connection


class _Patience:
    """Lets libpq wait for the server, not longer than the deadline: a frozen server does not keep its own timeouts.

    Source: psycopg2, Support for coroutine libraries.
    """

    def __init__(self, call: Call) -> None:
        self._clock = call.clock
        self.deadline: Instant | None = None

    def wait(self, connection: Any) -> None:
        """Raises OperationalError when it takes too long."""
        while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
            left = None if self.deadline is None else max(0.0, self.deadline - self._clock.now())
            reading = [connection.fileno()] if state == psycopg2.extensions.POLL_READ else []
            writing = [connection.fileno()] if state == psycopg2.extensions.POLL_WRITE else []
            if select.select(reading, writing, [], left) == ([], [], []):
                raise psycopg2.OperationalError("no answer in time")


def _wrong_role(connection: Any, role: str | None) -> str:
    if role not in ("primary", *_STANDBYS):
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_is_in_recovery()")
        standby = cursor.fetchone()[0]
    if standby is (role in _STANDBYS):
        return ""
    return "is in recovery" if standby else "is not in recovery"


def _run(connection: Any, member: str, sql: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        columns = tuple(column.name for column in cursor.description or ())
        rows = tuple(cursor.fetchall()) if cursor.description else ()
        return Rows(member, columns, rows, cursor.statusmessage or "")


def _words(error: psycopg2.Error) -> str:
    """PostgreSQL's own message."""
    diag = getattr(error, "diag", None)
    primary = getattr(diag, "message_primary", None)
    return " ".join(str(primary or error).split())


def render(rows: Rows) -> Shown:
    """A statement without a result answers its command tag."""
    if not rows.columns:
        return Shown((rows.status,), Table(("Status",), ((rows.status,),)), {"status": rows.status})
    value = [dict(zip(rows.columns, map(plain, row), strict=True)) for row in rows.rows]
    return Shown((_table(rows),), _table(rows), value)


def _table(rows: Rows) -> Table:
    cells = tuple(tuple(_cell(value) for value in row) for row in rows.rows)
    return Table(rows.columns or ("Status",), cells if rows.columns else ((rows.status,),))


def _cell(value: object) -> str:
    """NULL is nothing; the rest as psql writes it, near enough."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, (list, dict)) else str(plain(value))


def plain(value: object) -> object:
    """A value that JSON has: numbers stay numbers where they keep their digits, the rest becomes text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else str(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (memoryview, bytes)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
