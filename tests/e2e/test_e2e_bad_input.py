"""What goes wrong on the operator's side: said clearly, and nothing is harmed."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pgctl.cli.demo.plan import Plan
from pgctl.units import Seconds
from tests.e2e.cluster import Cluster
from tests.e2e.editing import edit, section

pytestmark = [pytest.mark.e2e, pytest.mark.store("sqlite")]

Build = Callable[..., Cluster]
IDENTIFIER = "SELECT system_identifier::text FROM pg_control_system()"
KEYS = ("config", "status", "history", "failover", "sync", "failsafe", "events", "members/stranger", "optime/leader")
BROKEN = ("", "{", "[]", "null", "12", '"text"', '{"a":', "\x00", "{}")


def _agent(plan: Plan, name: str, timeout: float = 30.0) -> "subprocess.CompletedProcess[str]":
    """Runs an agent that is expected to end by itself."""
    return subprocess.run([sys.executable, "-m", "pgctl.agent.main", plan.agent_file(plan.node(name))], text=True,
                          capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)


def test_a_wrong_configuration_ends_the_agent_with_every_fault_named(build: Build) -> None:
    plan = build(nodes=1).plan

    def break_it(document: dict[str, object]) -> None:
        del document["name"], section(document, "postgresql")["data_dir"]

    edit(plan, "pg1", break_it)
    done = _agent(plan, "pg1")
    assert done.returncode == 1
    assert "name" in done.stderr and "data_dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_said_to_be_missing(build: Build) -> None:
    plan = build(nodes=1).plan
    Path(plan.agent_file(plan.nodes[0])).unlink()
    done = _agent(plan, "pg1")
    assert done.returncode == 1
    assert plan.agent_file(plan.nodes[0]) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rest_port_in_use_is_named(build: Build) -> None:
    plan = build(nodes=1).plan
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", plan.nodes[0].rest_port))
        taken.listen()
        done = _agent(plan, "pg1")
    assert done.returncode == 1
    assert str(plan.nodes[0].rest_port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_port_in_use_is_named_and_the_member_comes_up_once_it_is_free(build: Build) -> None:
    one = build(nodes=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", one.plan.nodes[0].port))
        taken.listen()
        one.start_agent("pg1")
        one.wait("the log names the port", lambda: str(one.plan.nodes[0].port) in one.log("pg1"), 30)
    one.wait_leader(timeout=60)


def test_a_foreign_data_directory_is_left_alone(build: Build) -> None:
    """A directory with somebody's files in it is neither removed nor initialized."""
    one = build(nodes=1)
    data = Path(one.plan.data_dir(one.plan.nodes[0]))
    data.mkdir(mode=0o700)
    (data / "thesis.txt").write_text("three years of work", encoding="utf-8")
    one.start_agent("pg1")
    one.wait("the log says what is in the way", lambda: str(data) in one.log("pg1"), 30)
    one.clock.sleep(Seconds(3.0))
    assert (data / "thesis.txt").read_text(encoding="utf-8") == "three years of work"
    assert not (data / "PG_VERSION").exists()


def test_a_member_of_another_cluster_is_refused(build: Build, cluster: Cluster, tmp_path: Path) -> None:
    """Another system identifier: the agent ends and says so; its server's data are untouched."""
    other = build(nodes=1).start()
    plan = other.plan
    other.signal_agent("pg1", signal.SIGTERM)
    other.agents["pg1"].wait(timeout=30)
    edit(plan, "pg1", lambda document: document.update(
        {"name": "stranger", "sqlite": {"path": cluster.plan.path("dcs", "store.sqlite")}}))
    done = _agent(plan, "pg1")
    assert done.returncode == 1
    assert "system identifier" in done.stderr
    assert "Traceback" not in done.stderr
    cluster.wait_healthy()


def test_a_cluster_that_others_made_meanwhile_is_not_made_to_the_end(build: Build) -> None:
    """The host stood still in the midst of it. The copy that nobody leads is stopped and removed; one of theirs is made."""
    pair = build(nodes=2)
    endless = {"post_init": "sh -c 'sleep 600'"}
    edit(pair.plan, "pg1", lambda document: section(document, "bootstrap").update(endless))
    pair.start_agent("pg1")
    pair.wait("the new server takes writes", lambda: pair.writable("pg1"), 60)
    pair.signal_agent("pg1", signal.SIGSTOP)
    pair.raw_delete("initialize")
    pair.start_agent("pg2")
    assert pair.wait_leader(timeout=60) == "pg2"
    assert pair.writable("pg1")
    pair.signal_agent("pg1", signal.SIGCONT)
    pair.wait("nobody else takes writes", lambda: not pair.writable("pg1"), 20)
    pair.wait_healthy()
    assert "bootstrap is called off: somebody else made this cluster" in pair.log("pg1")


def test_a_wrong_replication_password_is_said_and_healed_by_the_right_one(build: Build) -> None:
    pair = build(nodes=2)
    right = pair.plan.passwords["replication"]
    edit(pair.plan, "pg2", lambda document: section(
        document, "postgresql", "authentication", "replication").update(password="mistyped"))
    pair.start_agent("pg1")
    pair.wait_leader(timeout=60)
    pair.start_agent("pg2")
    pair.wait("the log says why the clone fails", lambda: "password authentication failed" in pair.log("pg2"), 40)
    assert "mistyped" not in pair.log("pg2")
    edit(pair.plan, "pg2", lambda document: section(
        document, "postgresql", "authentication", "replication").update(password=right))
    pair.signal_agent("pg2", signal.SIGHUP)
    pair.wait_healthy()


def test_malformed_documents_under_every_key_harm_nobody(cluster: Cluster) -> None:
    """Whatever somebody writes into the store: the leader stays, the servers run, the command line answers."""
    leader = cluster.wait_leader()
    session = cluster.connect(leader)
    config = cluster.raw_get("config")
    for key in KEYS:
        for text in BROKEN:
            cluster.raw_put(key, text)
        cluster.clock.sleep(Seconds(0.3))
        listed = cluster.pgctl("list", "-f", "json")
        assert "Traceback" not in listed.stderr, f"{key}: {listed.stderr}"
        if key == "config":
            cluster.raw_put(key, config)
        else:
            cluster.raw_delete(key)
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        assert cursor.fetchone() == (False,)
    session.close()
    for name in cluster.names:
        assert "Traceback" not in cluster.log(name)
    cluster.wait_healthy()
    assert cluster.leader() == leader


def test_an_emptied_store_is_filled_again(cluster: Cluster) -> None:
    """Every key deleted at once: the primary takes the lead again, same data, and the settings are back."""
    leader = cluster.wait_leader()
    identifier = cluster.query(leader, IDENTIFIER)
    cluster.empty_store()
    cluster.wait_healthy()
    assert cluster.query(cluster.wait_leader(), IDENTIFIER) == identifier
    assert json.loads(cluster.raw_get("config")).get("ttl") == 5


@pytest.mark.store("etcd3")
def test_a_store_that_is_down_stops_the_writing_and_its_return_heals_all(cluster: Cluster) -> None:
    """Without the store nobody may write for longer than the lease; when it is back, so is the cluster."""
    assert cluster.store is not None
    cluster.store.kill()
    cluster.store.wait(timeout=10)
    cluster.wait("nobody is writable", lambda: not any(cluster.writable(name) for name in cluster.names), 30)
    listed = cluster.pgctl("list")
    assert listed.returncode == 4
    assert "Traceback" not in listed.stderr
    cluster.start_store()
    cluster.wait_healthy()
