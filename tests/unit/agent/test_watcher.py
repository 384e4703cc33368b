"""Which keys call for a cycle, and a watch over a store that comes and goes."""

import select

import pytest

from pgctl.agent.bell import Bell
from pgctl.agent.watcher import Interest, Watcher, matters
from pgctl.clock import SystemClock
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.inproc import Fate, Fault, InprocStore, Universe
from pgctl.units import Seconds


@pytest.mark.parametrize(("keys", "interest", "rung"), [
    (set(), Interest(), True),
    ({"leader"}, Interest(), True),
    ({"config", "status"}, Interest(), True),
    ({"status"}, Interest(), False),
    ({"status"}, Interest(orders=True), True),
    ({"history"}, Interest(orders=True), False),
    ({"history", "failsafe", "events", "optime/leader"}, Interest(), False),
    ({"members/b"}, Interest(known=frozenset({"a", "b"})), False),
    ({"members/b"}, Interest(known=frozenset({"a", "b"}), members=True), True),
    ({"members/a"}, Interest(own="a"), False),
    ({"members/a"}, Interest(members=True, own="a"), False),
    ({"members/a", "members/b"}, Interest(members=True, own="a"), True),
    ({"members/c"}, Interest(known=frozenset({"a", "b"})), True),
    ({"members/b", "leader"}, Interest(known=frozenset({"b"})), True),
    ({"leader", "failover"}, Interest(busy=True), False),
    (set(), Interest(busy=True), False),
])  # fmt: skip
def test_keys_that_matter(keys: set[str], interest: Interest, rung: bool) -> None:
    assert matters(frozenset(keys), interest) is rung


def rings(bell: Bell, within: float = 3.0) -> bool:
    heard = bool(select.select([bell.fileno()], [], [], within)[0])
    bell.clear()
    return heard


def test_it_rings_for_a_change_and_when_the_store_is_back() -> None:
    clock, bell = SystemClock(), Bell()
    universe = Universe(clock)
    mine, other = InprocStore(universe, "a", clock), InprocStore(universe, "b", clock)
    store = ClusterStore(mine, "prod")
    watcher = Watcher(store, bell, clock)
    watcher.note(Interest(known=frozenset({"a", "b"})))
    watcher.start()
    other.put("leader", "b", budget=Seconds(1))
    assert rings(bell)
    other.put("members/b", "{}", budget=Seconds(1))
    assert not rings(bell, within=0.2)
    universe.plan = lambda member, verb: Fault(Fate.REFUSED if member == "a" else Fate.SERVED)
    other.put("status", "1", budget=Seconds(1))
    assert not rings(bell, within=0.3)
    universe.plan = lambda member, verb: Fault()
    assert rings(bell)
    store.close()
    watcher.stop(Seconds(5))
