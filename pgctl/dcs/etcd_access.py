"""The sections `etcd` and `etcd3`, which have the same options: where etcd is, and how to get in. Pure.

Source: config.md 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pgctl.errors import ConfigError
from pgctl.net import Tls
from pgctl.units import Seconds

LEARN_EVERY = Seconds(300.0)
"""For how long a list of etcd's members is good: ten times the usual TTL (dcs.md 6.1)."""
_PORT = 2379


@dataclass(frozen=True, slots=True)
class Access:
    """Where etcd is and how to get in. `learn`: ask it for its other members; not when `urls` are proxies.

    No `urls`: DNS tells where it is.
    """

    urls: tuple[str, ...]
    learn: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls | None = None


def access(section: str, options: Mapping[str, object]) -> Access:
    """The section of that name as configured (config.md 5). Raises ConfigError."""
    written = next((options[name] for name in _by_preference(options) if options.get(name)), None)
    places = written if isinstance(written, (list, tuple)) else str(written or "").split(",")
    scheme = str(options.get("protocol") or "http")
    parts = [urlsplit(place if "://" in place else f"{scheme}://{place}") for place in
             (str(place).strip() for place in places) if place]
    try:
        urls = tuple(f"{part.scheme}://{_host(part.hostname)}:{part.port or _PORT}" for part in parts)
    except ValueError as error:
        raise ConfigError(f"{section}: {error}", hint="Write endpoints as host:port or http://host:port.") from error
    by_dns = not urls and srv(options)[0] != ""
    if not urls and not by_dns:
        raise ConfigError(f"{section}.hosts is missing",
                          hint=f"List etcd's client addresses: {section}: {{hosts: [a:2379]}}.")
    single = len(urls) == 1 and not options.get("proxy") and not options.get("use_proxies")
    cacert, cert, key = (str(options.get(name) or "") for name in ("cacert", "cert", "key"))
    return Access(
        urls,
        single,
        str(options.get("username") or unquote(parts[0].username or "" if parts else "")),
        str(options.get("password") or unquote(parts[0].password or "" if parts else "")),
        Tls(cacert, cert, key) if by_dns or any(url.startswith("https:") for url in urls) else None,
    )


def srv(options: Mapping[str, object]) -> tuple[str, str]:
    """(domain, suffix of the service) under which DNS tells where etcd is; no domain: it is not asked."""
    domain = next((options[name] for name in ("srv", "discovery_srv", "srv_domain") if options.get(name)), "")
    return ("", "") if options.get("proxy") else (str(domain), str(options.get("srv_suffix") or ""))


def _by_preference(options: Mapping[str, object]) -> tuple[str, ...]:
    """Names of options that say where etcd is, the one that counts first; none when DNS does."""
    return () if srv(options)[0] else ("proxy", "hosts", "host", "url")


def _host(name: str | None) -> str:
    if not name:
        raise ValueError("an endpoint has no host")
    return f"[{name}]" if ":" in name else name
