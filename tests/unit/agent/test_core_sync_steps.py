"""The planner's worked sequences: ha.md Q70 to Q83, the states of WK34 that stopped another planner, and priority mode.

A row reads: published voters and quorum, names in force and how many of them, who is wanted, node count → the writes.
`sync k S` puts names into force, `quorum q V` publishes. Between two writes the names in force are proven.
"""

import pytest

from pgctl.agent.core import sync
from pgctl.agent.core.sync import Confirming, Published, Standing

QUORUM = {
    "Q70 a first set": "- 0  - 0  xyz 1 -> sync 1 xyz; quorum 2 xyz",
    "Q71 names in force, nothing published": "- 0  xyz 1  xyz 1 -> quorum 2 xyz",
    "Q72 more must confirm": "xyz 2  xyz 1  xyz 2 -> sync 2 xyz; quorum 1 xyz",
    "Q73 fewer must confirm": "xyz 1  xyz 2  xyz 1 -> quorum 2 xyz; sync 1 xyz",
    "Q74 z is gone": "xyz 2  xyz 1  xy 1 -> sync 1 xy; quorum 1 xy",
    "Q75 y and z are gone": "xyz 2  xyz 1  x 1 -> sync 1 x; quorum 0 x",
    "Q76 all are gone": "xyz 2  xyz 1  - 1 -> quorum 0 -; sync 0 -",
    "Q77 y is gone and no vote can be spared": "xy 0  xy 2  x 2 -> quorum 0 x; sync 1 x",
    "Q78 z joins": "xy 1  xy 1  xyz 1 -> quorum 2 xyz; sync 1 xyz",
    "Q79 z joins two of two": "xy 0  xy 2  xyz 2 -> quorum 1 xyz; sync 2 xyz",
    "Q82 cut short, z alive": "xyz 2  xy 1  xyz 1 -> sync 1 xyz",
    "Q82 cut short, z gone": "xyz 2  xy 1  xy 1 -> quorum 1 xy",
    "Q83 the law is broken": "xyz 0  xyz 1  xyz 1 -> quorum 2 xyz",
    "WK34 only x of three": "xy 1  xyz 3  x 3 -> quorum 0 x; sync 1 x",
    "WK34 x is gone": "xy 0  xyz 3  yz 3 -> quorum 0 yz; sync 2 yz",
    "WK34 y is gone": "xy 1  xyz 3  xz 3 -> quorum 0 xz; sync 2 xz",
    "WK34 z joins and three must confirm": "xy 1  xy 1  xyz 3 -> sync 3 xyz; quorum 0 xyz",
    "one goes, another comes: more confirm for a while": "xy 1  xy 1  xz 1 -> sync 2 xz; quorum 1 xz; sync 1 xz",
    "from priority mode": "x 0  x 1  xyz 1 -> quorum 2 xyz; sync 1 xyz",
}
PRIORITY = {
    "a first standby": "- 0  - 0  x 1 -> sync 1 x; quorum 0 x",
    "a second one: names, then catch up, then /sync": "x 0  x 1  xy 2 -> sync 2 xy; quorum 0 xy",
    "one less: /sync, then names": "xy 0  xy 2  x 1 -> quorum 0 x; sync 1 x",
    "a lagging one is replaced by way of both": "x 0  x 1  y 1 +x -> sync 2 xy; quorum 0 y; sync 1 y",
    "a dead one is replaced by way of nobody": "x 0  x 1  y 1 -> quorum 0 -; sync 1 y; quorum 0 y",
    "one of two is replaced: the other stays published": "xz 0  xz 2  yz 2 -> quorum 0 z; sync 2 yz; quorum 0 yz",
    "all are gone": "xy 0  xy 2  - 1 -> quorum 0 -; sync 0 -",
    "from quorum mode": "xyz 2  xyz 1  x 1 -> sync 1 x; quorum 0 x",
}
ROWS = [*((name, row, True) for name, row in QUORUM.items()), *((name, row, False) for name, row in PRIORITY.items())]


def names(word: str) -> frozenset[str]:
    return frozenset(word.strip("-"))


def told(step: Published | Confirming) -> str:
    word, number, who = (
        ("quorum", step.quorum, step.voters) if isinstance(step, Published) else ("sync", step.needed, step.names)
    )
    return f"{word} {number} {''.join(sorted(who)) or '-'}"


@pytest.mark.parametrize(("name", "row", "quorum"), ROWS, ids=[name for name, _, _ in ROWS])
def test_worked_sequences(name: str, row: str, quorum: bool) -> None:
    state, expected = row.split(" -> ")
    voters, q, listed, k, chosen, count, *others = state.split()
    alive = names(chosen) | names("".join(others).replace("+", ""))
    now = Standing(Published(names(voters), int(q)), Confirming(names(listed), int(k)), names(listed), alive)
    goal = sync.best(names(chosen), int(count), quorum=quorum)
    steps: list[str] = []
    while (now.published, now.confirming) != goal:
        step = sync.next_step(now, goal)
        if step is None:
            now = now._replace(proven=now.confirming.names & alive)
            step = sync.next_step(now, goal)
        assert step is not None, f"stuck after {steps}"
        steps.append(told(step))
        if isinstance(step, Published):
            now = now._replace(published=step)
        else:
            now = now._replace(confirming=step, proven=frozenset())
    assert "; ".join(steps) == expected
    assert sync.next_step(now, goal) is None


def test_nothing_is_published_before_the_names_in_force_are_proven() -> None:
    """WK35: y is listed and streams, and what was acknowledged before may not have reached it yet."""
    goal = sync.best(frozenset("xy"), 2, quorum=False)
    now = Standing(Published(frozenset("x")), Confirming(frozenset("xy"), 2), frozenset("x"), frozenset("xy"))
    assert sync.next_step(now, goal) is None
    assert sync.next_step(now._replace(proven=frozenset("xy")), goal) == Published(frozenset("xy"))


def test_those_who_have_caught_up_are_published_before_the_slow_one() -> None:
    goal = sync.best(frozenset("xyz"), 3, quorum=False)
    now = Standing(Published(), Confirming(frozenset("xyz"), 3), frozenset("xz"), frozenset("xyz"))
    assert sync.next_step(now, goal) == Published(frozenset("xz"))


def test_a_quorum_is_lowered_once_enough_have_caught_up() -> None:
    goal = sync.best(frozenset("xyz"), 2, quorum=True)
    now = Standing(Published(frozenset("xyz"), 2), Confirming(frozenset("xyz"), 2), frozenset("x"), frozenset("xyz"))
    assert sync.next_step(now, goal) is None
    assert sync.next_step(now._replace(proven=frozenset("xz")), goal) == Published(frozenset("xyz"), 1)
