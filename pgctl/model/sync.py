"""Synchronous state as published in `/sync`, and the law that ties it to `synchronous_standby_names`.

The overlap law (quorum mode). V: published voters, q: votes a racing member needs from others, S: names in PostgreSQL,
k: how many of S must confirm a commit. Every commit is on k of S; a winner hears q of V. Some voter heard has the
commit iff |V u {L} u S u {P}| <= q + k + 1, with L the published leader and P the primary. Source: ha.md 3.6.
"""

from typing import NamedTuple


class SyncState(NamedTuple):
    """`/sync`: who maintains it, who is synchronous, how many votes a race needs. No leader: not active."""

    leader: str | None = None
    standbys: tuple[str, ...] = ()
    quorum: int = 0

    @property
    def active(self) -> bool:
        return bool(self.leader)

    def lists(self, name: str) -> bool:
        """Whether `name` is leader or standby here; names compare without case (ha.md 0)."""
        return self.leads(name) or self.is_standby(name)

    def leads(self, name: str) -> bool:
        return (self.leader or "").lower() == name.lower()

    def is_standby(self, name: str) -> bool:
        return any(name.lower() == known.lower() for known in self.standbys)


def overlap(voters: frozenset[str], leader: str, names: frozenset[str], primary: str, quorum: int, sync: int) -> bool:
    """Whether published quorum and PostgreSQL's setting overlap; an empty voter set promises nothing."""
    return not voters or len(voters | {leader} | names | {primary}) <= quorum + sync + 1
