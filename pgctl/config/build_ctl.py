"""A document → the typed sections that the command line needs. Pure, as `build`, which builds the agent's on top."""

from collections.abc import Mapping
from typing import Any

from pgctl.config import table
from pgctl.config.ctl_sections import CtlConfiguration, CtlSection, StoreSection
from pgctl.config.reader import Reader
from pgctl.model import addresses


def configuration(reader: Reader, *, source: str) -> CtlConfiguration:
    """What the command line needs; a store that is absent is None, one that cannot be used is a fault."""
    named = any(isinstance(reader.raw(kind), Mapping) for kind in table.STORES)
    return CtlConfiguration(reader.text("scope"), store(reader) if named else None, ctl(reader), source, _api_url(reader))


def store(reader: Reader) -> StoreSection:
    """The first of the stores that are configured; none at all is a fault."""
    kinds = [kind for kind in table.STORES if isinstance(reader.raw(kind), Mapping)]
    if len(kinds) > 1 and "raft" in kinds:
        kinds.remove("raft")
    options: Mapping[str, Any] = reader.raw(kinds[0]) if kinds else {}
    kind = kinds[0] if kinds else ""
    if not kinds:
        reader.fault("etcd3", "is missing: no store is configured", f"Add one section of {', '.join(table.STORES)}.")
    if kind == "raft":
        reader.fault("raft", "is not supported", "Move the cluster to another store, such as etcd3, first.")
    if len(kinds) > 1:
        reader.fault(kinds[1], f"has no effect, for {kind} is configured too", error=False)
    if kind == "zookeeper" and isinstance(options.get("exhibitor"), Mapping):
        kind, options = "exhibitor", options["exhibitor"]
    if kind == "sqlite":
        reader.needed("sqlite.path")
    if kind == "kubernetes" and not isinstance(options.get("labels"), Mapping):
        reader.fault("kubernetes.labels", "is missing")
    namespace = reader.text("namespace", "service")
    return StoreSection(kind, dict(options), namespace, reader.text("scope"), reader.text("name"))


def ctl(reader: Reader) -> CtlSection:
    """How to call members; what is not said of it is taken from `restapi`."""
    own = reader.pair("ctl.authentication")
    username, password = own if any(own) else reader.pair("restapi.authentication")
    return CtlSection(
        username=username,
        password=password,
        insecure=reader.flag("ctl.insecure"),
        cacert=reader.text("ctl.cacert") or reader.text("restapi.cafile"),
        certfile=reader.text("ctl.certfile"),
        keyfile=reader.text("ctl.keyfile"),
        keyfile_password=reader.text("ctl.keyfile_password"),
    )


def _api_url(reader: Reader) -> str:
    """Where this host's agent answers; empty when the document names no single address."""
    address = addresses.split(reader.text("restapi.connect_address") or reader.text("restapi.listen"), 8008)
    if address is None or address[0] in ("*", "0.0.0.0", "::"):
        return ""
    return f"{'https' if reader.text('restapi.certfile') else 'http'}://{addresses.join(*address)}/patroni"
