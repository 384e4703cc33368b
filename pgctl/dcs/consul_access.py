"""The section `consul`: where the agent is, how to get in, and what to register there. Pure. Source: config.md 5."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pgctl.config.ctl_sections import StoreSection
from pgctl.errors import ConfigError
from pgctl.net import Tls
from pgctl.units import parse_bool

_PORT = 8500


@dataclass(frozen=True, slots=True)
class Service:
    """What a member shall be in Consul's catalogue. `interval` as Consul spells it."""

    scope: str
    member: str
    tags: tuple[str, ...] = ()
    interval: str = "5s"
    tls_server_name: str = ""
    registered: bool | None = None
    """False: what an earlier configuration registered is taken away; None: nothing is said, nothing is done."""


@dataclass(frozen=True, slots=True)
class Access:
    """`checks` are names of health checks on which the session shall hang too; `consistency` is that of watches."""

    url: str
    token: str = field(default="", repr=False)
    dc: str = ""
    consistency: str = "default"
    tls: Tls | None = None
    checks: tuple[str, ...] = ()


def access(options: Mapping[str, object]) -> Access:
    """Raises ConfigError."""
    place = str(options.get("url") or options.get("host") or "127.0.0.1")
    scheme = str(options.get("scheme") or "http")
    try:
        parts = urlsplit(place if "://" in place else f"{scheme}://{place}")
        port = parts.port or int(str(options.get("port") or _PORT))
        host = parts.hostname or ""
    except ValueError as error:
        raise ConfigError(f"consul: {error}", hint="Write the agent's address as consul: {host: a:8500}.") from error
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError("consul.host names no agent", hint="Write its address as consul: {host: a:8500}.")
    consistency = str(options.get("consistency") or "default").lower()
    if consistency not in ("default", "consistent", "stale"):
        raise ConfigError(f'consul.consistency must be default, consistent or stale, not "{consistency}"')
    cacert, cert, key = (str(options.get(name) or "") for name in ("cacert", "cert", "key"))
    verify = parse_bool(options.get("verify", True)) is not False
    return Access(
        f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}",
        str(options.get("token") or ""),
        str(options.get("dc") or ""),
        consistency,
        Tls(cacert, cert, key, verify=verify) if parts.scheme == "https" else None,
        _texts(options.get("checks")),
    )


def service(section: StoreSection) -> Service:
    options = section.options
    return Service(
        section.scope,
        section.member,
        _texts(options.get("service_tags")),
        str(options.get("service_check_interval") or "5s"),
        str(options.get("service_check_tls_server_name") or ""),
        parse_bool(options.get("register_service")) if section.member else None,
    )


def _texts(value: object) -> tuple[str, ...]:
    found = value if isinstance(value, (list, tuple)) else str(value or "").split(",")
    return tuple(text for text in (str(each).strip() for each in found) if text)
