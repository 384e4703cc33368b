"""Values of settings: their kinds, and one reader a kind, forgiving and pure. `settings` joins them with names.

A reader answers (value, what is wrong with it or ""), or raises ValueError when the value cannot be used at all.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pgctl.model import document as documents
from pgctl.units import parse_bool, parse_bytes, parse_int, parse_seconds


class SyncMode(StrEnum):
    OFF = "off"
    ON = "on"
    QUORUM = "quorum"


@dataclass(frozen=True, slots=True)
class StandbyCluster:
    """The remote primary that a standby cluster follows. Source: config.md 9.1."""

    host: str | None = None
    port: int | None = None
    primary_slot_name: str | None = None
    create_replica_methods: tuple[str, ...] = ()
    restore_command: str | None = None
    archive_cleanup_command: str | None = None
    recovery_min_apply_delay: str | None = None


class Kind(StrEnum):
    """What a setting's value is, in words for the reference."""

    TIMING = "whole seconds"  # one that cannot be read refuses the whole document (ha.md T34)
    SECONDS = "seconds"
    BYTES = "bytes"
    COUNT = "count"
    FLAG = "boolean"
    SYNC = "off, on or quorum"
    STANDBY = "standby cluster"
    SLOTS = "slots"
    MATCHERS = "list of mappings"
    MAPPING = "mapping"


def _timing(value: object) -> tuple[int, str]:
    number = documents.integer(value)
    if number is None and isinstance(value, float):
        number = int(value)
    if number is None:
        raise ValueError(f"must be a whole number of seconds, not {shown(value)}")
    return number, ""


def _number(parse: Callable[[str | int | float], float]) -> Callable[[object], tuple[float, str]]:
    def reader(value: object) -> tuple[float, str]:
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise ValueError(f"must be a number, not {shown(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"must be a finite number, not {value}")
        return parse(value), ""

    return reader


def _flag(value: object) -> tuple[bool, str]:
    if (parsed := parse_bool(value)) is None:
        raise ValueError(f"must be true or false, not {shown(value)}")
    return parsed, ""


def _sync_mode(value: object) -> tuple[SyncMode, str]:
    if str(value).strip().lower() == SyncMode.QUORUM:
        return SyncMode.QUORUM, ""
    if (parsed := parse_bool(value)) is None:
        raise ValueError(f"must be on, off or quorum, not {shown(value)}")
    return SyncMode.ON if parsed else SyncMode.OFF, ""


def _mapping(value: object) -> tuple[Mapping[str, object], str]:
    if (found := documents.mapping(value)) is None:
        raise ValueError(f"must be a mapping, not {shown(value)}")
    return found, ""


def _standby(value: object) -> tuple[StandbyCluster | None, str]:
    """Counts only with host, port or restore_command. A list of hosts is taken like a comma list."""
    found, _ = _mapping(value)
    port = documents.integer(found.get("port"))
    why = "" if port is not None or not found.get("port") else f"has a port that is no number, {shown(found['port'])}"
    methods = found.get("create_replica_methods")
    texts = {
        key: None if found.get(key) in (None, "") else str(found[key])
        for key in ("primary_slot_name", "restore_command", "archive_cleanup_command", "recovery_min_apply_delay")
    }
    host = found.get("host")
    host = ",".join(map(str, host)) if isinstance(host, list) else None if host in (None, "") else str(host)
    names = tuple(map(str, methods)) if isinstance(methods, list) else () if methods is None else (str(methods),)
    remote = StandbyCluster(host=host, port=port, create_replica_methods=names, **texts)
    counts = bool(host or port or remote.restore_command)
    if found and not counts and not why:
        why = "names neither host, port nor restore_command, so there is nothing to follow"
    return (remote if counts else None), why


def _slots(value: object) -> tuple[Mapping[str, object], str]:
    found, _ = _mapping(value)
    bad = [name for name in found if not _SLOT.match(name)]
    why = f"leaves out {', '.join(bad)}: a slot's name is 1 to 63 of a-z, 0-9 and _" if bad else ""
    return {name: slot for name, slot in found.items() if name not in bad}, why


def _matchers(value: object) -> tuple[tuple[Mapping[str, object], ...], str]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, not {shown(value)}")
    found = [documents.mapping(item) for item in value]
    why = "leaves out what is no mapping" if None in found else ""
    return tuple(item for item in found if item is not None), why


def _postgresql(value: object) -> tuple[Mapping[str, object], str]:
    found, _ = _mapping(value)
    if not isinstance(found.get("parameters") or {}, Mapping):
        raise ValueError(f"must have a mapping as parameters, not {shown(found['parameters'])}")
    return found, ""


def shown(value: object) -> str:
    """A value in a sentence."""
    if isinstance(value, (Mapping, tuple, list)):
        return "nothing" if not value else "a mapping" if isinstance(value, Mapping) else "a list"
    if isinstance(value, float):
        return f"{value:g}"
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


_SLOT = re.compile(r"[a-z0-9_]{1,63}\Z")
READERS: Mapping[Kind, Callable[[object], tuple[Any, str]]] = {
    Kind.TIMING: _timing,
    Kind.SECONDS: _number(parse_seconds),
    Kind.BYTES: _number(parse_bytes),
    Kind.COUNT: _number(parse_int),
    Kind.FLAG: _flag,
    Kind.SYNC: _sync_mode,
    Kind.STANDBY: _standby,
    Kind.SLOTS: _slots,
    Kind.MATCHERS: _matchers,
    Kind.MAPPING: _postgresql,
}
