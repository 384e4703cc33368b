"""Synchronous replication for real: what was acknowledged outlives the primary's host, in each mode; nobody waits long.

The judge is a client that writes all the time: what it was told is committed must be there in the end.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from pgctl.postgresql import process as processes
from tests.e2e.cluster import QUICK, Cluster
from tests.e2e.conftest import Build
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3")]
log = logging.getLogger("e2e")

NAMES = "SHOW synchronous_standby_names"
WAITS = 6.0
"""Seconds in which commits must go on, on two busy cores; see the log for what it was."""
FROZEN = 8.0
"""The same where PostgreSQL is told nothing."""


def settings(**more: object) -> dict[str, object]:
    return {**QUICK, **more}


def synchronous(cluster: Cluster, count: int) -> Callable[[], bool]:
    """Whether the leader has published so many standbys, and PostgreSQL waits for all of them."""

    def reached() -> bool:
        state = cluster.read()
        if state is None or state.leader is None or state.sync.leader != state.leader.name:
            return False
        listed = str(cluster.query(state.leader.name, NAMES)[0][0])
        return len(state.sync.standbys) == count and all(name in listed for name in state.sync.standbys)

    return reached


def standbys(cluster: Cluster) -> tuple[str, ...]:
    state = cluster.read()
    return state.sync.standbys if state else ()


def survives(cluster: Cluster, count: int) -> None:
    """A standby restarts, one crashes, the lead is handed over, the primary's host is lost: nothing acknowledged is."""
    cluster.wait("synchronous standbys are published", synchronous(cluster, count))
    with Witness(cluster) as witness, Writer(cluster) as writer:
        for what, harm in (
            ("restart of a synchronous standby", lambda name: cluster.pgctl("restart", name, "--force")),
            ("kill -9 of a synchronous standby", cluster.kill_server),
        ):
            writer.wait_more(20)
            since = writer.acknowledged[-1].at
            harm(standbys(cluster)[0])
            writer.wait_more(20)
            cluster.wait_healthy()
            cluster.wait("as many are synchronous again", synchronous(cluster, count))
            log.info("%s: %.0f ms without a write", what, writer.gap(since) * 1000)
            assert writer.gap(since) < WAITS, f"{what}\n{cluster.last_words(40)}"
        done = cluster.pgctl("switchover", "--candidate", standbys(cluster)[0], "--force")
        assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
        cluster.wait("as many are synchronous again", synchronous(cluster, count))
        writer.wait_more(20)
        leader, listed = cluster.wait_leader(), standbys(cluster)
        cluster.lose_host(leader)
        successor = cluster.wait_leader(other_than=leader)
        writer.wait_more(20)
    assert successor in listed
    assert writer.lost() == ()
    assert witness.overlaps == ()
    note("all of it", writer)


def test_nothing_acknowledged_is_lost_in_priority_mode(build: Build) -> None:
    survives(build(settings=settings(synchronous_mode="on")).start(), 1)


def test_nothing_acknowledged_is_lost_in_quorum_mode(build: Build) -> None:
    survives(build(settings=settings(synchronous_mode="quorum")).start(), 2)


def test_strict_mode_holds_commits_back_until_somebody_confirms(build: Build) -> None:
    """Without a standby a commit waits, and is acknowledged once one is back; then the host is lost, and it is not."""
    cluster = build(nodes=2, settings=settings(synchronous_mode="on", synchronous_mode_strict=True)).start()
    cluster.wait("a synchronous standby is published", synchronous(cluster, 1))
    leader, (other,) = cluster.wait_leader(), cluster.replicas()
    with Writer(cluster) as writer:
        writer.wait_more(20)
        cluster.lose_host(other)
        cluster.wait("the leader says that commits wait", lambda: "commits wait for one" in cluster.log(leader))
        there = len(writer.acknowledged)
        cluster.wait("its key is gone", lambda: cluster.member(other) is None)
        assert len(writer.acknowledged) == there
        assert standbys(cluster) == (other,)
        cluster.start_agent(other)
        writer.wait_more(20)
        cluster.wait("it is synchronous", synchronous(cluster, 1))
        cluster.lose_host(leader)
        assert cluster.wait_leader(other_than=leader) == other
        cluster.start_agent(leader)
        writer.wait_more(20)
    assert writer.lost() == ()


@contextmanager
def frozen_server(cluster: Cluster, name: str) -> Iterator[None]:
    """All processes of a member's server stand still; its agent works, and PostgreSQL's connections stay open."""
    server = cluster.server(name)
    assert server is not None
    family = [server.pid, *processes.children(server.pid)]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(family):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_frozen_standby_is_taken_off_the_list_in_time(build: Build) -> None:
    """PostgreSQL alone would believe in it for wal_sender_timeout, a minute, in which no commit is acknowledged."""
    cluster = build(settings=settings(synchronous_mode="on")).start()
    cluster.wait("a synchronous standby is published", synchronous(cluster, 1))
    (frozen,) = standbys(cluster)
    with Writer(cluster) as writer:
        writer.wait_more(20)
        since = writer.acknowledged[-1].at
        with frozen_server(cluster, frozen):
            cluster.wait("another one is synchronous", lambda: standbys(cluster) not in ((frozen,), ()))
            writer.wait_more(50)
            log.info("SIGSTOP of a synchronous standby: %.0f ms without a write", writer.gap(since) * 1000)
            assert writer.gap(since) < FROZEN, cluster.last_words(40)
        cluster.wait_healthy()
        writer.wait_more(20)
    assert writer.lost() == ()


def test_names_set_by_hand_are_taken_back(build: Build) -> None:
    """ALTER SYSTEM would have commits acknowledged to nobody, while `/sync` still promises that a standby has them."""
    cluster = build(nodes=2, settings=settings(synchronous_mode="on")).start()
    cluster.wait("a synchronous standby is published", synchronous(cluster, 1))
    leader, (listed,) = cluster.wait_leader(), standbys(cluster)
    cluster.query(leader, "ALTER SYSTEM SET synchronous_standby_names = ''")
    cluster.query(leader, "SELECT pg_reload_conf()")
    cluster.wait("the agent says so", lambda: "postgresql.auto.conf" in cluster.log(leader))
    cluster.wait("the names are in force again", lambda: listed in str(cluster.query(leader, NAMES)[0][0]))
    assert standbys(cluster) == (listed,)
    assert cluster.query(leader, "SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'") == [(0,)]


def test_strict_mode_waits_for_a_frozen_standby(build: Build) -> None:
    cluster = build(nodes=2, settings=settings(synchronous_mode="on", synchronous_mode_strict=True)).start()
    cluster.wait("a synchronous standby is published", synchronous(cluster, 1))
    leader, (other,) = cluster.wait_leader(), cluster.replicas()
    with Writer(cluster) as writer:
        writer.wait_more(20)
        with frozen_server(cluster, other):
            cluster.wait("the leader says that commits wait", lambda: "commits wait for one" in cluster.log(leader))
            with pytest.raises(AssertionError):
                writer.wait_more(1, timeout=3.0)
            assert standbys(cluster) == (other,)
        writer.wait_more(20)
    assert writer.lost() == ()
