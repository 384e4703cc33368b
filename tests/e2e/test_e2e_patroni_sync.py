"""Synchronous replication in a cluster of two kinds: each reads the other's `/sync`, and nothing acknowledged is lost."""

import logging
from collections.abc import Iterator

import pytest

from tests.e2e import cluster as clusters
from tests.e2e import patroni_peer
from tests.e2e.patroni_peer import PATRONI, PGCTL, SETTINGS, MixedCluster
from tests.e2e.test_e2e_synchronous import standbys, synchronous
from tests.e2e.writer import Writer

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3"), pytest.mark.timeout(400)]
log = logging.getLogger("e2e")


@pytest.fixture(params=["on", "quorum"])
def mixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedCluster]:
    """Of pgctl, Patroni, pgctl."""
    why = patroni_peer.why_not() or clusters.why_not("etcd3")
    if why:
        pytest.skip(why)
    settings = {**SETTINGS, "synchronous_mode": request.param, "synchronous_node_count": 2 if request.param == "on" else 1}
    with MixedCluster(str(tmp_path_factory.mktemp("sync")), (PGCTL, PATRONI, PGCTL), settings).running() as made:
        yield made


def test_each_kind_reads_the_others_sync(mixed: MixedCluster) -> None:
    """Ours leads and theirs is synchronous; theirs leads and ours is; ours takes over when the host of theirs is lost."""
    (theirs,), (first, _) = mixed.of_kind(PATRONI), mixed.of_kind(PGCTL)
    leader = mixed.wait_leader()
    if leader == theirs:
        assert mixed.pgctl("switchover", "--candidate", first, "--force").returncode == 0
        leader = first
    mixed.wait("both others are synchronous", synchronous(mixed, 2))
    path = "/quorum" if mixed.plan.dcs_settings["synchronous_mode"] == "quorum" else "/sync"
    mixed.wait("theirs says that it is synchronous", lambda: mixed.get(theirs, path).status == 200)
    with Writer(mixed) as writer:
        writer.wait_more(20)
        done = mixed.pgctl("switchover", "--candidate", theirs, "--force")
        assert done.returncode == 0, done.stdout + done.stderr
        mixed.wait("both others are synchronous", synchronous(mixed, 2), 60)
        ours = standbys(mixed)[0]
        mixed.wait("ours says that it is synchronous", lambda: mixed.get(ours, path).status == 200)
        writer.wait_more(20)
        since = writer.acknowledged[-1].at
        assert mixed.pgctl("restart", ours, "--force", timeout=90).returncode == 0
        writer.wait_more(20)
        log.info("restart of ours under their lead: %.0f ms without a write", writer.gap(since) * 1000)
        mixed.wait("both others are synchronous", synchronous(mixed, 2), 60)
        listed = standbys(mixed)
        mixed.lose_host(theirs)
        successor = mixed.wait_leader(other_than=theirs, timeout=60)
        writer.wait_more(20)
    assert successor in listed
    assert writer.lost() == ()
