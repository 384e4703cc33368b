"""`start_log`: what the server wrote, as what is wrong and what to do."""

import re

import pytest

from pgctl.postgresql import start_log

PORT = """\
2026-11-23 20:00:00 UTC [7] LOG:  starting PostgreSQL 15.18
2026-11-23 20:00:00 UTC [7] LOG:  could not bind IPv4 address "127.0.0.1": Address already in use
2026-11-23 20:00:00 UTC [7] HINT:  Is another postmaster already running on port 5432? If not, wait and retry.
2026-11-23 20:00:00 UTC [7] WARNING:  could not create listen socket for "127.0.0.1"
2026-11-23 20:00:00 UTC [7] FATAL:  could not create any TCP/IP sockets
2026-11-23 20:00:00 UTC [7] LOG:  database system is shut down
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PORT, "port 5432 is in use"),
        ('FATAL:  data directory "/d" has group or world access', "wrong permissions"),
        ("FATAL:  database files are incompatible with server", "another version"),
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', "the disk is full"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "not enough memory"),
        ('FATAL:  lock file "postmaster.pid" already exists', 'another server runs in "/data"'),
        ('LOG:  unrecognized configuration parameter "wrk_mem" in file\nFATAL:  configuration file "x" contains errors',
         "configuration is wrong"),
        ('FATAL:  could not create lock file "/run/postgresql/.s.PGSQL.5432.lock": Permission denied', "Unix socket"),
        ("FATAL:  could not load pg_hba.conf", "pg_hba.conf is wrong"),
        ('FATAL:  could not access file "timescaledb": No such file or directory', "library of the server is missing"),
        ("PANIC:  could not locate a valid checkpoint record", "recovery begins with is missing"),
        ("FATAL:  requested timeline 3 is not a child of this server's history", "diverged"),
        ("FATAL:  recovery aborted because of insufficient parameter settings", "lower than on the primary"),
    ],
)  # fmt: skip
def test_known_causes(text: str, says: str) -> None:
    error = start_log.explain(text, port=5432, data_dir="/data")
    assert error.message.startswith("could not start the server: ") and says in error.message
    assert error.hint.endswith(".")


def test_the_detail_quotes_what_matters() -> None:
    error = start_log.explain(PORT, port=5432, data_dir="/data")
    assert error.detail == (
        'could not bind IPv4 address "127.0.0.1": Address already in use; could not create any TCP/IP sockets'
    )


def test_an_unknown_cause_is_quoted() -> None:
    error = start_log.explain("FATAL:  the moon is full", port=5432, data_dir="/data")
    assert (error.message, error.detail) == ("could not start the server", "the moon is full")
    plain = start_log.explain("ld.so: libfoo missing\n", port=5432, data_dir="/data")
    assert plain.detail == "ld.so: libfoo missing"


def test_a_rehearsal_says_that_it_is_one() -> None:
    text = 'FATAL:  configuration file "x" contains errors'
    error = start_log.explain(text, port=5432, data_dir="/data", failure="the server could not start again")
    assert error.message == "the server could not start again: the server's configuration is wrong"


def test_silence_is_said() -> None:
    assert "wrote nothing" in start_log.explain("", port=5432, data_dir="/data").hint


def test_every_cause_reads_as_an_error_should() -> None:
    for cause in start_log.CAUSES:
        re.compile(cause.pattern)
        assert cause.hint[0].isupper() and cause.hint.endswith(".") and not cause.message.endswith(".")
