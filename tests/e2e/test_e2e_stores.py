"""The same life on each store that has a server: switchover, lost host, frozen agent, and the store itself gone.

The cluster of a store is built once; each test leaves it whole.
"""

import signal
from collections.abc import Iterator

import pytest

from pgctl.errors import ExitCode
from pgctl.units import Seconds
from tests.contract.launchers import LAUNCHERS
from tests.contract.services import wait_for
from tests.e2e import cluster as clusters
from tests.e2e.served import ServedCluster, served
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = pytest.mark.e2e

STORES: dict[str, tuple[str, dict[str, object]]] = {
    **{kind: (kind, {}) for kind in LAUNCHERS if kind != "etcd3"},
    "endpoints": ("kubernetes", {"use_endpoints": True}),
}
"""By the test's name: the kind of the section, and options besides. etcd3 has all of life's tests to itself."""
KINDS = [pytest.param(name, marks=pytest.mark.store(kind)) for name, (kind, _) in STORES.items()]
BEGINS = 3.0
"""Seconds that a command may take to begin and to end, on a busy machine."""


@pytest.fixture(scope="module", params=KINDS)
def alive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCluster]:
    if reason := clusters.why_not("sqlite"):
        pytest.skip(reason)
    kind, options = STORES[request.param]
    with served(tmp_path_factory.mktemp(request.param), kind, options) as cluster:
        yield cluster


@pytest.fixture
def cluster(alive: ServedCluster) -> ServedCluster:
    alive.heal()
    return alive


def test_switchover_under_load(cluster: ServedCluster) -> None:
    leader, wanted = cluster.wait_leader(), cluster.replicas()[0]
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(10)
        done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
        assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
        writer.wait_more(10)
        cluster.wait_healthy()
    note(f"{cluster.kind}: switchover {leader} -> {wanted}", writer)
    assert writer.lost() == () and witness.overlaps == ()
    listed = cluster.pgctl("list")
    assert listed.returncode == 0 and all(name in listed.stdout for name in cluster.names), listed.stderr


def test_a_lost_host_is_replaced(cluster: ServedCluster) -> None:
    leader = cluster.wait_leader()
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(10)
        cluster.lose_host(leader)
        cluster.wait_leader(other_than=leader)
        writer.wait_more(10)
        cluster.heal()
    note(f"{cluster.kind}: host lost", writer)
    assert witness.overlaps == ()


def test_a_frozen_agent_loses_the_lead_before_another_has_it(cluster: ServedCluster) -> None:
    leader = cluster.wait_leader()
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(10)
        cluster.signal_agent(leader, signal.SIGSTOP)
        cluster.wait_leader(other_than=leader)
        writer.wait_more(10)
        assert not cluster.writable(leader)
        cluster.heal()
    note(f"{cluster.kind}: agent frozen", writer)
    assert witness.overlaps == ()


def test_a_restarted_store_is_found_again(cluster: ServedCluster) -> None:
    """A start may take longer than this short lease: then nobody writes meanwhile, and afterwards one does."""
    server = cluster.server_of_store
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(10)
        server.kill()
        server.start()
        wait_for(server.healthy, within=60, what="the store")
        cluster.wait_healthy()
        writer.wait_more(10)
    note(f"{cluster.kind}: store restarted", writer)
    assert witness.overlaps == ()


def test_a_store_away_for_longer_than_the_lease_costs_the_lead_and_no_more(cluster: ServedCluster) -> None:
    """Frozen, as a cut network would have it. The command line asks the members then, and says so with 4."""
    server = cluster.server_of_store
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(10)
        leader = cluster.wait_leader()
        server.signal(signal.SIGSTOP)
        try:
            cluster.wait("the primary is stopped", lambda: not cluster.writable(leader), 20)
            asked = cluster.clock.now()
            listed = cluster.pgctl("--timeout", "2", "list", timeout=60, on=leader)
            assert listed.returncode == ExitCode.DCS_UNREACHABLE, listed.stdout + listed.stderr
            assert all(name in listed.stdout for name in cluster.names) and "asked directly" in listed.stderr, listed.stderr
            assert cluster.clock.now() - asked < 2 + BEGINS
            cluster.clock.sleep(Seconds(1.0))  # nobody may come up while nobody can know
            assert not any(cluster.writable(name) for name in cluster.names)
        finally:
            server.signal(signal.SIGCONT)
        wait_for(server.healthy, within=60, what="the store")
        cluster.wait_healthy()
        writer.wait_more(10)
    note(f"{cluster.kind}: store away", writer)
    assert witness.overlaps == ()
