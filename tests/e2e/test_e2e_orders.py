"""Orders for later, with conditions, and in pause; each by the command line, as an administrator gives them. On etcd."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import psycopg2
import pytest

from pgctl.units import Seconds
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3")]

STARTED = "SELECT pg_postmaster_start_time()"


@pytest.fixture
def ordered(cluster: Cluster) -> Iterator[Cluster]:
    """A healthy cluster, which is not paused afterwards."""
    cluster.wait_leader()
    yield cluster
    cluster.pgctl("resume", "--wait")


def events(cluster: Cluster) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(cluster.pgctl("history", "--events", "-f", "json").stdout)
    return found


def test_a_switchover_for_later_is_shown_taken_back_and_done_in_time(ordered: Cluster) -> None:
    leader, (wanted, _) = ordered.wait_leader(), ordered.replicas()
    order = ("switchover", "--leader", leader, "--candidate", wanted, "--force", "--scheduled")
    assert ordered.pgctl(*order, "+1h").returncode == 0
    shown = ordered.pgctl("list").stdout
    assert f"from: {leader}" in shown and f"to: {wanted}" in shown
    second = ordered.pgctl(*order, "+2h")
    assert second.returncode == 0 and "replaces the switchover" in second.stderr, second.stdout + second.stderr
    assert ordered.pgctl("flush", ordered.plan.scope, "switchover").returncode == 0
    assert "from:" not in ordered.pgctl("list").stdout
    past = ordered.pgctl(*order, "2020-01-01T00:00+00:00")
    assert past.returncode != 0 and "past" in past.stderr, past.stdout + past.stderr
    assert ordered.leader() == leader
    given = ordered.clock.wall()
    done = ordered.pgctl(*order, "+5s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ordered.wait_leader(other_than=leader) == wanted
    assert ordered.clock.wall() >= given + 4.0
    ordered.wait_healthy()
    moved = [event for event in events(ordered) if event["what"] == "switchover" and event["to"] == wanted]
    assert datetime.fromisoformat(moved[-1]["at"]).timestamp() >= given + 4.0


def test_a_restart_for_later_looks_at_its_conditions_in_its_time(ordered: Cluster) -> None:
    """Where one does not hold, nothing is restarted, and the log says which."""
    one = ordered.replicas()[0]
    before = ordered.query(one, STARTED)
    order = ("restart", ordered.plan.scope, one, "--force", "--scheduled", "+2s")
    for condition, why in (("--pending",), "no restart is pending"), (("--pg-version", "9.5.0"), "is not below 9.5.0"):
        assert ordered.pgctl(*order, *condition).returncode == 0
        ordered.wait(f"its time has come, and {why}", lambda why=why: why in ordered.log(one), 10)  # type: ignore[misc]
        assert ordered.query(one, STARTED) == before
    assert ordered.pgctl(*order).returncode == 0
    assert "Scheduled restart" in ordered.pgctl("list").stdout

    def restarted() -> bool:
        with suppress(psycopg2.Error):
            return ordered.query(one, STARTED) != before
        return False

    ordered.wait("it is restarted in time", restarted, 20)
    ordered.wait_healthy()


def test_orders_are_carried_out_in_pause_where_they_name_a_candidate(ordered: Cluster) -> None:
    leader, (wanted, _) = ordered.wait_leader(), ordered.replicas()
    assert ordered.pgctl("pause", "--wait").returncode == 0
    nobody = ordered.pgctl("switchover", "--force")
    assert nobody.returncode != 0 and "candidate" in nobody.stderr, nobody.stdout + nobody.stderr
    assert ordered.leader() == leader
    done = ordered.pgctl("switchover", "--candidate", wanted, "--force", "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ordered.wait_leader(other_than=leader) == wanted
    ordered.clock.sleep(Seconds(0.5))
    assert ordered.pgctl("resume", "--wait").returncode == 0
    ordered.wait_healthy()
