"""Process 1 of a container: reaps whoever was left to it, passes signals on, and ends as the agent does.

The kernel gives every orphan to process 1, and an orphan that nobody waits for stays a zombie: a postmaster that died would
look alive. So the agent proper runs as a child, and this process does nothing else. It has no threads and no state, and a
signal that it cannot pass on has nobody left to go to. Source: pid_namespaces(7), waitpid(2).
"""

import os
import signal
from collections.abc import Callable

PASSED_ON = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2})
_HEARD = PASSED_ON | {signal.SIGCHLD}


def needed() -> bool:
    return os.getpid() == 1


def run(agent: Callable[[], int]) -> int:
    """Runs `agent` in a child; the exit code is its own, or 128 and the signal that ended it, as a shell says it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return agent()
    while True:
        heard = signal.sigwait(_HEARD)
        if heard != signal.SIGCHLD:
            os.kill(child, heard)
            continue
        code = _reaped(child)
        if code is not None:
            return code


def _reaped(child: int) -> int | None:
    """Waits for all that have ended; the exit code of `child`, if it is one of them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code
