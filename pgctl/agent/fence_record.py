"""What the agent and the fence say to each other: one file, the agent's record at its start, the fence's mark behind it.

Law. Each side writes its own part with one pwrite of fixed size into a block that exists, so a full disk cannot stop it.
A part that is torn, blank or of another boot fails its checksum or its boot id, and says nothing.

The fence's process is built on this room, so it imports nothing of ours and little of anyone's. Theory: `fence_process`.
"""

import binascii
import os
import struct
import time

RECORD, LOCK, WATCHDOG = "fence", "fence.lock", "watchdog"
MARK_AT, SIZE = 512, 1024
SECOND = 10**9

_MAGIC = b"pgfence1"
_RECORD = struct.Struct("<8s16sQBqqqqQI")
_MARK = struct.Struct("<8sqQII")


class Record:
    """What the agent says. Instants and durations in nanoseconds of CLOCK_BOOTTIME; `agent_started` in kernel ticks."""

    __slots__ = ("agent_pid", "agent_started", "alive", "armed", "deadline", "margin", "sequence")

    def __init__(self, sequence: int = 0, armed: bool = False, deadline: int = 0, margin: int = 0, alive: int = 0,
                 agent_pid: int = 0, agent_started: int = 0) -> None:
        self.sequence, self.armed, self.deadline, self.margin = sequence, armed, deadline, margin
        self.alive, self.agent_pid, self.agent_started = alive, agent_pid, agent_started

    def pack(self, boot: bytes) -> bytes:
        body = _RECORD.pack(_MAGIC, boot, self.sequence, self.armed, self.deadline, self.margin, self.alive,
                            self.agent_pid, self.agent_started, 0)[:-4]
        return body + struct.pack("<I", binascii.crc32(body))


def read_record(file: int, boot: bytes) -> Record | None:
    """The record in an open file; None when it is torn, blank, or of another boot."""
    data = os.pread(file, _RECORD.size, 0)
    if len(data) < _RECORD.size or data[:8] != _MAGIC or data[8:24] != boot:
        return None
    if struct.unpack("<I", data[-4:])[0] != binascii.crc32(data[:-4]):
        return None
    _, _, sequence, armed, deadline, margin, alive, pid, started, _ = _RECORD.unpack(data)
    return Record(sequence, bool(armed), deadline, margin, alive, pid, started)


def write_mark(file: int, now: int, data_dir: str) -> None:
    """The fence's own sign of life, beside the record."""
    body = _MARK.pack(_MAGIC, now, os.getpid(), checksum(data_dir), 0)[:-4]
    os.pwrite(file, body + struct.pack("<I", binascii.crc32(body)), MARK_AT)


def read_mark(file: int) -> tuple[int, int, int]:
    """(instant, pid, checksum of the data directory's name) of the fence's last sign of life; zeros without one."""
    data = os.pread(file, _MARK.size, MARK_AT)
    if len(data) < _MARK.size or struct.unpack("<I", data[-4:])[0] != binascii.crc32(data[:-4]):
        return 0, 0, 0
    _, instant, pid, directory, _ = _MARK.unpack(data)
    return instant, pid, directory


def boot_id() -> bytes:
    """16 bytes that differ after each boot; zeros where the kernel does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return bytes.fromhex(file.read().decode().strip().replace("-", ""))[:16]
    except (OSError, ValueError):
        return bytes(16)


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def checksum(data_dir: str) -> int:
    """Stands for the data directory in the mark."""
    return binascii.crc32(data_dir.encode())
