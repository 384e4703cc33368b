"""How a logical replication slot comes to a standby, by the server's version. Pure.

Versions are server_version_num (150018). Source: release notes of PostgreSQL 16 and 17; PostgreSQL 17, 47.2.3 Replication
Slot Synchronization.
"""

from enum import StrEnum

_DECODES_ON_STANDBY = 160000
_FAILOVER_SLOTS = 170000


class Means(StrEnum):
    COPIED = "copied"  # its file, while the standby is down
    CREATED = "created"  # by the standby, for itself
    SYNCHRONIZED = "synchronized"  # by PostgreSQL


def failover_slots(version: int) -> bool:
    """Whether the server has slots of the kind that PostgreSQL itself keeps on standbys."""
    return version >= _FAILOVER_SLOTS


def means_of(version: int, *, own: bool) -> Means:
    """The best means that this version has; `own`: PostgreSQL's own may be used."""
    if own and failover_slots(version):
        return Means.SYNCHRONIZED
    return Means.CREATED if version >= _DECODES_ON_STANDBY else Means.COPIED
