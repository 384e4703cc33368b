"""The sections `etcd` and `etcd3`, which have the same options: where etcd is, and how to get in. Pure.

Source: config.md 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pgctl.errors import ConfigError
from pgctl.net import Tls

_PORT = 2379


@dataclass(frozen=True, slots=True)
class Access:
    """Where etcd is and how to get in. `learn`: ask it for its other members; not when `urls` are proxies."""

    urls: tuple[str, ...]
    learn: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls | None = None


def access(section: str, options: Mapping[str, object]) -> Access:
    """The section of that name as configured (config.md 5). Raises ConfigError."""
    if options.get("srv"):
        raise ConfigError(f"{section}.srv is not supported by this version",
                          hint=f"List the endpoints in {section}.hosts.")
    written = next((options[name] for name in ("proxy", "hosts", "host", "url") if options.get(name)), None)
    places = written if isinstance(written, (list, tuple)) else str(written or "").split(",")
    scheme = str(options.get("protocol") or "http")
    parts = [urlsplit(place if "://" in place else f"{scheme}://{place}") for place in
             (str(place).strip() for place in places) if place]
    try:
        urls = tuple(f"{part.scheme}://{_host(part.hostname)}:{part.port or _PORT}" for part in parts)
    except ValueError as error:
        raise ConfigError(f"{section}: {error}", hint="Write endpoints as host:port or http://host:port.") from error
    if not urls:
        raise ConfigError(f"{section}.hosts is missing",
                          hint=f"List etcd's client addresses: {section}: {{hosts: [a:2379]}}.")
    single = len(urls) == 1 and not options.get("proxy") and not options.get("use_proxies")
    cacert, cert, key = (str(options.get(name) or "") for name in ("cacert", "cert", "key"))
    return Access(
        urls,
        single,
        str(options.get("username") or unquote(parts[0].username or "")),
        str(options.get("password") or unquote(parts[0].password or "")),
        Tls(cacert, cert, key) if any(url.startswith("https:") for url in urls) else None,
    )


def _host(name: str | None) -> str:
    if not name:
        raise ValueError("an endpoint has no host")
    return f"[{name}]" if ":" in name else name
