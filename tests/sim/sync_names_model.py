"""synchronous_standby_names as PostgreSQL reads it: who is listed, and up to where commits are confirmed. Pure.

Source: PostgreSQL 15, 20.6.2 (synchronous_standby_names), 27.2.8, 28.2.4 (sync_state, sync_priority).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_FORM = re.compile(r"\s*(?:(ANY|FIRST)?\s*(\d+)\s*\((.*)\)|(.*))\s*\Z", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')


@dataclass(frozen=True)
class SyncNames:
    """`count` of `names` must confirm: any of them with `quorum`, else the first that stream. No names: nobody must."""

    names: tuple[str, ...] = ()
    count: int = 1
    quorum: bool = False

    def priority(self, name: str) -> int:
        """From 1, in the order of the list; 0 is asynchronous. Names compare without case, `*` stands for any."""
        for number, listed in enumerate(self.names, start=1):
            if listed == "*" or listed.lower() == name.lower():
                return 1 if self.quorum else number
        return 0

    def synchronous(self, streaming: Iterable[str]) -> list[str]:
        """Those whose word counts: all that are listed, or the first `count` of them by priority."""
        listed = sorted((name for name in streaming if self.priority(name)), key=self.priority)
        return listed if self.quorum else listed[: self.count]

    def confirmed(self, flushed: Mapping[str, int]) -> int:
        """Up to which position commits are confirmed, given who streams and how far each has flushed; 0: none is."""
        found = sorted((flushed[name] for name in self.synchronous(flushed)), reverse=True)
        return found[self.count - 1] if len(found) >= self.count else 0

    def state(self, name: str, streaming: Iterable[str]) -> str:
        """pg_stat_replication.sync_state."""
        if not self.priority(name):
            return "async"
        if name not in self.synchronous(streaming):
            return "potential"
        return "quorum" if self.quorum else "sync"


@lru_cache(maxsize=1000)
def parse(text: str) -> SyncNames:
    """Raises ValueError where PostgreSQL would refuse the value."""
    found = _FORM.match(text)
    assert found is not None
    method, count, listed, bare = found.groups()
    names = tuple(quoted.replace('""', '"') or plain for quoted, plain in _NAME.findall(listed or bare or ""))
    if count is not None and (int(count) < 1 or not names):
        raise ValueError(f"{text!r} is no value of synchronous_standby_names")
    return SyncNames(names, int(count or 1), (method or "").upper() == "ANY")
