"""Why a start failed, from what the server wrote: text into an error. Reads no file.

Source: PostgreSQL 15, 19.3.1 Server Start-up Failures.
"""

import re
from dataclasses import dataclass

from pgctl.errors import ServerError

_GRAVE = re.compile(r"\b(FATAL|PANIC|LOG|ERROR|HINT|DETAIL|CONTEXT|WARNING):\s+(.*)")
_TELLING = re.compile(r"could not|error|must be|invalid|unrecognized|outside the valid range|already exists")


@dataclass(frozen=True, slots=True)
class Cause:
    """A pattern in the log, what it means, and what to do."""

    pattern: str
    message: str
    hint: str


CAUSES = (
    Cause(
        r"could not bind|Address already in use|could not create any TCP/IP sockets|already running on port",
        "port {port} is in use, or the listen address is not of this host",
        "Stop the program that uses the port, or change postgresql.listen.",
    ),
    Cause(
        r"has group or world access|invalid permissions|has wrong ownership",
        'the data directory "{data_dir}" has wrong permissions',
        "It must belong to the user that runs the server, with mode 0700 or 0750.",
    ),
    Cause(
        r"database files are incompatible with server",
        "the data directory was made by another version of PostgreSQL",
        "Point postgresql.bin_dir to the programs of that version, or run pg_upgrade.",
    ),
    Cause(
        r"could not create (?:lock file|Unix socket for address) \"\S*/\.s\.PGSQL\.\S*: (?:Permission denied|No such)"
        r"|could not create any Unix-domain sockets",
        "the directory of its Unix socket cannot be written",
        "Set unix_socket_directories, below postgresql.parameters, to a directory that the server's user may write to.",
    ),
    Cause(r"No space left on device", "the disk is full", "Free space below the data directory and below pg_wal."),
    Cause(
        r"could not map anonymous shared memory|could not create shared memory segment|Cannot allocate memory",
        "there is not enough memory for the server",
        "Lower shared_buffers or max_connections, or change huge_pages and the kernel's limits.",
    ),
    Cause(
        r"lock file \".*\" already exists|is another postmaster .* running in data directory",
        'another server runs in "{data_dir}"',
        "Stop it, or look who started it; two servers on one data directory destroy it.",
    ),
    Cause(
        r"configuration file \".*\" contains errors|unrecognized configuration parameter|invalid value for parameter"
        r"|parameter \".*\" (?:requires|cannot)|is outside the valid range|syntax error in file",
        "the server's configuration is wrong",
        "Mend the parameter with `pgctl edit-config`, or in the agent's configuration file.",
    ),
    Cause(r"could not load .*pg_hba\.conf", "pg_hba.conf is wrong", "Mend postgresql.pg_hba."),
    Cause(r"could not access file \".*\"|could not load library", "a library of the server is missing",
          "Install the extension, or take it out of shared_preload_libraries."),
    Cause(
        r"could not locate a valid checkpoint record|could not locate required checkpoint record",
        "the WAL that recovery begins with is missing",
        "Reinitialize this member, or restore the data directory from a backup.",
    ),
    Cause(
        r"requested timeline \d+ is not a child of this server's history",
        "the server's history has diverged from that of its upstream",
        "Turn on use_pg_rewind, or reinitialize this member.",
    ),
    Cause(
        r"recovery aborted because of insufficient parameter settings",
        "a parameter is lower than on the primary",
        "Raise it on this member first: max_connections and its kin must not be lower on a standby.",
    ),
    Cause(r"WAL file is from different database system", "WAL of another cluster was found",
          "Empty the archive, or point restore_command to the right one."),
)  # fmt: skip


def explain(text: str, *, port: int, data_dir: str, failure: str = "could not start the server") -> ServerError:
    """The error for a start, or the rehearsal of one, that ended with this text in the log; it begins with `failure`."""
    said = _said(text)
    for cause in CAUSES:
        if re.search(cause.pattern, text):
            message = cause.message.format(port=port, data_dir=data_dir)
            return ServerError(f"{failure}: {message}", detail=said, hint=cause.hint)
    hint = "Look at the server log." if said else "Look at the server log; the server wrote nothing at its start."
    return ServerError(failure, detail=said, hint=hint)


def _said(text: str) -> str:
    """What matters of the log's end: the grave messages and what belongs to them, else the last lines."""
    rows = [found for line in text.splitlines() if (found := _GRAVE.search(line))]
    grave = [row[2].strip() for row in rows if row[1] in ("FATAL", "PANIC", "ERROR")]
    beside = [row[2].strip() for row in rows if row[1] in ("LOG", "DETAIL") and _TELLING.search(row[2])]
    if grave:
        return "; ".join(dict.fromkeys(beside[-2:] + grave[-2:]))
    return "; ".join(line.strip() for line in text.splitlines()[-3:] if line.strip())
