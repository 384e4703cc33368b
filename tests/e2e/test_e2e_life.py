"""Birth, switchover, restart: what an operator does with a healthy cluster. Nothing acknowledged may be lost."""

import json

import pytest

from pgctl.units import Seconds
from tests.e2e.cluster import Cluster
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("each_store")]

SENDERS = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"
SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE active ORDER BY 1"


def test_a_new_cluster_is_born_and_streams(cluster: Cluster) -> None:
    """A new cluster has one primary; the others were cloned from it, and stream through slots of their own."""
    leader = cluster.wait_leader()
    others = sorted(name for name in cluster.names if name != leader)
    assert [row[0] for row in cluster.query(leader, SENDERS)] == others
    assert [row[0] for row in cluster.query(leader, SLOTS)] == others
    cluster.query(leader, "CREATE TABLE IF NOT EXISTS born (id int)")
    identifier = cluster.query(leader, "SELECT system_identifier::text FROM pg_control_system()")
    for name in others:
        assert cluster.query(name, "SELECT pg_is_in_recovery()") == [(True,)]
        assert cluster.query(name, "SELECT system_identifier::text FROM pg_control_system()") == identifier
        cluster.wait("the table is on the standby", lambda name=name: bool(  # type: ignore[misc]
            cluster.query(name, "SELECT 1 FROM pg_class WHERE relname = 'born'")), 10)


def _switches(cluster: Cluster, candidate: str | None = None) -> None:
    """Under load: the candidate leads, nothing is lost, one server is writable at a time, all stream again."""
    before = cluster.wait_leader()
    wanted = candidate or cluster.replicas()[0]
    with Witness(cluster) as witness, Writer(cluster) as writer:
        writer.wait_more(20)
        done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
        assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
        assert cluster.leader() == wanted
        writer.wait_more(20)
        cluster.wait_healthy()
    note(f"switchover {before} -> {wanted}", writer)
    assert writer.lost() == ()
    assert witness.overlaps == ()


def test_switchover_under_load(cluster: Cluster) -> None:
    _switches(cluster)


@pytest.mark.slow
def test_twenty_switchovers_in_a_row(cluster: Cluster) -> None:
    for _ in range(20):
        _switches(cluster)


def test_a_refused_switchover_changes_nothing(cluster: Cluster) -> None:
    leader = cluster.wait_leader()
    for candidate, why in ((leader, "source are the same"), ("nobody", "candidate does not exist")):
        done = cluster.pgctl("switchover", "--candidate", candidate, "--force")
        assert done.returncode == 1, done.stdout + done.stderr
        assert why in done.stderr
    assert cluster.leader() == leader
    assert cluster.writable(leader)


def test_restart_of_the_primary_keeps_it_leader(cluster: Cluster) -> None:
    leader = cluster.wait_leader()
    began = cluster.query(leader, "SELECT pg_postmaster_start_time()")
    with Writer(cluster) as writer:
        done = cluster.pgctl("restart", cluster.plan.scope, leader, "--force")
        assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
        writer.wait_more(10)
    note("restart of the primary", writer)
    assert cluster.leader() == leader
    assert cluster.query(leader, "SELECT pg_postmaster_start_time()") != began
    assert writer.lost() == ()


def test_switchover_right_after_a_restart_waits_for_the_standbys(cluster: Cluster) -> None:
    """Standbys have lost their connection and are just coming back: that is worth a moment, and no refusal."""
    leader, wanted = cluster.wait_leader(), cluster.replicas()[0]
    assert cluster.pgctl("restart", cluster.plan.scope, leader, "--force").returncode == 0
    done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
    assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
    assert cluster.leader() == wanted
    cluster.wait_healthy()


def test_switchover_right_after_a_burst_of_writes(cluster: Cluster) -> None:
    """What the candidate said of itself before the burst is more than maximum_lag_on_failover behind: it is old, no more."""
    leader, wanted = cluster.wait_leader(), cluster.replicas()[0]
    cluster.query(leader, "SELECT pg_logical_emit_message(false, 'burst', repeat('x', 24 * 1024 * 1024))")
    done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
    assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
    assert cluster.leader() == wanted
    cluster.wait_healthy()


def test_a_changed_parameter_waits_for_a_restart(cluster: Cluster) -> None:
    """edit-config reaches every server; what needs a restart is announced, done on order, and then no more."""
    wanted = "60" if cluster.query(cluster.names[0], "SHOW max_connections") != [("60",)] else "50"
    done = cluster.pgctl("edit-config", "--pg", f"max_connections={wanted}", "--pg", "work_mem=5MB", "--force")
    assert done.returncode == 0, done.stdout + done.stderr

    def announced() -> bool:
        state = cluster.read()
        return state is not None and all(member.pending_restart for member in state.members)

    cluster.wait("every member announces a pending restart", announced)
    for name in cluster.names:
        cluster.wait("work_mem needs no restart", lambda name=name: cluster.query(  # type: ignore[misc]
            name, "SHOW work_mem") == [("5MB",)], 10)
    done = cluster.pgctl("restart", "--pending", "--force", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
    cluster.wait_healthy()
    for name in cluster.names:
        assert cluster.query(name, "SHOW max_connections") == [(wanted,)]
    cluster.wait("nothing is pending any more", lambda: not announced(), 10)
    again = cluster.pgctl("restart", "--pending", "--force")
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""


def test_pause_leaves_a_dead_server_alone_and_resume_takes_over(cluster: Cluster) -> None:
    leader = cluster.wait_leader()
    assert cluster.pgctl("pause", "--wait").returncode == 0
    cluster.kill_server(leader)
    cluster.clock.sleep(Seconds(7.0))  # longer than the lease: without pause somebody would have acted by now
    assert not any(cluster.writable(name) for name in cluster.names)
    explained = cluster.pgctl("explain").stdout.splitlines()
    assert explained[0].startswith("The cluster is paused: nobody is started, stopped or promoted")
    assert explained[1].startswith("Nobody leads, for ")
    done = cluster.pgctl("resume", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.wait_healthy()


def test_reinit_gives_a_member_a_new_copy(cluster: Cluster) -> None:
    victim = cluster.replicas()[-1]
    stale = f"{cluster.plan.data_dir(cluster.plan.node(victim))}/stale-file"
    with open(stale, "w", encoding="utf-8") as file:
        file.write("from before")
    done = cluster.pgctl("reinit", cluster.plan.scope, victim, "--force", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
    cluster.wait_healthy()
    with pytest.raises(FileNotFoundError), open(stale, encoding="utf-8"):
        pass


def test_a_timeline_that_was_claimed_and_never_heard_of_is_passed_over(cluster: Cluster) -> None:
    """As if a member had been promoted, and had died before anybody heard: its number is not opened a second time."""
    before, wanted = cluster.wait_leader(), cluster.replicas()[0]
    cluster.query(before, "SELECT pg_switch_wal()")  # as after a promotion: what the candidate said of itself is old
    leader = cluster.member(before)
    assert leader is not None and leader.timeline is not None
    cluster.raw_put("promotion", json.dumps({"timeline": leader.timeline + 1, "member": "ghost"}))
    done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
    assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
    cluster.wait_healthy()
    now = cluster.member(wanted)
    assert now is not None and now.timeline == leader.timeline + 2
    told = json.loads(cluster.pgctl("history", "-f", "json").stdout)
    assert [line["TL"] for line in told[-2:]] == [leader.timeline, leader.timeline + 1]


def test_the_command_line_tells_what_it_sees(cluster: Cluster) -> None:
    listed = cluster.pgctl("list", "-f", "json")
    assert listed.returncode == 0, listed.stderr
    assert {name for name in cluster.names if name in listed.stdout} == set(cluster.names)
    json.loads(listed.stdout)
    explained = cluster.pgctl("explain")
    assert explained.returncode == 0, explained.stderr
    for name in cluster.names:
        assert name in explained.stdout


def test_the_journal_tells_what_happened_once(cluster: Cluster) -> None:
    """Who led before, who ordered it, for how long writes were refused; and an agent started again repeats nothing."""
    before, wanted = cluster.wait_leader(), cluster.replicas()[0]
    with Writer(cluster) as writer:
        writer.wait_more(10)
        done = cluster.pgctl("switchover", "--candidate", wanted, "--force")
        assert done.returncode == 0, done.stdout + done.stderr + cluster.last_words()
        writer.wait_more(10)
    cluster.wait_healthy()

    def told() -> list[dict[str, object]]:
        shown = cluster.pgctl("history", "--events", "-f", "json")
        assert shown.returncode == 0, shown.stderr
        found: list[dict[str, object]] = json.loads(shown.stdout)
        return found

    def exact() -> bool:
        moves = [event for event in told() if event["what"] == "switchover" and event.get("to") == wanted]
        return bool(moves) and isinstance(moves[-1].get("refused_s"), float)

    cluster.wait("the former leader has said when it stopped", exact, 15)
    events = told()
    assert {"bootstrap", "switchover", "demotion"} <= {event["what"] for event in events}
    move = next(event for event in reversed(events) if event["what"] == "switchover")
    assert (move["from"], move["to"]) == (before, wanted) and "@" in str(move["by"]) and move["rule"]
    note(f"the journal says {move['refused_s']} s", writer)
    cluster.kill_agent(wanted)
    cluster.start_agent(wanted)
    cluster.wait_healthy()
    again = told()
    assert [event for event in again if event["what"] in ("switchover", "failover", "promotion", "lead", "recorded")] == [
        event for event in events if event["what"] in ("switchover", "failover", "promotion", "lead", "recorded")]
