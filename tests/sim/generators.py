"""What is asked of a history before it runs: its settings, its faults, the operator's orders. Drawn from the seed; pure.

One history in five is calm: orders alone, so that what only faults may excuse is excused by nothing.
"""

import random
from dataclasses import dataclass

SPAN = 90.0
NAMES = ("a", "b", "c")
LEADER = "leader"
"""Whoever takes writes when the act happens."""
TTLS = (5.0, 8.0, 15.0, 30.0)
LASTING = (0.5, 3.0, 8.0, 20.0, 45.0)

FAULTS = (
    "kill agent", "restart agent", "freeze agent", "stick loop",
    "crash server", "stop server", "hang server", "slow stop", "fail jobs",
    "lose host", "cut store", "cut store from all", "cut link", "lose replies", "late requests",
    "freeze fence", "late fence",
)  # fmt: skip
ORDERS = ("switchover", "switchover", "failover", "pause", "restart", "reinitialize", "ttl")
CALM = ("switchover", "switchover", "switchover", "pause", "restart", "ttl")


@dataclass(frozen=True)
class Act:
    """A fault or an order at `at` seconds after the cluster is made, in words that a person can replay."""

    at: float
    kind: str
    member: str
    lasts: float = 0.0
    other: str = ""
    number: float = 0.0

    @property
    def order(self) -> bool:
        return self.kind in ORDERS

    def __str__(self) -> str:
        extra = f" {self.other}" if self.kind == "cut link" else f" {self.number:g}" if self.kind == "ttl" else ""
        return f"{self.at:7.2f}  {self.kind} {self.member}{extra}  {self.lasts:.1f}s"


@dataclass(frozen=True)
class Plan:
    """One history: the lease, who is tagged nofailover (or nobody), what happens when."""

    ttl: float
    barred: str
    acts: tuple[Act, ...]


def document(ttl: float) -> dict[str, object]:
    """Settings that fit this TTL."""
    return {"ttl": ttl, "loop_wait": min(10.0, ttl / 3), "retry_timeout": max(1.0, ttl / 10)}


def draw(seed: int, kinds: tuple[str, ...] = ()) -> Plan:
    """Two to twelve acts, in the order of their time; of the given kinds, if any are given."""
    rng = random.Random(f"plan {seed}")
    drawn = kinds or (CALM if rng.random() < 0.2 else FAULTS + ORDERS)
    acts: list[Act] = []
    for _ in range(rng.randint(2, 12)):
        acts.append(_act(rng, rng.choice(drawn), acts[-1] if acts else None))
    barred = rng.choice(NAMES) if rng.random() < 0.2 else ""
    return Plan(rng.choice((5.0, 15.0, 30.0)), barred, tuple(sorted(acts, key=lambda act: act.at)))


def _act(rng: random.Random, kind: str, last: Act | None) -> Act:
    """Half of the acts follow another within seconds, and half of those strike the same member: trouble comes in twos."""
    close = last is not None and rng.random() < 0.5
    member, other = rng.sample(NAMES, 2)
    at = rng.uniform(5, SPAN)
    if rng.random() < 0.4:
        member = LEADER
    if last is not None and close:
        at = min(SPAN, last.at + rng.choice((0.1, 1.0, 5.0)) * rng.random())
        member = last.member if rng.random() < 0.5 else member
    lasts = rng.choice(LASTING) * rng.uniform(0.5, 1.0)
    return Act(at, kind, member, lasts, other, rng.choice(TTLS))
