"""Connections over psycopg2, each wait under a deadline of ours: connecting, and every statement.

They are asynchronous connections polled with a time limit, because the server's own statement_timeout does not help when
the server is frozen, and libpq's connect_timeout ends with the connect. A connection that failed once is closed. One
thread at a time uses a connection; no two rooms share one.
"""

import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg2
import psycopg2.extensions as ext

from pgctl.clock import Clock
from pgctl.config.sections import Credentials
from pgctl.errors import ServerError
from pgctl.model.conf import Upstream
from pgctl.postgresql import conninfo
from pgctl.postgresql import options as opts
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import Instant, Seconds

Row = tuple[Any, ...]

_SETTINGS = "-c search_path=pg_catalog -c datestyle=iso -c client_encoding=UTF8"
_CONNECT = 3.0
"""Seconds that connecting may take at most, however late the deadline. Source: postgresql.md 18 row 2."""
_PASSWORD_HINT = (
    "Check postgresql.authentication. Up to PostgreSQL 13 passwords are stored as md5 by default, which scram-sha-256 in "
    "pg_hba.conf does not accept: a new cluster needs `auth: scram-sha-256` in bootstrap.initdb."
)
_ANYWHERE = ("*", "localhost", "0.0.0.0", "127.0.0.1", "::", "::1")


class QueryFailed(ServerError):
    """The server answered with an error; `sqlstate` is its code, such as 57014."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class NoAnswer(ServerError):
    """The deadline passed without an answer: the server, or the way to it, hangs."""


def local_host(site: Site, options: Options, *, socket: bool) -> str:
    """Where our own server is reached: its socket directory, localhost, or its first address. Source: postgresql.md 18."""
    if socket:
        return next(map(str, opts.socket_directories(options)), "")
    hosts = site.section.listen_hosts
    return "localhost" if not hosts or any(host in _ANYWHERE for host in hosts) else hosts[0]


def local(
    site: Site, options: Options, purpose: str, deadline: Instant, *, database: str = "", timeout: Seconds | None = None
) -> "Connection":
    """A superuser's connection to our server; `timeout` is its statement_timeout, none by default. Raises ServerError."""
    keywords = {"host": local_host(site, options, socket=options.use_unix_socket), "port": str(site.section.port)}
    keywords["dbname"] = database or site.section.database
    return _open(site, site.section.superuser, keywords, options.krbsrvname, purpose, deadline, timeout)


def local_replication(site: Site, options: Options, deadline: Instant) -> "Connection":
    """A replication connection to our own server. Raises ServerError."""
    keywords = {"host": local_host(site, options, socket=options.use_unix_socket_repl), "port": str(site.section.port)}
    keywords["replication"] = "true"
    return _open(site, site.section.replication, keywords, options.krbsrvname, "replication", deadline, None)


def remote_replication(site: Site, options: Options, upstream: Upstream, deadline: Instant) -> "Connection":
    """A replication connection to another server. Raises ServerError."""
    keywords = {"host": upstream.host, "port": str(upstream.port), "replication": "true", **conninfo.which_host(upstream)}
    return _open(site, site.section.replication, keywords, options.krbsrvname, "replication", deadline, None)


def remote(site: Site, options: Options, upstream: Upstream, role: Credentials, deadline: Instant) -> "Connection":
    """A connection to another server's database as `role`. Raises ServerError."""
    keywords = {"host": upstream.host, "port": str(upstream.port), "dbname": upstream.database}
    keywords |= conninfo.which_host(upstream)
    return _open(site, role, keywords, options.krbsrvname, "rewind", deadline, None)


def _open(
    site: Site,
    role: Credentials,
    keywords: Mapping[str, str],
    krbsrvname: str,
    purpose: str,
    deadline: Instant,
    timeout: Seconds | None,
) -> "Connection":
    limit = "" if timeout is None else f" -c statement_timeout={int(timeout * 1000)}"
    whole = {
        **role.options,
        **keywords,
        "user": role.username,
        "password": role.password,
        "krbsrvname": krbsrvname,
        "application_name": f"pgctl {purpose}",
        "options": f"{_SETTINGS}{limit}" if "replication" not in keywords else "-c datestyle=iso -c client_encoding=UTF8",
    }
    until = Instant(min(deadline, site.clock.now() + _CONNECT))
    return Connection(conninfo.text(whole), site.clock, until)


class Connection:
    """One connection, in autocommit. Also a context manager that closes it."""

    def __init__(self, dsn: str, clock: Clock, deadline: Instant) -> None:
        """Connects before `deadline`. Raises ServerError."""
        self._clock = clock
        try:
            self._raw = psycopg2.connect(dsn, async_=True)
        except psycopg2.Error as error:
            raise _failure(error, "could not connect to the server") from error
        try:
            self._finish(deadline, "connect to the server")
        except psycopg2.Error as error:
            self.close()
            raise _failure(error, "could not connect to the server") from error

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        return bool(self._raw.closed)

    def close(self) -> None:
        if not self._raw.closed:
            self._raw.close()

    def rows(self, sql: str, parameters: Sequence[object] | None, deadline: Instant, *, every: Seconds | None = None,
             meanwhile: Callable[[], object] = bool) -> list[Row]:
        """Runs one statement; its rows, or none when it returns none. `meanwhile` is called `every` so often, if given.

        Raises QueryFailed, NoAnswer; after anything but a QueryFailed the connection is closed.
        """
        if self._raw.closed:
            raise NoAnswer("the connection to the server is closed")
        try:
            cursor = self._raw.cursor()
            cursor.execute(sql, parameters)
            self._finish(deadline, "run a query", every, meanwhile)
            return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            if error.pgcode is None or error.pgcode.startswith(("57P", "08")):
                self.close()
            raise _failure(error, "a query failed") from error

    def row(self, sql: str, parameters: Sequence[object] | None, deadline: Instant) -> Row:
        """The first row. Raises as `rows`, and ServerError when there is none."""
        found = self.rows(sql, parameters, deadline)
        if not found:
            raise ServerError("a query returned no row")
        return found[0]

    def order(self, sql: str) -> None:
        """Has the server run one statement and waits for nothing; closes the connection. Raises ServerError.

        The server reads the statement before it sees the end of the connection; whether it succeeded is not heard of.
        """
        try:
            self._raw.cursor().execute(sql)
        except psycopg2.Error as error:
            raise _failure(error, "a query failed") from error
        finally:
            self.close()

    def verifier(self, password: str, user: str, algorithm: str) -> str:
        """What the server is to store for a password, so that the password itself is not sent. Source: libpq 34.15."""
        return ext.encrypt_password(password, user, scope=self._raw, algorithm=algorithm)

    def _finish(self, deadline: Instant, what: str, every: Seconds | None = None,
                meanwhile: Callable[[], object] = bool) -> None:
        poller = select.poll()
        while (state := self._raw.poll()) != ext.POLL_OK:
            left = deadline - self._clock.now()
            if left <= 0:
                self.close()
                raise NoAnswer(f"could not {what} in time", detail="no answer before the deadline")
            events = select.POLLIN if state == ext.POLL_READ else select.POLLOUT
            fd = self._raw.fileno()
            poller.register(fd, events)
            happened = poller.poll((left if every is None else min(left, every)) * 1000 + 1)
            poller.unregister(fd)
            if not happened:
                meanwhile()


def _failure(error: psycopg2.Error, message: str) -> ServerError:
    """psycopg2's error as ours: first line of what the server or libpq said."""
    said = str(error).strip().splitlines()
    detail = said[0].strip() if said else ""
    if error.pgcode:
        return QueryFailed(detail or message, error.pgcode)
    detail = said[-1].strip() if said else ""
    return ServerError(message, detail=detail, hint=_PASSWORD_HINT if "password authentication failed" in detail else "")
