"""The command line's URL of a store → a store section. Pure.

`[scheme://][user:password@][host[,host...]][:port][/namespace]`, `sqlite:///path`, and
`kubernetes://[namespace][?labels=name=value,...]`. Without a scheme the port tells, and etcd3 is meant when it does
not: etcd 3.6 no longer offers the old API. Source: cli.md 1.8 to 1.12.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from pgctl.config.ctl_sections import StoreSection
from pgctl.errors import ConfigError
from pgctl.model import addresses

PORTS = {"etcd3": 2379, "etcd": 2379, "consul": 8500, "zookeeper": 2181, "exhibitor": 8181}
_GUESSES = {2181: "zookeeper", 8181: "exhibitor", 8500: "consul", 2379: "etcd3"}
_PLACES = frozenset({
    "host", "hosts", "port", "url", "proxy", "use_proxies", "srv", "srv_suffix", "discovery_srv", "srv_domain",
})
_FAMILY = {"etcd": ("etcd", "etcd3"), "etcd3": ("etcd3", "etcd")}


def section(url: str, document: Mapping[str, object]) -> StoreSection:
    """The store at `url`; TLS files and credentials come from the section of its kind in `document`.

    Raises ConfigError. The namespace is the URL's, else the document's.
    """
    scheme, separator, rest = url.partition("://")
    kind = scheme.lower() if separator else ""
    scope = str(document.get("scope") or "")
    namespace = str(document.get("namespace") or "service")
    if kind == "sqlite":
        return StoreSection("sqlite", {"path": _sqlite_path(rest, url)}, namespace, scope)
    try:
        parts = urlsplit(f"//{rest if separator else url}")
        user, password = parts.username, parts.password
    except ValueError as error:
        raise _wrong(url) from error
    if kind == "kubernetes":
        return StoreSection(kind, _kubernetes(parts.netloc, parts.query, document), namespace, scope)
    hosts = _hosts(parts.netloc.rpartition("@")[2], url)
    kind = kind or next((_GUESSES[port] for _, port in hosts if port in _GUESSES), "etcd3")
    if kind not in PORTS:
        known = ", ".join((*PORTS, "sqlite", "kubernetes"))
        raise ConfigError(f'"{kind}" is no kind of store', hint=f"Use one of {known}.")
    options = _kept(kind, document) | _addresses(kind, [(host, port or PORTS[kind]) for host, port in hosts])
    if user:
        options |= {"username": unquote(user), "password": unquote(password or "")}
    path = parts.path.strip("/")
    return StoreSection(kind, options, path or namespace, scope)


def _wrong(url: str) -> ConfigError:
    shown = url.rpartition("@")[2]
    return ConfigError(f'"{shown}" is not the address of a store', hint="Write it like etcd3://host:2379/namespace.")


def _sqlite_path(rest: str, url: str) -> str:
    path = unquote(rest.partition("?")[0])
    if not path.startswith("/") or path == "/":
        raise ConfigError(f'"{url}" names no file', hint="Write it like sqlite:///absolute/path.db.")
    return path


def _hosts(netloc: str, url: str) -> list[tuple[str, int | None]]:
    """(host, port or None) of a comma list; `:2379` alone means localhost."""
    found: list[tuple[str, int | None]] = []
    for item in netloc.split(","):
        text = f"localhost{item}" if not item or item.startswith(":") and item.count(":") == 1 else item
        pair, bare = addresses.split(text, 1), addresses.split(text, 2)
        if pair is None or bare is None:
            raise _wrong(url)
        found.append((pair[0], pair[1] if pair == bare else None))
    return found


def _kept(kind: str, document: Mapping[str, object]) -> dict[str, object]:
    """The options of the document's section of this kind but those that say where the store is."""
    for name in _FAMILY.get(kind, (kind,)):
        options = document.get(name)
        if isinstance(options, Mapping):
            kept = {key: value for key, value in options.items() if key not in _PLACES}
            return _said_in_urls(kind, options) | kept
    return {}


def _said_in_urls(kind: str, options: Mapping[str, object]) -> dict[str, object]:
    """What the section's own addresses say beside the place: TLS, user and password."""
    found: dict[str, object] = {}
    written = [options.get(name) for name in ("url", "proxy", "hosts", "host")]
    for text in (str(place) for value in written for place in (value if isinstance(value, list) else [value])):
        scheme, separator, rest = text.partition("://")
        if separator and scheme == "https":
            found["scheme" if kind == "consul" else "protocol"] = "https"
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if at and kind.startswith("etcd"):
            name, _, password = user.partition(":")
            found |= {"username": unquote(name), "password": unquote(password)}
    return found


def _addresses(kind: str, hosts: list[tuple[str, int]]) -> dict[str, object]:
    if kind == "exhibitor":
        return {"hosts": [host for host, _ in hosts], "port": hosts[0][1]}
    texts = [addresses.join(host, port) for host, port in hosts]
    several = kind == "zookeeper" or kind.startswith("etcd") and len(texts) > 1
    return {"hosts": texts} if several else {"host": texts[0]}


def _kubernetes(netloc: str, query: str, document: Mapping[str, object]) -> dict[str, object]:
    written = document.get("kubernetes")
    options = dict(written) if isinstance(written, Mapping) else {}
    if netloc:
        options["namespace"] = netloc
    for name, values in parse_qs(query).items():
        pairs = (item.partition("=") for item in values[-1].split(","))
        options[name] = {key: value for key, _, value in pairs} if name == "labels" else values[-1]
    return options
