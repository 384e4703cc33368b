"""`synchronous_standby_names`: who must confirm a commit, as a value and as PostgreSQL's text. Pure.

`FIRST n` and `ANY n` promise the same: that some n of those listed have confirmed. What differs is whom PostgreSQL waits
for when more than n are there. Source: PostgreSQL 15, 20.6.2 and 27.2.8.
"""

import re
from typing import NamedTuple

NOBODY = "__patroni_strict_sync_replica_placeholder__"
"""The name that no member may have: a server that waits for it commits nothing (ha.md N9)."""

_FORM = re.compile(r"\s*(?:(ANY|FIRST)?\s*(\d+)\s*\((.*)\)|(.*?))\s*\Z", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')


class SyncNames(NamedTuple):
    """`needed` of `names` must confirm each commit; no names: nobody must. `quorum`: written as ANY."""

    names: frozenset[str] = frozenset()
    needed: int = 0
    quorum: bool = False


def parse(text: str) -> SyncNames:
    """What a value in force says; `*` stands for anybody, which is nobody in particular: it is read as `NOBODY`."""
    found = _FORM.match(text)
    assert found is not None, "the last alternative matches any text"
    method, count, listed, bare = found.groups()
    names = frozenset(quoted.replace('""', '"') or plain for quoted, plain in _NAME.findall(listed or bare or ""))
    names = frozenset({NOBODY}) if "*" in names else names
    quorum = (method or "").upper() == "ANY"
    return SyncNames(names, min(int(count or 1), len(names)), quorum) if names else SyncNames()


def show(wanted: SyncNames) -> str:
    """The value to write: sorted, quoted; empty removes the parameter."""
    listed = ",".join('"' + name.replace('"', '""') + '"' for name in sorted(wanted.names))
    if not wanted.names:
        return ""
    if wanted.quorum:
        return f"ANY {wanted.needed} ({listed})"
    return listed if len(wanted.names) == 1 else f"{wanted.needed} ({listed})"
