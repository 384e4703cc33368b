"""The ways a leader steps down besides a switchover: it crashes too often, is not to be waited for, or its key is another's.

Who takes over, and how long nobody could write.
"""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3")]


@pytest.fixture
def configured(cluster: Cluster) -> Iterator[Cluster]:
    """A healthy cluster, whose settings are put back."""
    before = cluster.raw_get("config")
    yield cluster
    cluster.raw_put("config", before)


def crash(cluster: Cluster, name: str) -> None:
    """kill -9 of a postmaster that runs; waits until the agent has looked at it as a primary before."""
    cluster.wait("the primary runs", lambda: cluster.writable(name))
    state = json.loads(cluster.raw_get(f"members/{name}"))
    assert state["role"] == "primary"
    cluster.kill_server(name)


def test_a_primary_that_is_not_waited_for_is_replaced_at_once(configured: Cluster) -> None:
    """primary_start_timeout 0: no start in place, and nobody waits for the lease to end."""
    settings = json.loads(configured.raw_get("config"))
    configured.raw_put("config", json.dumps({**settings, "primary_start_timeout": 0}))
    leader = configured.wait_leader()
    with Witness(configured) as witness, Writer(configured) as writer:
        writer.wait_more(20)
        crash(configured, leader)
        assert configured.wait_leader(other_than=leader) != leader
        writer.wait_more(20)
        configured.wait_healthy()
    note("crash with primary_start_timeout 0", writer)
    assert writer.gap() < float(settings["ttl"]), "it was faster than the lease"
    assert witness.overlaps == ()


def test_a_primary_that_crashes_again_and_again_is_replaced(configured: Cluster) -> None:
    """Twice it comes back in place; the third time somebody else leads."""
    leader = configured.wait_leader()
    with Witness(configured) as witness, Writer(configured) as writer:
        for _ in range(2):
            writer.wait_more(20)
            crash(configured, leader)
            configured.wait("it is back in place", lambda: configured.writable(leader))
            assert configured.leader() == leader
            configured.wait_healthy()
        crash(configured, leader)
        assert configured.wait_leader(other_than=leader) != leader
        writer.wait_more(20)
        configured.wait_healthy()
    note("three crashes", writer)
    assert "crashed 3 times" in configured.log(leader)
    assert witness.overlaps == ()


def test_a_primary_whose_key_is_another_s_stops_at_once(configured: Cluster) -> None:
    """Without giving up a key that is not its own."""
    leader = configured.wait_leader()
    with Witness(configured) as witness:
        configured.raw_put("leader", "nobody")
        configured.wait("the primary stops", lambda: not configured.writable(leader), 5)
        assert configured.raw_get("leader") == "nobody"
        configured.raw_delete("leader")
        configured.wait_leader()
        configured.wait_healthy()
    assert witness.overlaps == ()
