"""JSON texts ↔ plain values, and forgiving conversions of leaves. No function here raises on any input.

Knows no document of ours: shapes live in `codec`. Compact on writing; NaN and infinities, which JSON does not have,
are read as null, so that whatever was read can be written.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, ParamSpec, TypeVar

from pgctl.model.lsn import Lsn
from pgctl.units import parse_bool

P = ParamSpec("P")
R = TypeVar("R")


def remembered(read: Callable[P, R]) -> Callable[P, R]:
    """`read`, which parses only texts that it has not read lately: most documents are the same from look to look.

    Its values are shared by all who read that text, so it fits only where nobody changes one.
    """
    return lru_cache(maxsize=128)(read)  # type: ignore[return-value]


class Unreadable:
    """What `load` answers for a text that is no JSON: null is a value, this is none."""


UNREADABLE: Final = Unreadable()
NO_ZONE: Final = "has no time zone"
_DEEPEST: Final = 100


def _float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def load(text: str) -> object:
    """The value of a JSON text; UNREADABLE when it is none (also: nested too deep, numbers too long)."""
    try:
        value: object = json.loads(text, parse_constant=lambda _: None, parse_float=_float)
    except (ValueError, RecursionError):
        return UNREADABLE
    crowded = text.count("[") + text.count("{") > _DEEPEST
    return UNREADABLE if crowded and _too_deep(value) else value


def _too_deep(value: object) -> bool:
    """Whether walking `value` by recursion might exhaust a stack."""
    level: list[object] = [value]
    depth = 0
    while level and depth <= _DEEPEST:
        boxes = [item for item in level if isinstance(item, (dict, list))]
        level = [item for box in boxes for item in (box.values() if isinstance(box, dict) else box)]
        depth += 1
    return bool(level)


def dump(value: object) -> str:
    """Compact JSON; keys in the order given."""
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    """A mapping that is no dict as one; anything else by its text."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def mapping(value: object) -> Mapping[str, object] | None:
    """`value` when it is an object with text keys."""
    return value if isinstance(value, Mapping) and all(isinstance(key, str) for key in value) else None


def nested(value: object) -> object:
    """`value`, or what a JSON text in its place holds (Kubernetes annotations are texts)."""
    return load(value) if isinstance(value, str) else value


def text(value: object) -> str | None:
    """A non-empty text, else None."""
    return value if isinstance(value, str) and value else None


def name(value: object) -> str | None:
    """A name; a value of another type by its JSON text, so that a wrong name matches nobody instead of vanishing."""
    if isinstance(value, str) or not value:
        return text(value)
    return dump(value)


def flag(value: object) -> bool:
    """True for true and for the words that mean it."""
    return isinstance(value, (bool, int, str)) and parse_bool(value) is True


def integer(value: object) -> int | None:
    """An integer, also as decimal text or as a float without fraction; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        digits = value.strip()
        sane = len(digits) <= 20 and digits.isascii() and digits.removeprefix("-").isdigit()
        return int(digits) if sane else None
    return value if isinstance(value, int) else None


def position(value: object) -> Lsn | None:
    """A WAL position in bytes; None when it is none that PostgreSQL could have."""
    number = integer(value)
    return Lsn(number) if number is not None and 0 <= number < 2**64 else None


def timeline(value: object) -> int | None:
    """A timeline: 32 bits, counted from 1."""
    number = integer(value)
    return number if number is not None and 1 <= number < 2**32 else None


def seconds(value: object) -> float | None:
    """A number of seconds, not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if value >= 0 else None


def moment(value: object) -> tuple[datetime | None, str]:
    """An ISO 8601 time with its zone, or None and why it could not be read."""
    if value is None:
        return None, ""
    if not isinstance(value, str):
        return None, "the scheduled time is not a text"
    try:
        found = datetime.fromisoformat(value.strip())
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, f'"{value}" is not a time in ISO 8601'
    return (found, "") if found.tzinfo is not None else (None, f'"{value}" {NO_ZONE}')
