"""Timelines: histories, fork points, ancestry, and the need of a rewind.

A timeline number alone says nothing about ancestry: two servers promoted apart both reach timeline 2. So nothing here
compares by number alone except where PostgreSQL's own rule does (a higher local number cannot be an ancestor).

Theory. A history is a list of (timeline, switch point): WAL of that timeline is shared up to, and not beyond, the
switch point. A server on timeline t with its last record ending at p can follow a primary whose history holds (t, s)
iff p <= s. Source: PostgreSQL 15, 26.3.5 Timelines; ha.md G15 to G17.
"""

from typing import NamedTuple

from pgctl.model import lsn as lsns
from pgctl.model.lsn import Lsn


class Switch(NamedTuple):
    """The end of a timeline: `lsn` is its switch point, `reason` PostgreSQL's words."""

    timeline: int
    lsn: Lsn
    reason: str = ""


class TimelineHistory(NamedTuple):
    """The ancestors of `timeline`, oldest first."""

    timeline: int
    switches: tuple[Switch, ...] = ()


def parse(timeline: int, text: str) -> TimelineHistory:
    """The content of `<timeline>.history`; lines that are no switch are skipped, as PostgreSQL skips comments."""
    switches = []
    for line in text.splitlines():
        words = line.strip().split(None, 2)
        if len(words) < 2 or words[0].startswith("#") or not words[0].isdigit():
            continue
        try:
            switches.append(Switch(int(words[0]), lsns.parse(words[1]), words[2] if len(words) > 2 else ""))
        except ValueError:
            continue
    return TimelineHistory(timeline, tuple(switches))


def fork_point(history: TimelineHistory, timeline: int) -> Lsn | None:
    """Where `timeline` was left by this history; None when it is no ancestor."""
    for switch in history.switches:
        if switch.timeline == timeline:
            return switch.lsn
    return None


def can_follow(history: TimelineHistory, timeline: int, end: Lsn) -> bool:
    """Whether a server on `timeline` whose last WAL record ends at `end` may stream from a primary with `history`.

    `end` is the replayed position of a standby, or the end of the last checkpoint record of a stopped primary.
    """
    if timeline == history.timeline:
        return True
    if timeline > history.timeline:
        return False
    fork = fork_point(history, timeline)
    return fork is not None and end <= fork
