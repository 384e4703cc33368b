"""Failsafe mode: without the store the primary stays writable while every member agrees, and stops in time otherwise."""

import json
import signal
import time
from collections.abc import Iterator

import pytest
import urllib3

from pgctl.units import Seconds
from tests.e2e import cluster as clusters
from tests.e2e.cluster import QUICK, Cluster
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note
from tests.signals import send

pytestmark = [pytest.mark.e2e, pytest.mark.store("etcd3")]

TTL = 5.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := clusters.why_not("etcd3"):
        pytest.skip(reason)
    made = Cluster(str(tmp_path_factory.mktemp("failsafe")), dcs="etcd3", settings={**QUICK, "failsafe_mode": True})
    with made.running():
        yield made


@pytest.fixture
def failsafe(running: Cluster) -> Cluster:
    """A healthy cluster whose leader has written down whom to ask."""
    running.heal()
    running.wait("the members are named", lambda: set(json.loads(running.raw_get("failsafe") or "{}")) == set(running.names))
    return running


def stop_store(cluster: Cluster, number: signal.Signals) -> None:
    """SIGSTOP: it accepts connections and never answers; SIGKILL: it refuses them."""
    assert cluster.store is not None
    send(cluster.store, number)
    if number is signal.SIGKILL:
        cluster.store.wait(timeout=10)


def bring_store_back(cluster: Cluster, number: signal.Signals) -> None:
    assert cluster.store is not None
    if number is signal.SIGKILL:
        cluster.start_store()
    else:
        cluster.store.send_signal(signal.SIGCONT)


def active(cluster: Cluster, name: str) -> bool:
    """What a member's status says of failsafe mode."""
    node = cluster.plan.node(name)
    try:
        answer = urllib3.request("GET", f"http://127.0.0.1:{node.rest_port}/patroni", timeout=5.0, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return bool(json.loads(answer.data).get("failsafe_mode_is_active"))


@pytest.mark.parametrize("number", [
    pytest.param(signal.SIGSTOP, id="hangs"), pytest.param(signal.SIGKILL, id="refuses", marks=pytest.mark.slow)])
def test_the_primary_leads_on_without_the_store(failsafe: Cluster, number: signal.Signals) -> None:
    """Three leases long; the leader stays when the store comes back, and nobody has lost a connection meanwhile."""
    leader, begun = failsafe.wait_leader(), time.monotonic()
    session = failsafe.connect(leader)
    with Witness(failsafe) as witness, Writer(failsafe) as writer:
        stop_store(failsafe, number)
        failsafe.wait("every member knows", lambda: all(active(failsafe, name) for name in failsafe.names))
        listed = failsafe.pgctl("list", on=leader)
        failsafe.clock.sleep(Seconds(3 * TTL))
        bring_store_back(failsafe, number)
        failsafe.wait("the store names the leader again", lambda: failsafe.leader() == leader)
        failsafe.wait_healthy()
        writer.wait_more(20)
    note(f"store {number.name} in failsafe mode", writer)
    assert listed.returncode == 4 and leader in listed.stdout
    assert writer.gap(since=begun) < TTL
    assert {one.member for one in writer.acknowledged} == {leader}
    assert witness.overlaps == ()
    with session.cursor() as cursor:
        cursor.execute("SELECT 1")
    session.close()
    failsafe.wait("the mode ends", lambda: not any(active(failsafe, name) for name in failsafe.names), 3 * TTL)


def test_one_silent_member_ends_the_lead_in_time(failsafe: Cluster) -> None:
    """It may be one that still reaches the store: so nobody writes when the lease is over."""
    leader, silent = failsafe.wait_leader(), failsafe.replicas()[0]
    with Witness(failsafe) as witness, Writer(failsafe) as writer:
        failsafe.signal_agent(silent, signal.SIGSTOP)
        stop_store(failsafe, signal.SIGSTOP)
        gone = time.monotonic()
        failsafe.wait("the primary stops", lambda: not failsafe.writable(leader), 2 * TTL)
        last = writer.acknowledged[-1].at
        bring_store_back(failsafe, signal.SIGSTOP)
        failsafe.heal()
        writer.wait_more(20)
    note("store and a member gone in failsafe mode", writer)
    assert last - gone < TTL
    assert witness.overlaps == ()


def test_a_leader_cut_off_with_its_promises_is_not_overtaken(failsafe: Cluster) -> None:
    """The members promised, then the leader dies: nobody leads before the promise ends, and then somebody does."""
    leader = failsafe.wait_leader()
    standby = failsafe.replicas()[0]
    stop_store(failsafe, signal.SIGSTOP)
    failsafe.wait("every member has promised", lambda: all(
        active(failsafe, name) for name in failsafe.names if name != leader))
    failsafe.kill_agent(standby)
    failsafe.start_agent(standby)
    failsafe.wait("the promise outlived the agent", lambda: active(failsafe, standby), TTL)
    failsafe.lose_host(leader)
    lost = time.monotonic()
    bring_store_back(failsafe, signal.SIGSTOP)
    assert failsafe.wait_leader(other_than=leader) != leader
    assert time.monotonic() - lost < 4 * TTL
