"""A standby cluster beside its primary: born from it, fed by it, kept up without it, promoted and demoted as a whole."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
import urllib3

from tests.e2e import cluster as clusters
from tests.e2e.cluster import QUICK, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("each_store")]

SENDERS = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"
TIMELINE = "SELECT timeline_id FROM pg_control_checkpoint()"
STARTED = "SELECT pg_postmaster_start_time()::text"


@pytest.fixture
def pair(each_store: str, tmp_path: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary cluster of one, and a standby cluster of two that follows it through a slot."""
    reason = clusters.why_not(each_store)
    if reason:
        pytest.skip(reason)
    with ExitStack() as stack:
        settings: dict[str, object] = {**QUICK, "slots": {"dr": {"type": "physical"}}}
        main = Cluster(str(tmp_path / "main"), nodes=1, dcs=each_store, settings=settings)
        stack.enter_context(main.running())
        main.query("pg1", "CREATE TABLE told (what text)")
        settings = {**QUICK, "standby_cluster": follow(main, "pg1", slot="dr")}
        standby = Cluster(str(tmp_path / "dr"), nodes=2, dcs=each_store, settings=settings, beside=main)
        stack.enter_context(standby.running())
        yield main, standby


def follow(other: Cluster, name: str, slot: str = "") -> dict[str, object]:
    """The section that makes a cluster follow that member of another one."""
    found: dict[str, object] = {"host": "127.0.0.1", "port": other.plan.node(name).port}
    return found | ({"primary_slot_name": slot} if slot else {})


def tell(cluster: Cluster, name: str, what: str) -> None:
    cluster.query(name, f"INSERT INTO told VALUES ('{what}')")


def hears(cluster: Cluster, what: str, timeout: float = 20.0) -> None:
    """Every member of the cluster has the row, soon."""
    for name in cluster.names:
        cluster.wait(f"{name} has heard {what}", lambda name=name: (what,) in _told(cluster, name), timeout)  # type: ignore[misc]


def _told(cluster: Cluster, name: str) -> list[tuple[object, ...]]:
    try:
        return cluster.query(name, "SELECT what FROM told")
    except psycopg2.Error:
        return []


def leader_other_than(cluster: Cluster, former: str) -> str:
    cluster.wait(f"a leader other than {former}", lambda: cluster.leader() not in (None, former))
    return str(cluster.leader())


def health(cluster: Cluster, name: str, path: str) -> int:
    """The status of a health check."""
    url = f"http://127.0.0.1:{cluster.plan.node(name).rest_port}{path}"
    return int(urllib3.request("GET", url, timeout=5.0, retries=False).status)


def test_a_standby_cluster_lives_takes_over_and_steps_back(pair: tuple[Cluster, Cluster]) -> None:
    main, standby = pair
    first = standby.leader()
    assert first is not None
    other = standby.replicas()[0]

    # Fed by the remote, in a cascade, through the slot.
    tell(main, "pg1", "born")
    hears(standby, "born")
    assert main.query("pg1", SENDERS) == [(first,)]
    assert main.query("pg1", "SELECT active FROM pg_replication_slots WHERE slot_name = 'dr'") == [(True,)]
    assert standby.query(first, SENDERS) == [(other,)]
    checks = {path: health(standby, first, path) for path in ("/standby-leader", "/leader", "/primary", "/replica")}
    assert checks == {"/standby-leader": 200, "/leader": 200, "/primary": 503, "/replica": 503}
    assert "Standby Leader" in standby.pgctl("list").stdout

    # A switchover moves the key alone: no server is restarted.
    before = {name: standby.query(name, STARTED) for name in standby.names}
    done = standby.pgctl("switchover", "--candidate", other, "--force")
    assert done.returncode == 0, done.stdout + done.stderr + standby.last_words()
    standby.wait_healthy()
    assert standby.leader() == other
    assert {name: standby.query(name, STARTED) for name in standby.names} == before
    tell(main, "pg1", "switched")
    hears(standby, "switched")
    assert main.query("pg1", SENDERS) == [(other,)]

    # The standby leader's host is lost.
    standby.lose_host(other)
    assert leader_other_than(standby, other) == first
    tell(main, "pg1", "lost a host")
    standby.heal()
    hears(standby, "lost a host")
    assert not any(standby.writable(name) for name in standby.names)

    # Roles are exchanged: the primary cluster steps back in order, and the standby cluster takes over.
    port = str(standby.plan.node(first).port)
    done = main.pgctl("demote-cluster", "--host", "127.0.0.1", "--port", port, "--force")
    assert done.returncode == 0, done.stdout + done.stderr + main.last_words()
    main.wait("the old primary follows", lambda: (member := main.member("pg1")) is not None
              and member.role == "standby_leader" and member.replication_state == "streaming")
    done = standby.pgctl("promote-cluster", "--force")
    assert done.returncode == 0, done.stdout + done.stderr + standby.last_words()
    assert standby.writable(first)
    tell(standby, first, "taken over")
    hears(standby, "taken over")
    hears(main, "taken over")
    assert not main.writable("pg1")
    assert "rewind starts" not in main.log("pg1")
