"""What a history is about: the settings it runs with, and the acts drawn for it. One value, `Mode`, names both.

A mode whose rules are not there yet is left out of `LIVE`: nothing plays it unless it is asked for by name.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.sim.logical_model import FEED
from tests.sim.remote_model import SECTION

FAULTS = (
    "kill agent", "restart agent", "freeze agent", "stick loop",
    "crash server", "stop server", "hang server", "slow stop", "fail jobs",
    "lose host", "cut store", "cut store from all", "cut link", "lose replies", "late requests",
    "freeze fence", "late fence", "cut way", "stall heartbeat", "slow disk", "full disk", "stale reads", "elect store",
    "jump clock", "drift clock", "cut short", "kill backend", "cancel commits",
)  # fmt: skip
ORDERS = ("switchover", "switchover", "failover", "pause", "restart", "reinitialize", "ttl",
          "scheduled switchover", "stray slots", "replace data", "gone member")  # fmt: skip
CALM = ("switchover", "switchover", "switchover", "pause", "restart", "ttl")
BIRTH = ("fail jobs", "fail jobs", "kill agent", "cut store", "lose replies", "freeze agent", "cut store from all")
"""Faults of the seconds in which a cluster is made."""
KEPT, STRAY, GONE = "kept", "stray", "d"
"""Slots that `ignore_slots` matches, that belong to nobody, and of a member that comes and goes."""


@dataclass(frozen=True)
class Step:
    """One act of a story: at most `after` seconds after the one before, for `lasts` seconds at most, on the leader or on
    anybody.
    """

    kind: str
    lasts: float = 3.0
    after: float = 0.0
    leader: bool = True


Story = tuple[Step, ...]
"""Acts that belong together, with quiet before and after them: so that what must come about in time can be seen."""
OF_SERVER: tuple[Story, ...] = (
    (Step("lose host", 45.0),),
    (Step("lose host", 45.0),),
    (Step("kill agent", 45.0),),
    (Step("crash server"),),
    (Step("stop server"),),
    (Step("kill backend"),),
    (Step("full disk", 45.0),),
    (Step("fail jobs", 45.0), Step("crash server", after=1.0)),
    (Step("fail jobs", 45.0), Step("crash server", after=1.0)),
    (Step("fail jobs", 12.0), Step("crash server", after=1.0)),
    (Step("hang server", 45.0),),
    (Step("switchover"), Step("crash server", after=3.0)),
    (Step("lose host", 20.0, leader=False),),
)
"""What befalls servers alone."""
OF_PAUSE: tuple[Story, ...] = (
    (Step("pause", 45.0), Step("cut store", 50.0, 3.0), Step("failover", 0.0, 25.0, leader=False),
     Step("failover", 0.0, 1.0, leader=False)),
    (Step("pause", 20.0), Step("crash server", 3.0, 5.0)),
    (Step("pause", 20.0), Step("failover", 0.0, 5.0, leader=False)),
)  # fmt: skip
"""Whoever leads by an operator's word meanwhile, and then hears of another."""
OF_PROMISES: tuple[Story, ...] = (
    (Step("cut store", 60.0), Step("lose host", 40.0, 30.0)),
    (Step("cut store", 60.0), Step("lose host", 40.0, 30.0)),
    (Step("cut store", 45.0), Step("restart agent", 1.0, 20.0, leader=False), Step("freeze agent", 20.0, 10.0)),
    (Step("cut store from all", 40.0), Step("crash server", 3.0, 30.0)),
    (Step("cut store from all", 40.0), Step("kill agent", 8.0, 30.0)),
    (Step("cut store from all", 40.0), Step("cut link", 20.0, 20.0)),
)
"""A leader that leads on without the store, and then cannot."""


OF_GUARDS = ("freeze guards", "kill guards", "watchdog fails")
OF_WATCHDOG: tuple[Story, ...] = (
    (Step("freeze guards", 45.0),),
    (Step("kill guards", 45.0),),
    (Step("cut store", 45.0), Step("kill guards", 45.0, 10.0)),
    (Step("watchdog fails", 45.0),),
    (Step("watchdog fails", 45.0), Step("lose host", 20.0, 5.0)),
    (Step("switchover"), Step("freeze guards", 45.0, 5.0)),
)
"""Machines that freeze, guards that are shot, devices that break."""


OF_REMOTE = ("remote crashes", "remote out of reach", "remote replaced")
TURNS = ("promote cluster", "demote cluster")
"""Orders that take the section of a standby cluster away, and add it again."""


class Mode(StrEnum):
    ASYNCHRONOUS = "asynchronous"
    SYNCHRONOUS = "synchronous"
    STRICT = "strict"
    QUORUM = "quorum"
    FAILSAFE = "failsafe"
    STANDBY = "standby"
    PAUSE = "pause"
    WATCHED = "watched"
    """Every member requires the kernel's watchdog; so agent and fence may both fail at once."""
    LOGICAL = "logical"
    """A permanent logical slot, on servers of PostgreSQL 16, whose standbys make their own."""


@dataclass(frozen=True)
class Row:
    """`settings` beside the timing; `more` acts are drawn as often again as all others together."""

    settings: Mapping[str, object] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    """Values of synchronous_node_count to draw from."""
    first: str = ""
    """An act that every history of the mode begins with, but its stories and the calm ones."""
    watchdog: str = "off"
    version: int = 150000
    """The servers' server_version_num."""
    ttls: tuple[float, ...] = (5.0, 15.0, 30.0)
    stories: tuple[Story, ...] = ()
    """Told more often than those of servers."""


TABLE: Mapping[Mode, Row] = {
    Mode.ASYNCHRONOUS: Row(),
    Mode.SYNCHRONOUS: Row({"synchronous_mode": True}, counts=(1, 1, 2)),
    Mode.STRICT: Row({"synchronous_mode": True, "synchronous_mode_strict": True}, counts=(1, 1, 2)),
    Mode.QUORUM: Row({"synchronous_mode": "quorum"}, counts=(1, 1, 2)),
    Mode.FAILSAFE: Row({"failsafe_mode": True}, more=("cut store from all", "cut store from all", "cut store",
                                                          "cut link", "cut way", "kill agent", "late requests"),
                       stories=OF_PROMISES),
    Mode.STANDBY: Row({"standby_cluster": SECTION}, more=(*OF_REMOTE, *TURNS, *TURNS)),
    Mode.PAUSE: Row(more=("pause", "restart", "switchover", "failover", "reinitialize"), first="pause",
                    stories=OF_PAUSE),
    Mode.WATCHED: Row(more=(*OF_GUARDS, *OF_GUARDS, "cut store"), watchdog="required", ttls=(15.0, 30.0),
                      stories=OF_WATCHDOG),
    Mode.LOGICAL: Row({"slots": {FEED: {"type": "logical", "database": "postgres", "plugin": "pgoutput"}}}, version=160000),
}  # fmt: skip
LIVE = (Mode.ASYNCHRONOUS, Mode.SYNCHRONOUS, Mode.STRICT, Mode.QUORUM, Mode.PAUSE, Mode.FAILSAFE, Mode.STANDBY,
        Mode.WATCHED, Mode.LOGICAL)  # fmt: skip
"""Modes that every run plays: their rules are there."""


def acts(mode: Mode, rng: random.Random) -> tuple[str, ...]:
    """The kinds to draw from. One history in five is calm: orders alone, so that faults excuse nothing."""
    if rng.random() < 0.2:
        return CALM
    drawn, more = FAULTS + ORDERS, TABLE[mode].more
    return drawn + more * (len(drawn) // len(more)) if more else drawn


def story(mode: Mode, rng: random.Random) -> Story:
    """One history in three tells one, one in two where the mode has its own; empty for the others."""
    own = TABLE[mode].stories
    if rng.random() > (0.5 if own else 0.33):
        return ()
    return rng.choice(own if own and rng.random() < 0.7 else OF_SERVER)


def drawable(mode: Mode) -> frozenset[str]:
    """Every kind that some history of this mode may be struck by."""
    row = TABLE[mode]
    told = {step.kind for each in OF_SERVER + row.stories for step in each}
    return frozenset({*FAULTS, *ORDERS, *CALM, *told, *BIRTH, *row.more, row.first} - {""})


def document(mode: Mode, ttl: float, count: int = 0) -> dict[str, object]:
    """The settings of a new cluster."""
    counted = {"synchronous_node_count": count} if count else {}
    ignored = [{"name": KEPT, "type": "physical"}]
    return {**timing(ttl), **TABLE[mode].settings, **counted, "ignore_slots": ignored}


def timing(ttl: float) -> dict[str, object]:
    """Settings that fit this TTL."""
    return {"ttl": ttl, "loop_wait": min(10.0, ttl / 3), "retry_timeout": max(1.0, ttl / 10)}
