"""Crashes, frozen and lost processes: the cluster heals by itself, and never writes in two places."""

import signal

import pytest

from pgctl.units import Seconds
from tests.e2e.cluster import Cluster
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("each_store")]


def test_a_crashed_primary_is_back_without_loss(cluster: Cluster) -> None:
    """kill -9 of the postmaster: started again in place, or another leads. Either way no acknowledged write is lost

    that reached the one who leads; in place none at all.
    """
    leader = cluster.wait_leader()
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(20)
        cluster.kill_server(leader)
        writer.wait_more(20)
        cluster.wait_healthy()
    note("crash of the primary", writer)
    assert witness.overlaps == ()
    if cluster.leader() == leader:
        assert writer.lost() == ()


def test_a_crashed_standby_is_back(cluster: Cluster) -> None:
    leader, victim = cluster.wait_leader(), cluster.replicas()[0]
    cluster.kill_server(victim)
    cluster.wait("the standby's server runs again", lambda: cluster.server(victim) is not None)
    cluster.wait_healthy()
    assert cluster.leader() == leader


def _agent_dies(cluster: Cluster, number: signal.Signals) -> None:
    """Without its agent the primary is stopped before the lease ends; another leads; the old one comes back."""
    leader = cluster.wait_leader()
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(20)
        cluster.signal_agent(leader, number)
        successor = cluster.wait_leader(other_than=leader)
        writer.wait_more(20)
        assert not cluster.writable(leader)
        cluster.heal()
    note(f"{number.name} of the leader's agent", writer)
    assert successor != leader
    assert witness.overlaps == ()


def test_a_killed_agent_loses_the_lead_and_its_server_is_fenced(cluster: Cluster) -> None:
    _agent_dies(cluster, signal.SIGKILL)


def test_a_frozen_agent_loses_the_lead_and_its_server_is_fenced(cluster: Cluster) -> None:
    """SIGSTOP for good: the fence ends server and agent; the supervisor's part, a new agent, is played by `heal`."""
    _agent_dies(cluster, signal.SIGSTOP)


def test_an_agent_frozen_for_a_moment_costs_nothing(cluster: Cluster) -> None:
    leader = cluster.wait_leader()
    session = cluster.connect(leader)
    cluster.signal_agent(leader, signal.SIGSTOP)
    cluster.clock.sleep(Seconds(1.0))
    cluster.signal_agent(leader, signal.SIGCONT)
    cluster.clock.sleep(Seconds(6.0))
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        assert cursor.fetchone() == (False,)
    session.close()
    assert cluster.leader() == leader


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped-in-pause"])
def test_an_agent_that_comes_back_adopts_its_server(cluster: Cluster, number: signal.Signals) -> None:
    """kill -9 and an immediate start, or an orderly restart in pause: not one connection is lost."""
    leader = cluster.wait_leader()
    if number is signal.SIGTERM:
        assert cluster.pgctl("pause", "--wait").returncode == 0
    session = cluster.connect(leader)
    cluster.agents[leader].send_signal(number)
    cluster.agents[leader].wait(timeout=30)
    cluster.start_agent(leader)
    if number is signal.SIGTERM:
        cluster.wait("the new agent leads", lambda: cluster.leader() == leader)
        assert cluster.pgctl("resume", "--wait").returncode == 0
    cluster.clock.sleep(Seconds(6.0))
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        assert cursor.fetchone() == (False,)
    session.close()
    cluster.wait_healthy()
    assert cluster.leader() == leader


def test_a_lost_host_is_replaced_and_welcomed_back(cluster: Cluster) -> None:
    leader = cluster.wait_leader()
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(20)
        cluster.lose_host(leader)
        successor = cluster.wait_leader(other_than=leader)
        writer.wait_more(20)
        cluster.heal()
    note("host lost", writer)
    assert successor != leader
    assert witness.overlaps == ()
    assert cluster.leader() == successor


def test_an_orderly_end_of_the_leader_hands_over(cluster: Cluster) -> None:
    """SIGTERM to the leader's agent: server stopped, key released, so nobody waits for the lease to end."""
    leader = cluster.wait_leader()
    with Writer(cluster) as writer:
        cluster.signal_agent(leader, signal.SIGTERM)
        assert cluster.agents[leader].wait(timeout=30) == 0
        cluster.wait_leader(other_than=leader)
        writer.wait_more(10)
        assert cluster.server(leader) is None
        cluster.heal()
    note("orderly end of the leader", writer)
    assert writer.lost() == ()


def test_a_diverged_primary_rejoins_by_rewind(cluster: Cluster) -> None:
    """What only the lost primary has are undone by pg_rewind, and it streams from the new one."""
    leader = cluster.wait_leader()
    others = cluster.replicas()
    _diverge(cluster, leader, others)
    cluster.heal()
    assert cluster.query(leader, "SELECT count(*) FROM diverged") == [(0,)]
    assert "rewind" in cluster.log(leader)


def test_a_member_that_rewind_cannot_help_is_cloned_anew(cluster: Cluster) -> None:
    """WAL needed for the rewind is gone from both sides: the data directory is replaced, and the log says why."""
    leader = cluster.wait_leader()
    others = cluster.replicas()
    _diverge(cluster, leader, others)
    cluster.break_rewind(leader)
    cluster.heal()
    assert cluster.query(leader, "SELECT count(*) FROM diverged") == [(0,)]


def _diverge(cluster: Cluster, leader: str, others: tuple[str, ...]) -> None:
    """Makes the leader write what nobody else gets, and loses its host; another leads afterwards."""
    cluster.query(leader, "CREATE TABLE IF NOT EXISTS diverged (id int)")
    cluster.query(leader, "DELETE FROM diverged")
    cluster.wait_healthy()
    streams = "SELECT count(*) FROM pg_stat_replication"
    replayed = f"{streams} WHERE replay_lsn >= pg_current_wal_lsn()"
    cluster.wait("the others have the table", lambda: cluster.query(leader, replayed) == [(len(others),)])
    for name in others:
        cluster.signal_agent(name, signal.SIGSTOP)
        cluster.kill_server(name)
    # A receiver outlives its postmaster by some milliseconds.
    cluster.wait("nobody receives any more", lambda: cluster.query(leader, streams) == [(0,)])
    cluster.query(leader, "INSERT INTO diverged SELECT generate_series(1, 1000)")
    cluster.lose_host(leader)
    for name in others:
        cluster.signal_agent(name, signal.SIGCONT)
    cluster.wait_leader(other_than=leader)
