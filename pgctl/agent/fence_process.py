"""The fence: a small process that outlives its agent and stops the server before the lease runs out.

LAW. At the deadline of the lease no process of the server can commit any more, whatever has become of the agent.

Theory. A lease lets others lead once it has ended, so a holder must have stopped writing by then, by its own clock.
The agent cannot promise that: it may be stuck in a call, frozen, or dead. So the promise is kept by a process that
does next to nothing and so has next to nothing to get stuck in: no thread, no network, no allocation that grows, no
disk write that it waits for. It is told two things through a record in a file: whether it is armed, and until when.
The agent writes the record whenever the lease was extended; the fence reads it again before it acts and at least once
a second.

    deadline - margin      the server is asked to stop: SIGINT, "fast": it rolls back, writes a checkpoint.
    deadline - margin / 3  whoever is left is killed: SIGQUIT to the postmaster, then SIGKILL to the whole tree.
    deadline               an agent that did not tick since deadline - margin is killed too: it is frozen or stuck, and
                           must not wake up believing that it leads. An agent that ticks knows that its lease is over.

* The clock is CLOCK_BOOTTIME: it counts a suspended machine's sleep. poll() does not, hence the look once a second:
  after a resume the fence acts within a second. (Against a frozen machine there is only the kernel's watchdog: an agent
  that dies leaves it running, and its mark in the run directory; once the server is gone the fence closes it.)
* The whole tree is killed, since a backend outlives a killed postmaster for as long as its statement runs, and could
  commit. The postmaster is frozen first (SIGSTOP), so that it forks nobody while its children are listed. Orphans of
  a postmaster that died before are found by their working directory, which is the data directory for all of them, and
  by their program.
* A pid says nothing: it is recycled. A postmaster is one whose working directory is the data directory; the agent is
  the one whose start time is in the record. Signals go through a pidfd that was opened before the identity was
  checked.
* The record is one pwrite of fixed size into a file whose block exists: a full disk cannot stop it. A record torn or
  of another boot fails its checksum or boot id; the fence then goes on with the last good one.
* Not armed, it leaves the server alone: a standby, or a paused cluster. It ends when it is not armed and its agent is
  gone, when it has nothing left to kill and its agent is gone, or when another fence took the lock's place.
* SIGINT, SIGHUP and SIGTERM are ignored: a closed terminal or a stopped service unit must not lift the fence.

Runs by path, as the user of the server: `python -I -S fence_process.py RUN_DIR DATA_DIR`. Imports nothing of ours but
`fence_record` and `fence_aim`, which import nothing of ours, and little of anyone's, for it is to take few megabytes (so
it knows signals by number and has no dataclasses).
"""

import _signal  # type: ignore[import-not-found]  # the signal module costs a megabyte for its enums
import fcntl
import os
import select
import sys

if __name__ == "__main__":  # run by its path: our packages are found last, so that they hide nothing of the library's
    sys.path.append(__file__.rpartition("/pgctl/")[0])

from pgctl.agent.fence_aim import SIGINT, SIGKILL, SIGQUIT, SIGSTOP, family, link, postmaster, say, send, started, wait_gone
from pgctl.agent.fence_record import (
    LOCK,
    RECORD,
    SECOND,
    WATCHDOG,
    Record,
    boot_id,
    now_ns,
    read_record,
    write_mark,
)

LONGEST_LOOK = SECOND
NOTHING, ASK, KILL, END = range(4)


# --- deciding ---------------------------------------------------------------------------------------------------------


def due(record: Record, now: int) -> int:
    """Which step the record asks for: NOTHING, ASK, KILL or END."""
    if not record.armed or now < record.deadline - record.margin:
        return NOTHING
    if now < record.deadline - record.margin // 3:
        return ASK
    return KILL if now < record.deadline else END


def look_in(record: Record, now: int) -> int:
    """Nanoseconds until the next step may be due; a second at most."""
    steps = (record.deadline - record.margin, record.deadline - record.margin // 3, record.deadline)
    ahead = [step - now for step in steps if step > now] if record.armed else []
    return min([LONGEST_LOOK, *ahead])


def frozen(record: Record) -> bool:
    """Whether the agent's last tick is older than the moment at which the fence began to act."""
    return record.alive < record.deadline - record.margin


# --- acting -----------------------------------------------------------------------------------------------------------


class Fence:
    """What has been done for the present deadline, so that each act is done and told once."""

    def __init__(self, data_dir: str) -> None:
        self.data_dir = data_dir
        self.program = ""
        self.deadline = 0
        self.stage = NOTHING
        self.clean = False

    def act(self, record: Record, now: int) -> None:
        """Does what is due. Nothing here waits longer than a sixth of the margin."""
        server = postmaster(self.data_dir)
        if server:
            self.program = link(server, "exe") or self.program
        if record.deadline != self.deadline or not record.armed:
            self.deadline, self.stage, self.clean = record.deadline, NOTHING, False
        stage = due(record, now)
        if stage == ASK and self.stage < ASK and server:
            say(f"the lease ends in {(record.deadline - now) / SECOND:.1f} s and was not renewed: stopping PostgreSQL "
                f"(fast), process {server}")
            send(server, SIGINT)
        if stage >= KILL and (server or not self.clean):
            self.kill(server, record, now)
        if stage == END and self.stage < END:
            self.end_agent(record)
        self.stage = max(self.stage, stage)

    def kill(self, server: int, record: Record, now: int) -> None:
        """Kills the whole tree; before the deadline the postmaster has a moment to do it in its own way."""
        grace = min(record.deadline - now, record.margin) // 6
        if server and grace > 0 and self.stage < KILL:
            say(f"the lease ends in {(record.deadline - now) / SECOND:.1f} s and PostgreSQL still runs: stopping it "
                f"(immediate), process {server}")
            send(server, SIGQUIT)
            wait_gone(server, grace)
        if server and started(server):
            send(server, SIGSTOP)
        killed = 0
        for _ in range(10):
            others = family(self.data_dir, server, self.program)
            if not others:
                break
            killed += sum(send(pid, SIGKILL) for pid in others)
            wait_gone(others[-1], SECOND // 20)
        if server and started(server):
            killed += send(server, SIGKILL)
            wait_gone(server, SECOND // 20)
        left = postmaster(self.data_dir) or family(self.data_dir, server, self.program)
        self.clean = not left
        if killed:
            say(f"killed PostgreSQL: {killed} processes of {self.data_dir}, before another member may lead")

    def end_agent(self, record: Record) -> None:
        if frozen(record) and record.agent_pid and started(record.agent_pid) == record.agent_started:
            say(f"the lease is over and the agent shows no life: killing it, process {record.agent_pid}")
            send(record.agent_pid, SIGKILL, record.agent_started)


def idle(record: Record, now: int, data_dir: str, program: str) -> bool:
    """Whether the agent is gone and nothing of the server can write: it was let go of, or is stopped."""
    if agent_lives(record):
        return False
    return not record.armed or (due(record, now) > NOTHING and not postmaster(data_dir) and not family(data_dir, 0, program))


def agent_lives(record: Record) -> bool:
    return bool(record.agent_pid) and started(record.agent_pid) == record.agent_started


def close_watchdog(run_dir: str) -> None:
    """In a dead agent's place: what it guarded is stopped, so the kernel need not reset the machine."""
    mark = f"{run_dir}/{WATCHDOG}"
    try:
        with open(mark, "rb") as file:
            device = file.read().decode().strip()
        handle = os.open(device, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.write(handle, b"V")
        os.close(handle)
        os.unlink(mark)
        say(f"closed the watchdog {device} of an agent that is gone")
    except OSError as error:
        say(f"could not close the watchdog: {error.strerror}")


def over(record: Record, now: int, fence: Fence) -> bool:
    """Whether nothing is left to guard: the agent is gone and so is the server, or nobody is to be fenced."""
    if agent_lives(record):
        return False
    return not record.armed or (due(record, now) == END and fence.clean)


def replaced(run_dir: str, lock: int) -> bool:
    """Whether another lock file stands in the place of ours."""
    try:
        return os.stat(f"{run_dir}/{LOCK}").st_ino != os.fstat(lock).st_ino
    except OSError:
        return False


def rest(record: Record, longest: int) -> None:
    """Waits for the next look, or for the agent's end."""
    waiter = select.poll()
    handle = -1
    try:
        if started(record.agent_pid) == record.agent_started != 0:
            handle = os.pidfd_open(record.agent_pid)
            waiter.register(handle, select.POLLIN)
    except OSError:
        pass
    waiter.poll(longest / 10**6)
    if handle >= 0:
        os.close(handle)


def guard(run_dir: str, data_dir: str, lock: int, file: int) -> None:
    """Looks, acts and waits until nothing is left to guard."""
    boot = boot_id()
    record = read_record(file, boot) or Record()
    fence = Fence(data_dir)
    while not replaced(run_dir, lock):
        record = read_record(file, boot) or record
        now = now_ns()
        write_mark(file, now, data_dir)
        fence.act(record, now)
        latest = read_record(file, boot) or record
        if os.path.exists(f"{run_dir}/{WATCHDOG}") and idle(latest, now_ns(), data_dir, fence.program):
            close_watchdog(run_dir)
        if over(latest, now_ns(), fence):
            return
        rest(latest, look_in(latest, now_ns()))


def main(arguments: list[str]) -> int:
    """Takes the lock, says on standard output that it stands, and guards. 3: another fence is here already."""
    run_dir, data_dir = arguments
    os.chdir("/")
    for number in (1, SIGINT, 15):
        _signal.signal(number, _signal.SIG_IGN)
    lock = os.open(f"{run_dir}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 3
    file = os.open(f"{run_dir}/{RECORD}", os.O_RDWR | os.O_CLOEXEC)
    write_mark(file, now_ns(), data_dir)
    os.write(1, b".")
    os.close(1)
    guard(run_dir, data_dir, lock, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
