"""Who leads next when the leader's host is lost: by tags, by lag, and by an administrator's word. On etcd."""

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.editing import tag
from tests.e2e.witness import Witness

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3")]

MEGABYTES = "SELECT count(pg_logical_emit_message(true, 'burst', repeat('x', 1024))) FROM generate_series(1, 4096)"
"""More than maximum_lag_on_failover, which is one; on disk when it returns."""


@pytest.fixture
def tagged(cluster: Cluster) -> Iterator[Cluster]:
    """A healthy cluster, whose tags are taken away afterwards."""
    cluster.wait_leader()
    yield cluster
    cluster.heal()
    for name in cluster.names:
        tag(cluster, name)


def test_a_member_that_may_not_lead_is_passed_over(tagged: Cluster) -> None:
    leader, (barred, other) = tagged.wait_leader(), tagged.replicas()
    tag(tagged, barred, nofailover=True)
    with Witness(tagged) as witness:
        tagged.lose_host(leader)
        assert tagged.wait_leader(other_than=leader) == other
        refused = tagged.pgctl("switchover", "--candidate", barred, "--force")
        assert refused.returncode == 1 and "nofailover" in refused.stderr, refused.stderr
        assert tagged.leader() == other
    assert witness.overlaps == ()


def test_of_two_that_have_the_same_the_preferred_one_leads(tagged: Cluster) -> None:
    leader, (second, first) = tagged.wait_leader(), tagged.replicas()
    tag(tagged, second, failover_priority=2)
    tag(tagged, first, failover_priority=3)
    with Witness(tagged) as witness:
        tagged.lose_host(leader)
        assert tagged.wait_leader(other_than=leader) == first
        explained = tagged.pgctl("explain", first)
        assert explained.returncode == 0, explained.stderr
    assert witness.overlaps == ()


def test_one_that_lags_leads_by_order_alone(tagged: Cluster) -> None:
    """Only a standby that misses megabytes is left: nobody is promoted, that is explained, and an order is carried out.

    Those that had more come back, and give up what the new leader never had.
    """
    leader, (late, other) = tagged.wait_leader(), tagged.replicas()
    tagged.lose_host(late)
    tagged.query(leader, MEGABYTES)
    at = tagged.query(leader, "SELECT pg_current_wal_flush_lsn() - '0/0'")[0][0]

    def published() -> bool:
        state = tagged.read()
        return state is not None and state.status.optime >= int(str(at))

    tagged.wait("the leader has published where it is", published)
    for name in (other, leader):
        tagged.lose_host(name)
    tagged.start_agent(late)
    tagged.wait("the lease is over", lambda: tagged.leader() is None)
    tagged.wait("the late one runs", lambda: tagged.query(late, "SELECT pg_is_in_recovery()") == [(True,)])
    tagged.wait("the late one says why it does not lead", lambda: "behind" in tagged.pgctl("explain", late).stdout)
    assert tagged.leader() is None and not tagged.writable(late)
    done = tagged.pgctl("failover", "--candidate", late, "--force", "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tagged.wait_leader() == late
    tagged.heal()
    assert tagged.leader() == late
    tagged.wait("the log is measured by the new leader's", lambda: not published())
    tagged.lose_host(late)
    assert tagged.wait_leader(other_than=late) in (leader, other)
