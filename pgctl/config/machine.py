"""This host, as `check` asks about it: ports, programs, directories. Looks only; changes nothing."""

import os
import shutil
import socket


class ThisMachine:
    """The answers of `check.Machine` for the host this runs on."""

    def port_free(self, host: str, port: int) -> bool:
        """Whether one could listen there now. An address that cannot be resolved cannot be listened on."""
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            with socket.socket(family, kind, protocol) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
        except OSError:
            return False
        return True

    def program(self, name: str, directory: str) -> str | None:
        """Its path, in `directory` or else in the search path."""
        return shutil.which(name, path=directory or None)

    def entries(self, path: str) -> frozenset[str] | None:
        """Names in a directory; None when there is none. One that may not be read counts as empty."""
        try:
            return frozenset(os.listdir(path))
        except PermissionError:
            return frozenset()
        except OSError:
            return None

    def readable(self, path: str) -> bool:
        return os.access(path, os.R_OK)
