"""The model's clients and replication: who hears of a commit, and when."""

import pytest

from pgctl.model.conf import Conf, Upstream
from tests.sim.postgres_model import Server
from tests.sim.replication_model import CLIENTS
from tests.sim.world import World


class Pair:
    """a takes writes; b and c stream from it. The first write comes 0.05 s after the start."""

    def __init__(self, names: str) -> None:
        self.world = World(1)
        self.a, self.b, self.c = (self.world.servers.setdefault(name, Server(name)) for name in "abc")
        self.a.configure(Conf(standby=False, sync_names=names))
        self.a.initdb("7000000000000000001")
        for standby in (self.b, self.c):
            standby.copy_from(self.a)
            standby.configure(Conf(standby=True, upstream=Upstream("a", "a", 5432)))
            standby.start(standby=True)
            standby.come_up()
        self.world.replication.begin(self.world.now)

    def run(self, seconds: float) -> int:
        """How many commits were acknowledged by the end."""
        self.world.run(self.world.now + seconds)
        return len(self.world.record.acknowledged)


@pytest.mark.sim
@pytest.mark.parametrize("names", ["", "b", "2 (b,c)", "ANY 1 (b,c)"])
def test_commits_are_acknowledged_while_those_named_stream(names: str) -> None:
    assert Pair(names).run(1.049) == 20


@pytest.mark.sim
def test_a_commit_waits_for_who_is_named_and_clients_run_out() -> None:
    pair = Pair("b")
    pair.b.crash()
    assert pair.run(1.049) == 0
    assert len(pair.a.wal) == 20 == pair.c.flushed
    assert pair.run(60.0) == 0
    assert len(pair.a.wal) == CLIENTS
    pair.a.configure(Conf(standby=False, sync_names="c"))
    assert pair.run(1.0) == 0
    pair.a.reload()
    assert pair.run(0.1) >= CLIENTS


@pytest.mark.sim
def test_a_stop_leaves_waiting_clients_without_a_word() -> None:
    pair = Pair("b")
    pair.b.crash()
    pair.run(1.0)
    pair.a.begin_stop()
    pair.world.replication.drain(pair.a)
    pair.a.end_stop()
    assert pair.run(1.0) == 0
    assert pair.c.wal == pair.a.wal != []


@pytest.mark.sim
@pytest.mark.parametrize("lost", [True, False])
def test_only_a_lost_host_loses_what_was_not_flushed(lost: bool) -> None:
    pair = Pair("")
    pair.b.slow_disk = 3.0
    pair.run(1.0)
    pair.run(1.0)
    flushed = pair.b.flushed
    assert 0 < flushed < len(pair.b.wal)
    if lost:
        pair.b.lose_tail()
    pair.b.crash()
    assert (len(pair.b.wal) == flushed) is lost


@pytest.mark.sim
def test_a_slow_disk_acknowledges_late_and_sends_only_what_it_flushed() -> None:
    pair = Pair("")
    pair.a.slow_disk = 0.5
    pair.run(2.0)
    acknowledged = pair.world.record.acknowledged
    assert len({at for at, _, _ in acknowledged}) <= 5
    assert len(pair.b.wal) <= pair.a.flushed < len(pair.a.wal)


@pytest.mark.sim
def test_senders_are_as_pg_stat_replication_shows_them() -> None:
    pair = Pair("b")
    pair.run(1.0)
    found = {sender.application_name: (sender.sync_state, sender.sync_priority) for sender in
             pair.a.look(pair.world.replication.senders(pair.a)).senders}  # fmt: skip
    assert found == {"b": ("sync", 1), "c": ("async", 0)}


@pytest.mark.sim
@pytest.mark.parametrize("how", ["link", "host"])
def test_a_session_whose_other_end_is_silent_is_believed_in_for_a_minute(how: str) -> None:
    """So the commits of whoever named that standby wait, though another one streams."""
    pair = Pair("1 (b,c)")
    pair.run(1.0)
    if how == "link":
        pair.world.cut_links.add(frozenset("ab"))
    else:
        pair.b.vanish()
    before = pair.run(50.0)
    assert {one.name for one in pair.world.replication.followers(pair.a)} == {"b", "c"}
    assert pair.run(5.0) == before
    assert pair.run(10.0) > before
    assert {one.name for one in pair.world.replication.followers(pair.a)} == {"c"}
    pair.world.cut_links.clear()
    pair.b.appear()
    pair.run(1.0)
    assert pair.b.streams is (how == "link")
