"""Past leaders by timeline: the cluster's `/history`, oldest first. Source: dcs.md 3.7, ha.md V6 to V8."""

from collections.abc import Mapping
from typing import NamedTuple

from pgctl.model.lsn import Lsn
from pgctl.model.timeline import TimelineHistory


class HistoryLine(NamedTuple):
    """The end of `timeline` at `lsn`; `leader` is who was promoted then. `fields` is how many the document had."""

    timeline: int
    lsn: Lsn
    reason: str
    timestamp: str = ""
    leader: str = ""
    fields: int = 5


class History(NamedTuple):
    """`known` is False when the key is absent or unreadable: then the cluster's timeline is not known."""

    lines: tuple[HistoryLine, ...] = ()
    known: bool = False

    @property
    def timeline(self) -> int:
        """The cluster's timeline; 0 when unknown (no constraint)."""
        if not self.known:
            return 0
        return self.lines[-1].timeline + 1 if self.lines else 1


class Claim(NamedTuple):
    """The highest timeline that a member was about to open; whether it did, `/history` tells. Key `promotion`, ours."""

    timeline: int = 0
    member: str = ""


SKIPPED = "claimed by a promotion that did not come to its end"


def brought_up(stored: History, own: TimelineHistory, leader: str, timestamp: str, limit: int = 0) -> History:
    """`/history` as the leader writes it from its server's own history; `limit` 0 keeps all lines. Source: ha.md V7, V8.

    Times and names of lines that are stored already are kept where timeline and LSN agree; the newest line, if it is
    new, gets `leader` and `timestamp`, the time of its promotion.
    """
    known = {(line.timeline, line.lsn): line for line in stored.lines}
    lines = []
    for switch in own.switches:
        line = known.get((switch.timeline, switch.lsn)) or HistoryLine(switch.timeline, switch.lsn, switch.reason)
        lines.append(line)
    lines = _without_gaps(lines, own.timeline, known)
    if lines and not lines[-1].leader:
        lines[-1] = lines[-1]._replace(timestamp=lines[-1].timestamp or timestamp, leader=leader, fields=5)
    return History(tuple(lines[-limit:] if limit > 0 else lines), True)


def _without_gaps(lines: list[HistoryLine], timeline: int,
                  known: Mapping[tuple[int, Lsn], HistoryLine]) -> list[HistoryLine]:
    """With a line for each number that was skipped: peers count the last line's timeline plus one as the cluster's."""
    whole: list[HistoryLine] = []
    ends = [*(line.timeline for line in lines[1:]), timeline]
    for line, end in zip(lines, ends, strict=False):
        whole.append(line)
        skipped = ((number, line.lsn) for number in range(line.timeline + 1, end))
        whole += [known.get(place) or HistoryLine(*place, SKIPPED) for place in skipped]
    return whole
