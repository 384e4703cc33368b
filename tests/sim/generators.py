"""What is asked of a history before it runs: its settings, its faults, the operator's orders. Drawn from the seed; pure.

`modes` says which acts a mode draws from.
"""

import random
from dataclasses import dataclass, replace

from tests.sim import modes
from tests.sim.modes import Mode

SPAN = 90.0
NAMES = ("a", "b", "c")
LEADER = "leader"
"""Whoever takes writes when the act happens."""
TTLS = (5.0, 8.0, 15.0, 30.0)
AFTER, QUIET = 10.0, 45.0
"""Seconds from the end of the last act until everything heals, at most; and after a story."""
LASTING = (0.5, 3.0, 8.0, 20.0, 45.0)


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
        return self.kind in modes.ORDERS + modes.TURNS

    def __str__(self) -> str:
        extra = {"cut link": f" {self.other}", "cut way": f" {self.other}", "ttl": f" {self.number:g}"}.get(self.kind, "")
        return f"{self.at:7.2f}  {self.kind} {self.member}{extra}  {self.lasts:.1f}s"


@dataclass(frozen=True)
class Plan:
    """One history: the lease, who is tagged nofailover (or nobody), what happens when, what it is about."""

    ttl: float
    barred: str
    acts: tuple[Act, ...]
    mode: Mode = Mode.ASYNCHRONOUS
    count: int = 0
    """synchronous_node_count, where it matters."""
    patience: float = 300.0
    """primary_start_timeout."""
    birth: tuple[Act, ...] = ()
    """What happens while the cluster is made, from its first second on."""
    after: float = AFTER
    """Seconds from the end of its acts until everything heals."""

    @property
    def document(self) -> dict[str, object]:
        return {**modes.document(self.mode, self.ttl, self.count), "primary_start_timeout": self.patience}


def draw(seed: int, mode: Mode = Mode.ASYNCHRONOUS, kinds: tuple[str, ...] = ()) -> Plan:
    """A story, or two to twelve acts in the order of their time; of the given kinds, if any are given."""
    rng, row = random.Random(f"plan {seed}"), modes.TABLE[mode]
    story = () if kinds else modes.story(mode, rng)
    drawn = kinds or modes.acts(mode, rng)
    acts = _told(rng, story) if story else _drawn(rng, drawn, row.first if not kinds and drawn != modes.CALM else "")
    barred = rng.choice(NAMES) if rng.random() < 0.2 else ""
    ttl, count = rng.choice(row.ttls), rng.choice(row.counts) if row.counts else 0
    patience = rng.choice((0.0, 4.0, 10.0)) if story or rng.random() < 0.2 else 300.0
    birth = _birth(rng) if not kinds and not story and drawn != modes.CALM and rng.random() < 0.2 else ()
    in_order = tuple(_within(row, act) for act in sorted(acts, key=lambda act: act.at))
    return Plan(ttl, barred, in_order, mode, count, patience, birth, QUIET if story else AFTER)


def _within(row: modes.Row, act: Act) -> Act:
    """Nobody lowers the ttl below what the mode can live with."""
    return replace(act, number=row.ttls[0]) if act.kind == "ttl" and act.number < row.ttls[0] else act


def _drawn(rng: random.Random, kinds: tuple[str, ...], first: str) -> list[Act]:
    acts = [_act(rng, first, None)] if first else []
    for _ in range(rng.randint(2, 12)):
        acts.append(_act(rng, rng.choice(kinds), acts[-1] if acts else None))
    return acts


def _told(rng: random.Random, story: modes.Story) -> list[Act]:
    at, acts = rng.uniform(5, 20), []
    for step in story:
        member, other = rng.sample(NAMES, 2)
        at += step.after * rng.random()
        lasts = step.lasts * rng.uniform(0.8, 1.0)
        acts.append(Act(at, step.kind, LEADER if step.leader else member, lasts, other, rng.choice(TTLS)))
    return acts


def _birth(rng: random.Random) -> tuple[Act, ...]:
    """One to three faults within the seconds of a bootstrap; or it fails, whoever makes the cluster."""
    if rng.random() < 0.5:
        at, lasts = rng.uniform(0, 0.5), rng.uniform(0.5, 12)
        return tuple(Act(at, "fail jobs", name, lasts) for name in NAMES)
    found = (
        Act(rng.uniform(0, 1.5), rng.choice(modes.BIRTH), rng.choice(NAMES), rng.uniform(0.5, 12), number=rng.choice(TTLS))
        for _ in range(rng.randint(1, 3))
    )
    return tuple(sorted(found, key=lambda act: act.at))


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
