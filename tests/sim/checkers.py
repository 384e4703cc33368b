"""Judges a history by all laws that apply to its mode: yes, no with what was seen, unknown, or untried.

Unknown never passes. Untried passes in one history, and not in many: `test_simulator` sees to it.

Pure. The laws stand in `tests.sim.checks`, a room for each subject, by the names of ha.md 7.1 and 7.2.
"""

from dataclasses import dataclass
from enum import Enum

from tests.sim.checks import (
    agents,
    birth,
    data,
    failsafe,
    guards,
    journal,
    lease,
    liveness,
    pause,
    recovery,
    requests,
    slots,
    standby,
    sync_writes,
    synchrony,
)
from tests.sim.checks.law import Law
from tests.sim.record import Record

LAWS: tuple[Law, ...] = (
    *lease.LAWS, *data.LAWS, *synchrony.LAWS, *failsafe.LAWS, *slots.LAWS, *pause.LAWS, *requests.LAWS, *liveness.LAWS,
    *journal.LAWS, *agents.LAWS, *birth.LAWS, *recovery.LAWS, *sync_writes.LAWS, *standby.LAWS,
    *guards.LAWS,
)  # fmt: skip


class Verdict(Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It cannot be judged: the record is cut short, or nothing was ever written."""
    UNTRIED = "untried"
    """Nothing in this history put it to the test."""

    @property
    def passes(self) -> bool:
        return self in (Verdict.YES, Verdict.UNTRIED)


@dataclass(frozen=True)
class Finding:
    """`seen` is empty for yes and untried."""

    law: str
    verdict: Verdict
    seen: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.law}: {self.verdict.value}: {'; '.join(self.seen)}"


def check(record: Record) -> list[Finding]:
    """The finding of every law of this mode."""
    return [_judge(law, record) for law in LAWS if record.mode in law.modes]


def _judge(law: Law, record: Record) -> Finding:
    if law.end and record.end is None:
        return Finding(law.name, Verdict.UNKNOWN, ("the history has no end",))
    if not record.acknowledged:
        return Finding(law.name, Verdict.UNKNOWN, ("nothing was ever written",))
    seen = tuple(dict.fromkeys(law.seen(record)))
    wrong = tuple(each for each in seen if each)[:5]
    return Finding(law.name, Verdict.NO if wrong else Verdict.YES if seen else Verdict.UNTRIED, wrong)
