"""Addresses of members: `postgres://HOST:PORT/DB`, and host:port pairs with IPv6 brackets. Resolves nothing.

Source: dcs.md 3.4.
"""

import re
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"(?:\[([^\[\]\s]+)\]|([^:,\s/?#@\[\]]+))(?::([0-9]{1,5}))?\Z")
_PORT = re.compile(r"[1-9][0-9]{3,4}\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*(%\w+)?\Z")


def split(address: str, port: int) -> tuple[str, int] | None:
    """`host:port`, `[::1]:port`, `host` or a bare IPv6 address as a pair, with `port` where none is given.

    `::1:5432` is an address and a port: four digits or more after an address that is whole without them.
    """
    address = address.strip()
    if _IPV6.match(address):
        host, _, last = address.rpartition(":")
        ported = _PORT.match(last) and _IPV6.match(host) and (host.count(":") == 7 or "::" in host)
        return (host, int(last)) if ported else (address, port)
    found = _ADDRESS.match(address)
    if found is None:
        return None
    number = int(found[3]) if found[3] else port
    return (found[1] or found[2], number) if 0 < number < 65536 else None


def join(host: str, port: int | str) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def host_port(conn_url: str) -> tuple[str, int] | None:
    """Where `conn_url` points, IPv6 without brackets, port 5432 if unsaid; None when it names no single host."""
    try:
        netloc = urlsplit(conn_url).netloc
    except ValueError:
        return None
    return split(netloc.rpartition("@")[2], 5432) if netloc else None


def postgres_url(host: str, port: int, database: str = "postgres") -> str:
    """`postgres://HOST:PORT/DB`, without credentials."""
    return f"postgres://{join(host, port)}/{database}"
