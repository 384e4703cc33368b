"""Positions in the write-ahead log: a byte offset from 0/0, printed as two hexadecimal halves.

Source: PostgreSQL 15, 8.20 pg_lsn Type.
"""

import re
from typing import NewType

Lsn = NewType("Lsn", int)

_TEXT = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})\Z")


def parse(text: str) -> Lsn:
    """`0/5000060` as bytes. Raises ValueError."""
    found = _TEXT.match(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not a WAL position')
    return Lsn(int(found[1], 16) << 32 | int(found[2], 16))


def show(lsn: int) -> str:
    """`0/5000060`: upper case, no padding, as PostgreSQL prints it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lag(ahead: int, behind: int) -> int:
    """Bytes that `behind` still misses of `ahead`, never below zero."""
    return max(0, ahead - behind)
