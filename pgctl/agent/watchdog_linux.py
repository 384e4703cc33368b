"""A Linux watchdog device: the kernel resets the machine when it is not pinged in time. Never decides when to ping.

Opening it starts the clock. Closing it without the magic letter leaves the clock running, which is what is wanted when a
process dies. Source: the kernel's Documentation/watchdog/watchdog-api.rst. The ioctl numbers are those of x86, ARM, RISC-V
and s390; elsewhere the ioctls fail, and the device counts as unusable.
"""

import fcntl
import os
import struct

_GETSUPPORT, _KEEPALIVE, _SETTIMEOUT = 0x80285700, 0x80045705, 0xC0045706
_INFO = struct.Struct("II32s")
_MAGIC_CLOSE = 0x0100
MAGIC = b"V"


class LinuxDevice:
    """All verbs raise OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1

    def usable(self) -> str:
        """Why it cannot be opened; empty when it can, as far as is known without starting the clock."""
        if not os.path.exists(self._path):
            return f"{self._path} does not exist"
        return "" if os.access(self._path, os.W_OK) else f"{self._path} may not be written by this user"

    def open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)

    def set_timeout(self, seconds: int) -> int:
        """The time-out that the device took, which may be another, in seconds. It counts from now."""
        told = fcntl.ioctl(self._file, _SETTIMEOUT, struct.pack("i", seconds))
        fcntl.ioctl(self._file, _KEEPALIVE, struct.pack("i", 0))
        return int(struct.unpack("i", told)[0])

    def ping(self) -> None:
        fcntl.ioctl(self._file, _KEEPALIVE, struct.pack("i", 0))

    def close(self) -> bool:
        """Stops the clock; False: this device cannot be stopped, and was pinged once more."""
        options = _INFO.unpack(fcntl.ioctl(self._file, _GETSUPPORT, bytes(_INFO.size)))[0]
        os.write(self._file, MAGIC)
        self.abandon()
        return bool(options & _MAGIC_CLOSE)

    def abandon(self) -> None:
        """Lets go of it with its clock running."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
