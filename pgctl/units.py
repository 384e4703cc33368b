"""Units: seconds, instants, bytes; how people write them, and how we print them.

Knows no setting: bounds and defaults live in `model.settings`.
"""

import re
from typing import NewType

Seconds = NewType("Seconds", float)
"""A duration."""

Instant = NewType("Instant", float)
"""A point on this host's boot-time clock, in seconds: it never jumps and counts a suspended machine's sleep."""

Wall = NewType("Wall", float)
"""A point in calendar time, seconds since 1970-01-01 UTC. For people and documents; never for deciding."""

Bytes = NewType("Bytes", int)

_SIZE = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = re.compile(r"\s*([-+]?)(0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)\s*([A-Za-z]*)\s*\Z")


def _split(text: str) -> tuple[float, str]:
    """The number and the unit word of `text`. Raises ValueError."""
    found = _NUMBER.match(text)
    if found is None:
        raise ValueError(f'"{text}" is not a number with an optional unit')
    sign, number, unit = found.groups()
    if number[:2].lower() == "0x":
        value = float(int(number, 16))
    elif number.isdigit() and number.startswith("0") and number.strip("01234567") == "":
        value = float(int(number, 8))
    else:
        value = float(number)
    return (-value if sign == "-" else value), unit


def parse_seconds(value: str | int | float) -> Seconds:
    """`30`, `"30"`, `"30s"`, `"5min"` in seconds; bare numbers are seconds. Raises ValueError. Source: config.md 1.3."""
    if isinstance(value, bool):
        raise ValueError("a duration cannot be true or false")
    if isinstance(value, (int, float)):
        return Seconds(float(value))
    number, unit = _split(value)
    if unit and unit not in _TIME:
        raise ValueError(f'"{unit}" is not a unit of time (use us, ms, s, min, h or d)')
    return Seconds(number * _TIME.get(unit, 1.0))


def parse_bytes(value: str | int | float) -> Bytes:
    """`1048576`, `"1MB"`, `"16 kB"` in bytes; a bare number is bytes. Raises ValueError. Source: rest.md 3.4."""
    if isinstance(value, bool):
        raise ValueError("a size cannot be true or false")
    if isinstance(value, (int, float)):
        return Bytes(round(value))
    number, unit = _split(value)
    if unit and unit not in _SIZE:
        raise ValueError(f'"{unit}" is not a unit of size (use B, kB, MB, GB or TB)')
    return Bytes(round(number * _SIZE.get(unit, 1)))


def parse_bool(value: object) -> bool | None:
    """True, False, or None when `value` is neither. Source: config.md 1.3 row 1."""
    word = str(value).strip().lower()
    if word in ("on", "true", "yes", "1"):
        return True
    if word in ("off", "false", "no", "0"):
        return False
    return None


def parse_int(value: object) -> int:
    """Decimal, 0x hexadecimal or leading-0 octal, rounded. Raises ValueError. Source: config.md 1.3 row 2."""
    if isinstance(value, bool):
        raise ValueError("a number cannot be true or false")
    if isinstance(value, (int, float)):
        return round(value)
    number, unit = _split(str(value))
    if unit:
        raise ValueError(f'"{value}" is not a number')
    return round(number)


def show_bytes(size: int) -> str:
    """A size for people: `0 B`, `17 kB`, `1.5 GB`."""
    scaled, unit = float(size), "B"
    for unit in _SIZE:
        if abs(scaled) < 1024 or unit == "TB":
            break
        scaled /= 1024
    return f"{scaled:.0f} {unit}" if scaled >= 10 or scaled == round(scaled) else f"{scaled:.1f} {unit}"


def show_seconds(duration: float) -> str:
    """A duration for people: `0.3s`, `27s`, `4min`, `2.5h`."""
    for limit, unit, size in ((120.0, "s", 1.0), (7200.0, "min", 60.0), (172800.0, "h", 3600.0)):
        if abs(duration) < limit:
            scaled = duration / size
            return f"{scaled:.0f}{unit}" if scaled >= 10 or scaled == round(scaled) else f"{scaled:.1f}{unit}"
    return f"{duration / 86400.0:.1f}d"
