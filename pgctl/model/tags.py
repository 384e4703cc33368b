"""Tags as written → tags with their meaning settled. Reads no file. Source: config.md 13, dcs.md 3.5."""

from collections.abc import Mapping

from pgctl.model import document
from pgctl.model.member import Tags
from pgctl.units import parse_bool, parse_int

_FLAGS = ("clonefrom", "nofailover", "noloadbalance", "nosync", "nostream")
_TWINS = {"nofailover": "failover_priority", "nosync": "sync_priority"}


def read(written: Mapping[str, object]) -> Tags:
    """Tags in force; `published` leaves out flags that are off, unless their number twin is given."""
    nofailover, failover_priority = _pair(written, "nofailover")
    nosync, sync_priority = _pair(written, "nosync")
    return Tags(
        nofailover=nofailover,
        failover_priority=failover_priority,
        nosync=nosync,
        sync_priority=sync_priority,
        clonefrom=_flag(written.get("clonefrom")),
        noloadbalance=_flag(written.get("noloadbalance")),
        nostream=_flag(written.get("nostream")),
        replicatefrom=document.name(written.get("replicatefrom")),
        published={key: value for key, value in written.items() if _published(key, value, written)},
    )


def contradictions(written: Mapping[str, object]) -> tuple[str, ...]:
    """A sentence for each flag that is given together with its number twin."""
    return tuple(
        f"{flag} and {twin} are both given: {flag} wins"
        for flag, twin in _TWINS.items()
        if written.get(flag) is not None and written.get(twin) is not None
    )


def _flag(value: object) -> bool:
    """Lenient: what is no boolean word counts as set when it is not empty."""
    parsed = parse_bool(value)
    return bool(value) if parsed is None else parsed


def _pair(written: Mapping[str, object], flag: str) -> tuple[bool, int]:
    """The flag and its number: the flag wins when given; a number of 0 or less is the flag set."""
    try:
        number = parse_int(written.get(_TWINS[flag]))
    except (ValueError, OverflowError):
        number = 1
    barred = _flag(written[flag]) if written.get(flag) is not None else number <= 0
    return barred, 0 if barred else number if number > 0 else 1


def _published(key: str, value: object, written: Mapping[str, object]) -> bool:
    """Null tags are never published: peers fail on them (dcs.md 4)."""
    if value is None:
        return False
    return key not in _FLAGS or _flag(value) or written.get(_TWINS.get(key, "")) is not None
