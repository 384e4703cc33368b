"""Questions: yes, no, or cannot ask. Never waits for an answer that cannot come.

On a terminal it waits as long as the person needs. Otherwise an answer counts that is there already (`yes | pgctl ...`).
"""

import io
import select
import sys

from pgctl.cli import output
from pgctl.errors import PgctlError, UsageError

_AT_HAND = 0.2
"""Seconds for a pipe's writer to have written."""


class Declined(PgctlError):
    """The person said no."""


def confirm(question: str, hint: str = "Use --force to go ahead without being asked.") -> None:
    """Returns on yes. Raises Declined on no, UsageError when nobody can be asked."""
    if text(f"{question} [y/N]: ", hint).strip().lower() not in ("y", "yes"):
        raise Declined("not done, as you wish")


def text(prompt: str, hint: str) -> str:
    """A line as typed, without its end. Raises UsageError when nobody can be asked."""
    output.write(sys.stderr, prompt)
    if not _at_hand():
        output.write(sys.stderr, "\n")
        raise UsageError("nobody can be asked: stdin is not a terminal", hint=hint)
    line = sys.stdin.readline()
    if not line:
        output.write(sys.stderr, "\n")
        raise UsageError("nobody can be asked: stdin is at its end", hint=hint)
    return line.rstrip("\n")


def _at_hand() -> bool:
    if sys.stdin is None or sys.stdin.closed:
        return False
    try:
        return sys.stdin.isatty() or bool(select.select([sys.stdin.fileno()], [], [], _AT_HAND)[0])
    except (OSError, ValueError, io.UnsupportedOperation):
        return True  # a stream in memory: reading it cannot block
