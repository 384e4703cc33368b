"""Listening sockets and TLS contexts of the REST server, as a section of the configuration asks for them.

Opens and reports; accepts nothing. Source: rest.md 1 and 17, config.md 4.
"""

import errno
import os
import socket
import ssl

from pgctl.config.sections import RestSection
from pgctl.errors import ConfigError
from pgctl.model import addresses

_BACKLOG = 128
"""At least so many connections may wait: a load balancer's checks arrive together, and a lost one waits a second."""


def open_sockets(section: RestSection) -> list[socket.socket]:
    """A listening socket for each address of `listen`. Raises ConfigError naming the address and what to do."""
    place = addresses.join(section.listen_host or "*", section.listen_port)
    opened: list[socket.socket] = []
    absent: OSError | None = None
    for family, address in _places(section, place):
        try:
            opened.append(_listen(family, address, backlog(section)))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                absent = error
                continue
            close(opened)
            raise _refused(place, section.listen_port, error) from error
        if family == socket.AF_INET6 and section.listen_host in ("", "*"):
            break  # takes IPv4 as well
    if not opened:
        raise _refused(place, section.listen_port, absent)
    return opened


def backlog(section: RestSection) -> int:
    """How many connections may wait to be accepted."""
    return max(_BACKLOG, section.request_queue_size)


def _places(section: RestSection, place: str) -> list[tuple[int, tuple[str, int]]]:
    """(family, address) to listen on, in order."""
    port = section.listen_port
    if section.listen_host in ("", "*"):
        wide = [(socket.AF_INET6, ("::", port))] if socket.has_dualstack_ipv6() else []
        return [*wide, (socket.AF_INET, ("0.0.0.0", port))]
    try:
        found = socket.getaddrinfo(section.listen_host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {place}", detail=str(error),
                          hint="Set restapi.listen to an address of this host, or to *.") from error
    return list(dict.fromkeys((int(entry[0]), (str(entry[4][0]), port)) for entry in found))


def _listen(family: int, address: tuple[str, int], backlog: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
        opened.bind(address)
        opened.listen(backlog)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def close(opened: list[socket.socket]) -> None:
    for each in opened:
        each.close()


def _refused(place: str, port: int, error: OSError | None) -> ConfigError:
    """The fault in words, with the next step."""
    detail = (error.strerror or str(error)).lower() if error else "no address found"
    hint = "Set restapi.listen to an address of this host, or to *."
    if error is not None and error.errno == errno.EADDRINUSE:
        hint = (f"Another program listens there: find it with `ss -ltnp 'sport = :{port}'`, and stop it or change "
                "restapi.listen.")
    elif error is not None and error.errno in (errno.EACCES, errno.EPERM):
        hint = "Ports below 1024 need a privilege: choose a higher one in restapi.listen."
    return ConfigError(f"cannot listen on {place}", detail=detail, hint=hint)


def tune(accepted: socket.socket) -> None:
    """Notices within seconds when the other side has vanished."""
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 3), ("TCP_KEEPINTVL", 3), ("TCP_USER_TIMEOUT", 10_000), ("TCP_NODELAY", 1)):
        if hasattr(socket, option):
            accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def tls_context(section: RestSection) -> ssl.SSLContext | None:
    """How to speak TLS; None without `certfile`. Raises ConfigError when a file or the ciphers cannot be used."""
    if not section.certfile:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=section.cafile or None)
        context.load_cert_chain(section.certfile, section.keyfile or None, lambda: section.keyfile_password)
        if section.ciphers:
            context.set_ciphers(section.ciphers)
    except (OSError, ValueError) as error:
        files = ", ".join(name for name in (section.certfile, section.keyfile, section.cafile) if name)
        raise ConfigError("cannot set up TLS for the REST API", detail=f"{files}: {error}",
                          hint="Check restapi.certfile, keyfile, keyfile_password, cafile and ciphers.") from error
    context.verify_mode = _VERIFY.get(section.verify_client.lower(), ssl.CERT_NONE)
    return context


_VERIFY = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL}


Mark = tuple[object, ...]


def mark(section: RestSection) -> Mark:
    """Equal for two sections that one listener can serve: address, TLS options, identity of the certificate files."""
    files = []
    for name in (section.certfile, section.keyfile, section.cafile):
        try:
            found = os.stat(name) if name else None
        except OSError:
            found = None
        files.append((found.st_ino, found.st_mtime_ns, found.st_size) if found else None)
    return (section.listen_host, section.listen_port, section.certfile, section.keyfile, section.keyfile_password,
            section.cafile, section.ciphers, section.verify_client, *files)
