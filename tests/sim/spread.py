"""Where all that was acknowledged is, at one instant: as a quorum's safety asks it of the members' disks."""

from typing import Any

from pgctl.model.server import Phase


def of(world: Any) -> tuple[frozenset[str] | None, frozenset[str]]:
    """(members on whose disk is everything that was acknowledged, or None while nothing was; members with data).

    Another cluster's data is none: nobody with it stands.
    """
    hold = frozenset(name for name, server in world.servers.items() if server.phase is not Phase.EMPTY)
    if not world.record.acknowledged:
        return None, hold
    _, number, confirmed_by = world.record.acknowledged[-1]
    at = _position(world.servers[confirmed_by].wal, number)
    hold = frozenset(name for name in hold if world.servers[name].identifier == world.servers[confirmed_by].identifier)
    if at is None:
        return None, hold  # its data is gone, and with it the knowledge of where on its branch the record was
    have = (name for name in hold if _has(world.servers[name], at, number))
    return frozenset(have), hold


def _position(wal: list[int], number: int) -> int | None:
    """Records are numbered as they are written, so a later place never has an earlier number on one branch."""
    for place in range(len(wal) - 1, -1, -1):
        if wal[place] == number:
            return place
        if wal[place] < number:
            return None
    return None


def _has(server: Any, at: int, number: int) -> bool:
    return bool(server.flushed > at and server.wal[at] == number)
