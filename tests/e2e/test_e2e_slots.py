"""Slots that outlive their leader: standbys keep the log for each other, and a logical consumer misses nothing.

One cluster, hurt in the order of the tests. What each version does for a logical slot is named in `docs/slots.md`.
"""

from collections.abc import Iterator
from contextlib import suppress

import psycopg2
import pytest

from tests.e2e import cluster as clusters
from tests.e2e.cluster import QUICK, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3"), pytest.mark.pg(">= 13")]

SETTINGS = {
    **QUICK,
    "slots": {"feed": {"type": "logical", "database": "postgres", "plugin": "test_decoding"}},
    "ignore_slots": [{"name": "theirs"}],
    "postgresql": {
        "use_pg_rewind": True,
        "parameters": {"max_connections": 50, "shared_buffers": "16MB", "wal_level": "logical",
                       "password_encryption": "scram-sha-256"},
    },
}
CHANGES = "SELECT data FROM pg_logical_slot_get_changes('feed', NULL, NULL) WHERE data LIKE 'table public.t:%'"
PROTECTED = "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical' AND catalog_xmin IS NOT NULL"


class Consumer:
    """Inserts numbers, and takes what the slot gives of them, wherever the leader is."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.next, self.received = 1, set[int]()

    def insert(self, count: int) -> None:
        for _ in range(count):
            self._run(f"INSERT INTO t VALUES ({self.next})")
            self.next += 1

    def consume(self) -> None:
        self.received |= {int(str(text).rpartition(":")[2]) for (text,) in self._run(CHANGES)}

    def missed(self) -> set[int]:
        """Rows that are there and never came."""
        return {int(str(row[0])) for row in self._run("SELECT n FROM t")} - self.received

    def _run(self, sql: str) -> list[tuple[object, ...]]:
        found: list[list[tuple[object, ...]]] = []

        def done() -> bool:
            leader = self.cluster.leader()
            with suppress(psycopg2.Error):
                if leader is not None and self.cluster.writable(leader):
                    found.append(self.cluster.query(leader, sql))
            return bool(found)

        self.cluster.wait(f"the leader does {sql!r}", done, 30)
        return found[-1]


def slots(cluster: Cluster, name: str, kind: str = "physical") -> set[str]:
    rows = cluster.query(name, f"SELECT slot_name FROM pg_replication_slots WHERE slot_type = '{kind}' AND NOT temporary")
    return {str(row[0]) for row in rows}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := clusters.why_not("etcd3"):
        pytest.skip(reason)
    with Cluster(str(tmp_path_factory.mktemp("slots")), dcs="etcd3", settings=SETTINGS).running() as made:
        yield made


@pytest.fixture(scope="module")
def consumer(running: Cluster) -> Consumer:
    running.query(running.wait_leader(), "CREATE TABLE t (n int)")
    return Consumer(running)


def settle(consumer: Consumer) -> None:
    """The slot is on every member, and its consumer has caught up, and every member has heard of it."""
    cluster = consumer.cluster

    def everywhere() -> bool:
        consumer.insert(1)
        consumer.consume()
        with suppress(psycopg2.Error):
            found = all(slots(cluster, name, "logical") == {"feed"} for name in cluster.names)
            return found and cluster.query(cluster.leader() or "", PROTECTED) == [(len(cluster.names) - 1,)]
        return False

    cluster.wait("the slot is everywhere, and the leader keeps what it needs", everywhere, 60)
    cluster.wait_healthy()
    consumer.insert(5)
    consumer.consume()
    confirmed = "FROM pg_replication_slots WHERE slot_name = 'feed'"
    at = cluster.query(cluster.wait_leader(), f"SELECT confirmed_flush_lsn {confirmed}")
    moved = f"SELECT confirmed_flush_lsn >= '{at[0][0]}' {confirmed}"

    def heard() -> bool:
        consumer.insert(1)
        return all(cluster.query(name, moved) == [(True,)] for name in cluster.replicas())

    cluster.wait("the slots of the standbys have moved", heard, 30)


def test_every_member_keeps_the_log_for_every_other(running: Cluster) -> None:
    """And lets go of it as they move on, whether or not anybody streams through the slot."""
    leader = running.wait_leader()
    running.query(leader, "SELECT pg_create_physical_replication_slot('theirs', true)")
    for name in running.names:
        others = set(running.names) - {name} | ({"theirs"} if name == leader else set())
        running.wait(f"{name} has slots for {others}", lambda name=name, others=others:  # type: ignore[misc]
                     slots(running, name) == others, 20)
    running.query(leader, "SELECT pg_switch_wal()")
    at = running.query(leader, "SELECT pg_current_wal_lsn()")[0][0]
    moved = f"SELECT bool_and(restart_lsn >= '{at}') FROM pg_replication_slots WHERE slot_type = 'physical'"
    for name in running.replicas():
        running.wait(f"the slots on {name} moved", lambda name=name:  # type: ignore[misc]
                     running.query(name, moved) == [(True,)], 20)


def test_a_logical_consumer_misses_nothing_in_a_switchover(consumer: Consumer) -> None:
    cluster = consumer.cluster
    settle(consumer)
    consumer.insert(10)
    wanted = cluster.replicas()[0]
    done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
    assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
    consumer.insert(10)
    consumer.consume()
    assert consumer.missed() == set()
    assert "not ready here" not in cluster.log(wanted)
    cluster.wait_healthy()


def test_a_logical_consumer_misses_nothing_in_a_failover(consumer: Consumer) -> None:
    cluster = consumer.cluster
    settle(consumer)
    consumer.insert(10)
    lost = cluster.wait_leader()
    cluster.lose_host(lost)
    heir = cluster.wait_leader(other_than=lost)
    consumer.insert(10)
    consumer.consume()
    assert consumer.missed() == set()
    assert "not ready here" not in cluster.log(heir)
    cluster.heal()


def test_in_pause_nothing_is_dropped_and_after_it_a_strangers_slot_goes(running: Cluster) -> None:
    leader = running.wait_leader()
    assert running.pgctl("pause", "--wait").returncode == 0
    running.query(leader, "SELECT pg_create_physical_replication_slot('stray', true)")
    running.query(leader, "SELECT pg_create_physical_replication_slot('theirs', true)"
                          " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'theirs')")
    cycles = running.query(leader, "SELECT clock_timestamp() + '2.5 s'")[0][0]
    running.wait("two cycles have gone by", lambda: running.query(
        leader, f"SELECT clock_timestamp() > '{cycles}'") == [(True,)], 10)
    assert "stray" in slots(running, leader)
    assert running.pgctl("resume", "--wait").returncode == 0
    running.wait("the stray slot is gone", lambda: "stray" not in slots(running, leader), 10)
    assert "theirs" in slots(running, leader)
    assert "stray belongs to no member and no setting" in running.log(leader)
