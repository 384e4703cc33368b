"""The only starter of subprocesses: a deadline, streamed lines, cancellation. Interprets no output.

Children get no terminal, and mostly the C locale, so that what they print can be read by programs. A child that must
end is asked first (SIGTERM), then killed with its whole process group: scripts have children too.
"""

import os
import re
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pgctl.clock import Clock
from pgctl.errors import ServerError
from pgctl.units import Instant, Seconds

_KEPT_LINES = 200
_SLICE = 0.2
"""Seconds between two looks at `cancelled`, for which there is no event."""
_GRACE = 3.0
_LINE_END = re.compile(rb"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind: exit status (negative: the signal), and its last lines, both streams merged."""

    status: int
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def tail(self) -> str:
        """The last five lines as one, for an error's detail."""
        return "; ".join(line.strip() for line in self.lines[-5:] if line.strip())


@dataclass(slots=True)
class _Lines:
    """Bytes in, whole lines out; a carriage return ends a line too, for that is how progress is printed."""

    kept: list[str] = field(default_factory=list)
    rest: bytes = b""

    def feed(self, data: bytes, on_line: Callable[[str], None]) -> None:
        *whole, self.rest = _LINE_END.split(self.rest + data)
        for raw in whole:
            line = raw.decode("utf-8", "replace")
            if line:
                self.kept.append(line)
                on_line(line)
        del self.kept[:-_KEPT_LINES]


def _ignore(line: str) -> None:
    """The default listener."""


def c_locale(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with messages in English."""
    return {**environment, "LC_ALL": "C", "LANG": "C"}


def run(
    command: Sequence[str],
    *,
    clock: Clock,
    environment: Mapping[str, str],
    deadline: Instant | None,
    on_line: Callable[[str], None] = _ignore,
    cancelled: Callable[[], bool] = lambda: False,
    cwd: Path | None = None,
    own_locale: bool = False,
) -> Finished:
    """Runs a program to its end, a line of output at a time to `on_line`.

    `own_locale`: for initdb and the operator's scripts, which are to see the locale of this host.

    Raises ServerError when it cannot be executed, when `deadline` passes, or when `cancelled` says so; the program and
    its children are then gone. `deadline` None: a deed that takes as long as it takes, and can be cancelled.
    """
    name = os.path.basename(command[0])
    child = _spawn(command, dict(environment) if own_locale else c_locale(environment), cwd)
    lines = _Lines()
    assert child.stdout is not None
    try:
        _pump(child, lines, on_line, clock, deadline, cancelled, name)
        status = _wait(child, clock, deadline, cancelled, name)
    finally:
        child.stdout.close()
        _end(child)
    lines.feed(b"\n", on_line)
    return Finished(status, tuple(lines.kept))


def _spawn(command: Sequence[str], environment: Mapping[str, str], cwd: Path | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise cannot_execute(command[0], error) from error


def cannot_execute(program: str, error: OSError) -> ServerError:
    """The error for a program that is not there or may not be executed."""
    return ServerError(
        f'could not execute "{program}"',
        detail=error.strerror or str(error),
        hint="Set postgresql.bin_dir, or the path of the script, to where the program is.",
    )


def _pump(
    child: "subprocess.Popen[bytes]",
    lines: _Lines,
    on_line: Callable[[str], None],
    clock: Clock,
    deadline: Instant | None,
    cancelled: Callable[[], bool],
    name: str,
) -> None:
    """Reads until the stream ends, or the child does: a grandchild may keep the stream open."""
    assert child.stdout is not None
    fd = child.stdout.fileno()
    os.set_blocking(fd, False)
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            _still_wanted(clock, deadline, cancelled, name)
            ended = child.poll() is not None
            if selector.select(0 if ended else _slice(clock, deadline)):
                data = os.read(fd, 65536)
                if not data:
                    return
                lines.feed(data, on_line)
            elif ended:
                return


def _wait(
    child: "subprocess.Popen[bytes]",
    clock: Clock,
    deadline: Instant | None,
    cancelled: Callable[[], bool],
    name: str,
) -> int:
    """The exit status of a child that closed its output."""
    while True:
        try:
            return child.wait(_slice(clock, deadline))
        except subprocess.TimeoutExpired:
            _still_wanted(clock, deadline, cancelled, name)


def _slice(clock: Clock, deadline: Instant | None) -> float:
    return _SLICE if deadline is None else max(0.0, min(_SLICE, deadline - clock.now()))


def _still_wanted(clock: Clock, deadline: Instant | None, cancelled: Callable[[], bool], name: str) -> None:
    if cancelled():
        raise ServerError(f"{name} was cancelled")
    if deadline is not None and clock.now() >= deadline:
        raise ServerError(f"{name} did not end in time", hint="Look at the load of this host and of its disks.")


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Nothing of the child's group is left: asked first, then killed."""
    if child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        try:
            child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            _signal_group(child.pid, signal.SIGKILL)
            child.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


class Beside:
    """A program that runs beside us; its output goes where ours goes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts it. Raises ServerError."""
        self.command = tuple(command)
        try:
            self._child = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, env=dict(environment), start_new_session=True
            )
        except OSError as error:
            raise cannot_execute(command[0], error) from error

    def status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._child.poll()

    def kill(self) -> None:
        """Ends it with its children, at once."""
        if self._child.poll() is None:
            _signal_group(self._child.pid, signal.SIGKILL)
            self._child.wait()


_DETACH = '"$@" </dev/null >>"$0" 2>&1 & echo $!'
"""The shell starts the program, prints its pid and is gone: the program is then nobody's child but init's."""


def detach(command: Sequence[str], output: Path, *, environment: Mapping[str, str], within: Seconds) -> int:
    """Starts a program that outlives us, in a session of its own, its output appended to `output`; returns its pid.

    Raises ServerError.
    """
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", _DETACH, str(output), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            start_new_session=True,
            timeout=within,
        )
    except OSError as error:
        raise cannot_execute("/bin/sh", error) from error
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"could not start {os.path.basename(command[0])} in time") from error
    printed = done.stdout.strip()
    if not printed.isdigit():
        raise ServerError(f"could not start {os.path.basename(command[0])}", detail=f'could not write "{output}"')
    return int(printed)
