"""One agent a data directory: a claim that the kernel keeps, and drops the moment the agent is gone. Touches no file.

Two agents with different names and run directories pass every other check; each would configure, stop and promote the
server of the other. The claim is a name in the kernel's table of sockets, so there is no lock file to go stale, and none in
a directory that initdb wants empty. Anybody may take such a name: one that another user holds is told and passed over.
Its weakness: hosts, and containers with a network of their own, that share a data directory do not see each other's claims.
Source: unix(7), abstract sockets and SO_PEERCRED.
"""

import errno
import hashlib
import logging
import os
import socket
import struct

from pgctl.errors import ConfigError

log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("3i")


def take(data_dir: str) -> socket.socket:
    """The claim, to be kept open as long as the agent lives. Raises ConfigError when another agent has it."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(data_dir))).hexdigest()
    name = f"\0pgctl-agent/{digest[:32]}"
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        claim.bind(name)
        claim.listen(128)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            log.warning("the data directory cannot be claimed, so a second agent would not be noticed: %s", error.strerror)
            return claim
        claim.close()
        pid, uid = _holder(name)
        if uid not in (os.getuid(), 0):
            log.warning("user %s holds this data directory's claim, and cannot be its agent: passed over", uid)
            return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        raise ConfigError(
            f'another agent looks after the data directory "{data_dir}"',
            detail=f"its process is {pid}" if pid else "",
            hint="End that one, or give this one a data directory of its own in postgresql.data_dir.",
        ) from error
    return claim


def _holder(name: str) -> tuple[int, int]:
    """(process, user) of the agent that has the claim; process 0 and our own user where it cannot be asked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as wire:
        wire.setblocking(False)
        try:
            wire.connect(name)
            pid, uid, _ = _CREDENTIALS.unpack(wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        except OSError:
            return 0, os.getuid()
    return pid, uid
