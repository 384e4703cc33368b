"""A file in the place of a watchdog device (`watchdog.driver: testing`): it notes what a device would be told, a line each.

Whoever tests plays the kernel: the clock runs from the file's last change, for the last `timeout`, unless the last letter
is the magic one.
"""

import os

from pgctl.agent.watchdog_linux import MAGIC, LinuxDevice


class FileDevice:
    """All verbs raise OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1

    def usable(self) -> str:
        """As a device's."""
        return LinuxDevice(self._path).usable()

    def open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.write(self._file, b"open\n")

    def set_timeout(self, seconds: int) -> int:
        os.write(self._file, f"timeout {seconds}\n".encode())
        return seconds

    def ping(self) -> None:
        os.write(self._file, b"ping\n")

    def close(self) -> bool:
        os.write(self._file, MAGIC)
        self.abandon()
        return True

    def abandon(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
