"""Switchover and failover as written wishes, and every objection to one.

An intent lives in the key `failover`: with `leader` it is a switchover, with a candidate alone a manual failover.
Which program asks makes no difference. Source: dcs.md 3.8, rest.md 13, ha.md 2.8.
"""

from datetime import datetime
from typing import NamedTuple


class Intent(NamedTuple):
    """`scheduled_at` carries its zone; `schedule_fault` says why a stored time could not be read.

    `by` says who ordered it, in words; a field of ours, which peers ignore and drop when they rewrite the key.
    """

    leader: str | None = None
    candidate: str | None = None
    scheduled_at: datetime | None = None
    schedule_fault: str = ""
    by: str = ""

    @property
    def switchover(self) -> bool:
        return bool(self.leader)
