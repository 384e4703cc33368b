"""All faults of a configuration at once, each with its place. Pure but for the questions put to `Machine`.

Errors keep the agent from working as told; warnings are keys without effect, above all misspelt ones.
Source: config.md 16.1.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from pgctl.config import build, table, variables
from pgctl.config.reader import Fault, Reader
from pgctl.config.sections import Configuration
from pgctl.model import addresses, merge, postgresql_section, settings
from pgctl.units import parse_bool, parse_bytes, parse_int

_LOCAL_HOSTS = frozenset({"127.0.0.1", "0.0.0.0", "*", "::1", "localhost", ""})
_NEEDED = (
    "restapi.connect_address", "postgresql.listen", "postgresql.connect_address",
    "postgresql.authentication.replication.username", "postgresql.authentication.superuser.username",
)
_FILES = (
    "restapi.certfile", "restapi.keyfile", "restapi.cafile", "ctl.certfile", "ctl.keyfile", "ctl.cacert",
    "postgresql.custom_conf",
)


class Machine(Protocol):
    """What may be asked of this host; nothing is changed by asking."""

    def port_free(self, host: str, port: int) -> bool: ...

    def program(self, name: str, directory: str) -> str | None: ...

    def entries(self, path: str) -> frozenset[str] | None:
        """Names in a directory; None when there is none."""

    def readable(self, path: str) -> bool: ...


def faults(document: Mapping[str, Any], *, environment: Mapping[str, str] | None = None,
           machine: Machine | None = None, listen_ports: bool = True) -> tuple[Fault, ...]:
    """Every fault of `document` with `environment` on top, in the order of the table; errors before warnings.

    Without `machine` nothing is asked of this host. `listen_ports` False: ports may be in use, as by a running member.
    """
    patch, wrong = variables.document(environment or {})
    reader = Reader(merge.merge_patch(document, patch)[0])
    for sentence in wrong:
        reader.fault("environment", sentence)
    configuration = build.configuration(reader, source="", run_base="", home="")
    _needed(reader, configuration.store.kind)
    _shapes(reader)
    _unknown(reader, reader.document, "")
    _without_effect(reader)
    if machine is not None:
        _on_machine(reader, configuration, machine, listen_ports)
    found = list(dict.fromkeys(reader.faults))
    return (*(fault for fault in found if fault.error), *(fault for fault in found if not fault.error))


def redacted(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with every secret replaced by `***`, for showing."""
    return {
        key: redacted(value) if isinstance(value, Mapping)
        else "***" if value and str(key).endswith(("password", "token", "PASSWORD")) else value
        for key, value in document.items()
    }


def _needed(reader: Reader, kind: str) -> None:
    """What peers and tools need; addresses of this host alone are fine only where the store is of one host too."""
    for place in _NEEDED:
        reader.needed(place)
    for place, port in (("restapi.connect_address", 8008), ("postgresql.connect_address", 5432)):
        pair = addresses.split(reader.text(place), port)
        if pair and pair[0] in _LOCAL_HOSTS and kind != "sqlite":
            reader.fault(place, f'must not be "{pair[0]}"', "Name an address where other members reach this host.")


def _shapes(reader: Reader) -> None:
    for key in table.TABLE:
        value = reader.raw(key.place)
        known = {fault.place for fault in reader.faults}
        if value is None or key.place in known or key.place.startswith("postgresql.") and key.place.count(".") == 1:
            continue
        if not _fits(value, key.shape):
            reader.fault(key.place, f"must be a {key.shape}")


def _fits(value: Any, shape: str) -> bool:
    if shape in ("text", "secret"):
        return not isinstance(value, (Mapping, list))
    if shape == "number":
        try:
            _ = parse_bytes(value) if isinstance(value, str) else parse_int(value)
        except (ValueError, OverflowError):
            return False
        return True
    if shape == "boolean":
        return parse_bool(value) is not None
    types = {"list": (list, str), "mapping": (dict,), "options": (list, dict)}.get(shape, (object,))
    return isinstance(value, types)


def _unknown(reader: Reader, section: Mapping[str, Any], prefix: str) -> None:
    """Warnings for keys that no table has, at any depth above a key of free content."""
    known = {key.place[len(prefix):].split(".")[0] for key in table.TABLE if key.place.startswith(prefix)}
    dynamic = set(settings.ROWS) | {name for row in settings.TABLE for name in row.older}
    for key, value in section.items():
        place = f"{prefix}{key}"
        if key not in known and not (prefix == "" and (key in dynamic or key == "raft")):
            hint = postgresql_section.suggestion(str(key), known)
            reader.fault(place, f"is no known key{hint}", error=False)
        elif isinstance(value, Mapping) and place not in _FREE:
            _unknown(reader, value, f"{place}.")


def _without_effect(reader: Reader) -> None:
    for row in settings.TABLE:
        if row.name != "postgresql" and reader.raw(row.name) is not None:
            reader.fault(row.name, "has no effect in a member's own file",
                         "Set it with pgctl edit-config or, for a new cluster, under bootstrap.dcs.", error=False)
    for key in table.TABLE:
        if key.ignored and reader.raw(key.place) is not None:
            reader.fault(key.place, f"has no effect: {key.meaning}", error=False)
    for name, why in postgresql_section.faults(reader.section("postgresql"), local=True):
        reader.fault(f"postgresql.{name}", why, error=why.startswith("must"))
    for sentence in settings.faults(reader.section("bootstrap.dcs")):
        reader.fault("bootstrap.dcs", sentence, error=False)


def _on_machine(reader: Reader, configuration: Configuration, machine: Machine, listen_ports: bool) -> None:
    rest, postgres = configuration.rest, configuration.postgres
    if listen_ports:
        listened = [("restapi.listen", rest.listen_host, rest.listen_port)]
        listened += [("postgresql.listen", host, postgres.port) for host in postgres.listen_hosts]
        for place, host, port in listened:
            if not machine.port_free("" if host == "*" else host, port):
                reader.fault(place, f"cannot be listened on: port {port} is in use, or the address not this host's")
    for place in _FILES:
        if (path := reader.text(place)) and not machine.readable(path):
            reader.fault(place, f"cannot be read: {path}")
    if (path := reader.text("log.dir")) and machine.entries(path) is None:
        reader.fault("log.dir", f"is no directory: {path}")
    _data_directory(reader, postgres.data_dir, machine)
    for name in table.PROGRAMS:
        called = postgres.bin_names.get(name, name)
        wanted = name != "pg_rewind" or name in postgres.bin_names
        if wanted and machine.program(called, postgres.bin_dir) is None:
            where = postgres.bin_dir or "the search path"
            reader.fault("postgresql.bin_dir", f"has no program {called}: looked in {where}")


def _data_directory(reader: Reader, path: str, machine: Machine) -> None:
    """Absent, empty, or a server's."""
    entries = machine.entries(path) if path else None
    if entries and not ({"PG_VERSION"} <= entries and entries & {"pg_wal", "pg_xlog"}):
        reader.fault("postgresql.data_dir", f"is neither empty nor a server's: {path}",
                     "It must hold PG_VERSION and pg_wal, or nothing.")


_FREE = frozenset({"tags", "bootstrap", "raft", "postgresql"}) | {
    key.place for key in table.TABLE if key.shape in ("mapping", "any", "options", "list")
}
"""Places below which keys have any name, or are checked elsewhere."""
