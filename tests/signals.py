"""Signals to processes that a test started.

A process that was told to stop runs on for a moment, on a busy host long enough to answer a request. What a test calls
frozen has to be frozen, so whoever sends SIGSTOP waits here until the last thread stands.
"""

import os
import signal
import subprocess
import time

STANDS = 10.0
"""Seconds until a process must have stopped; the kernel needs one turn of each of its threads."""


def send(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """`number` to a child of ours; returns once it has stopped, when that was asked. One that has ended gets nothing."""
    process.send_signal(number)
    if number is signal.SIGSTOP and process.returncode is None:
        _wait_stopped(process.pid)


def _wait_stopped(pid: int) -> None:
    """The parent hears of it when all threads stand: waitpid(2), WUNTRACED. What is heard here others can hear still."""
    began = time.monotonic()
    while os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        assert time.monotonic() - began < STANDS, f"process {pid} has not stopped within {STANDS} s"
        time.sleep(0.001)
