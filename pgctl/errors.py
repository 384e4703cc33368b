"""The error family: one class for each answer to "whose fault is it, and what now?".

Every error has a short factual message (lower case, no full stop), optional `detail` (circumstances) and an optional
`hint` (whole sentences that say what to do next), after PostgreSQL's error style guide. Nothing here formats for a
terminal or logs. A rejected compare-and-set is not an error but a value: see `dcs.store`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a process of ours ends with; the same numbers for every command."""

    DONE = 0  # done, or already so
    FAILED = 1  # refused or failed
    USAGE = 2  # wrong arguments
    UNKNOWN = 3  # the outcome is not known
    DCS_UNREACHABLE = 4  # the coordination store did not answer


class PgctlError(Exception):
    """The root of the family; `exit_code` is what a program that stops because of it ends with."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.detail}" if self.detail else self.message


class ConfigError(PgctlError):
    """The configuration is missing, unreadable or wrong: the operator's to mend."""


class UsageError(PgctlError):
    """The command line is wrong: the caller's to mend."""

    exit_code = ExitCode.USAGE


class StoreUnreachable(PgctlError):
    """The store did not answer, or refused for a reason of its own; a write was certainly not applied."""

    exit_code = ExitCode.DCS_UNREACHABLE


class OutcomeUnknown(PgctlError):
    """A write or an order was sent and no answer came: it may have been applied."""

    exit_code = ExitCode.UNKNOWN


class ServerError(PgctlError):
    """The local PostgreSQL server or one of its programs failed."""


class SourceAway(ServerError):
    """The server to copy or to rewind from does not answer. Nothing was begun: the data is as it was."""


class PeerError(PgctlError):
    """Another member's agent did not answer, or refused."""


class IntentRefused(PgctlError):
    """A switchover, failover or restart cannot be done as asked; `detail` lists every objection."""
