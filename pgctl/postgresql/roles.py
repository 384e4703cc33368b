"""Creates or alters the roles of a new cluster. A password reaches the server only as its SCRAM or MD5 verifier.

Source: postgresql.md 10 rows 5 and 6; PostgreSQL 15, pg_rewind, Notes (the four functions).
"""

from pgctl.config.sections import Credentials, PostgresSection
from pgctl.postgresql import version
from pgctl.postgresql.connection import Connection
from pgctl.postgresql.version import Feature
from pgctl.units import Instant

_QUIET = (
    "SET synchronous_commit = 'local'",
    "SET log_statement = 'none'",
    "SET log_min_duration_statement = -1",
    "SET log_min_error_statement = 'panic'",
    "SET pg_stat_statements.track_utility = 'off'",
    "SET pgaudit.log = 'none'",
)
_FOR_REWIND = (
    "pg_catalog.pg_ls_dir(text, boolean, boolean)",
    "pg_catalog.pg_stat_file(text, boolean)",
    "pg_catalog.pg_read_binary_file(text)",
    "pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
)


def prepare(conn: Connection, deadline: Instant) -> None:
    """Keeps what follows out of the logs, and from waiting for standbys that cannot be there yet. Raises ServerError."""
    for statement in _QUIET:
        conn.rows(statement, None, deadline)


def create_superuser(conn: Connection, role: Credentials, deadline: Instant) -> None:
    """The superuser of a restored server; only where both name and password are configured. Raises ServerError."""
    if role.username and role.password:
        _create(conn, role, "SUPERUSER", deadline)


def create_others(conn: Connection, section: PostgresSection, deadline: Instant) -> None:
    """The replication role, and the rewind role with its grants. Raises ServerError."""
    names = {section.superuser.username}
    if section.replication.username and section.replication.username not in names:
        _create(conn, section.replication, "REPLICATION", deadline)
    role = section.rewind
    if not role.username or role.username in names:
        return
    _create(conn, role, "" if role.username != section.replication.username else "REPLICATION", deadline)
    name = identifier(role.username)
    for function in _FOR_REWIND:
        conn.rows(f"GRANT EXECUTE ON FUNCTION {function} TO {name}", None, deadline)
    major = version.major_of(int(conn.row("SHOW server_version_num", None, deadline)[0]))
    if version.has(major, Feature.CHECKPOINT_ROLE):
        # So that the rewind role can end the wait for a fresh primary's first checkpoint.
        conn.rows(f"GRANT pg_checkpoint TO {name}", None, deadline)
    if version.has(major, Feature.LOG_STANDBY_SNAPSHOT):
        # So that a standby that makes a logical slot need not wait for what the primary says of its own accord.
        conn.rows(f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_log_standby_snapshot() TO {name}", None, deadline)


def _create(conn: Connection, role: Credentials, attributes: str, deadline: Instant) -> None:
    there = conn.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", [role.username], deadline)
    verb = "ALTER" if there else "CREATE"
    statement = f"{verb} ROLE {identifier(role.username)} WITH LOGIN {attributes}".rstrip()
    if not role.password:
        conn.rows(statement, None, deadline)
        return
    algorithm = str(conn.row("SHOW password_encryption", None, deadline)[0])
    verifier = conn.verifier(role.password, role.username, algorithm)
    conn.rows(f"{statement.replace('%', '%%')} PASSWORD %s", [verifier], deadline)


def identifier(name: str) -> str:
    """A name in double quotes, as SQL reads it back."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
