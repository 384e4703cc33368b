"""restart, reload, reinit, pause, resume, flush, remove: what is ordered of whom, and how that ends."""

import json
import socket
import time
from collections.abc import Iterator, Mapping

import pytest

from tests.unit.cli.cli_site import BUDGET, Answer, Reply, Site

REASON = {"work_mem": {"old_value": "4MB", "new_value": "8MB"}}
DONE = (200, "restarted successfully")


def answer_all(site: Site, method: str, path: str, answer: tuple[int, object]) -> None:
    for name in ("a", "b", "c"):
        site.agent(name).answers[method, path] = answer


def record_order(site: Site) -> list[str]:
    """Has all agents restart, and write their names into the list that is returned."""
    order: list[str] = []

    def restarts(name: str) -> Answer:
        def answer(_: Mapping[str, object]) -> Reply:
            order.append(name)
            return DONE

        return answer

    for name in ("a", "b", "c"):
        site.agent(name).answers["POST", "/restart"] = restarts(name)
    return order


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of an agent that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/patroni"


# --- restart ----------------------------------------------------------------------------------------------------------


def test_restart_takes_standbys_first_and_the_leader_last(prod: Site) -> None:
    order = record_order(prod)
    result = prod.run("restart", "prod", "--force")
    assert result.exit_code == 0, result.stderr
    assert order == ["b", "c", "a"]
    assert result.stdout == "".join(f"{name}: done (restarted successfully)\n" for name in order)


def test_restart_takes_the_leader_first_where_a_shared_setting_shrinks(prod: Site) -> None:
    order = record_order(prod)
    prod.member("a", "primary", pending_restart=True,
                pending_restart_reason={"max_connections": {"old_value": "200", "new_value": "100"}})
    assert prod.run("restart", "--force").exit_code == 0
    assert order == ["a", "b", "c"]


def test_restart_goes_on_past_a_member_that_is_away(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    prod.member("b", awake=False)
    result = prod.run("restart", "--force")
    assert result.exit_code == 1
    assert "b: unreachable" in result.stderr
    assert prod.agent("c").changes() and prod.agent("a").changes()


def test_restart_stops_when_a_server_does_not_come_up(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    prod.agent("b").answers["POST", "/restart"] = (503, "restart failed: no space left")
    result = prod.run("restart", "--force")
    assert result.exit_code == 1
    assert "a: not tried (because b did not come up again)" in result.stdout
    assert not prod.agent("a").changes()


def test_pending_restart_from_cron_is_quiet(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    nothing = prod.run("restart", "--pending", "--force")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "")
    prod.member("c", pending_restart=True, pending_restart_reason=REASON)
    one = prod.run("restart", "--pending", "--force")
    assert (one.exit_code, one.stdout, one.stderr) == (0, "", "")
    assert prod.agent("c").changes() == [("POST", "/restart", {"restart_pending": True})]
    assert not prod.agent("a").changes() and not prod.agent("b").changes()
    assert prod.run("restart", "--pending", "--force", "-v").stdout == "c: done (restarted successfully)\n"


def test_pending_restart_from_cron_says_one_line_when_it_fails(prod: Site) -> None:
    prod.member("c", awake=False, pending_restart=True, pending_restart_reason=REASON)
    result = prod.run("restart", "--pending", "--force")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "c: unreachable" in result.stderr


def test_unknown_members_are_refused_and_nothing_is_done(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    prod.member("node1")
    result = prod.run("restart", "prod", "a", "node2", "--force")
    assert result.exit_code == 1
    assert 'prod has no member "node2"' in result.stderr and 'Did you mean "node1"?' in result.stderr
    assert not prod.agent("a").changes()


def test_the_cluster_may_be_left_out_before_members(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    assert prod.run("restart", "b", "--force").exit_code == 0
    assert prod.agent("b").changes() and not prod.agent("c").changes()
    wrong = prod.run("restart", "bb", "--force")
    assert wrong.exit_code == 1
    assert '"bb" is neither a cluster nor a member of prod' in wrong.stderr


def test_restart_without_anybody_to_ask_is_wrong_usage(prod: Site) -> None:
    result = prod.run("restart", "b")
    assert result.exit_code == 2
    assert "Use --force" in result.stderr
    assert not prod.agent("b").changes()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_restart_asks(prod: Site, answer: str, code: int) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    result = prod.run("restart", "b", input=answer)
    assert result.exit_code == code
    assert "Restart b? [y/N]" in result.stderr
    assert bool(prod.agent("b").changes()) is (code == 0)


def test_restart_is_scheduled_with_its_conditions(prod: Site) -> None:
    prod.agent("b").answers["POST", "/restart"] = (202, "Restart scheduled")
    result = prod.run("restart", "b", "--scheduled", "2099-01-01T10:00:00+02:00", "--pg-version", "16.5",
                      "--timeout", "2min", "--force")
    assert result.exit_code == 0
    assert prod.agent("b").changes() == [("POST", "/restart", {
        "postgres_version": "16.5", "schedule": "2099-01-01T10:00:00+02:00", "timeout": "2min"})]
    assert "restarts at 2099-01-01T10:00:00+02:00" in result.stdout


def test_restart_results_for_programs(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    prod.agent("c").answers["POST", "/restart"] = (503, "restart conditions are not satisfied")
    result = prod.run("restart", "b", "c", "--force", "-f", "json")
    assert json.loads(result.stdout) == [
        {"member": "b", "result": "done", "detail": "restarted successfully", "status": 200},
        {"member": "c", "result": "already so", "detail": "nothing to do: the conditions are not met", "status": 503}]


def test_any_takes_one_standby(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    assert prod.run("restart", "--any", "--force").exit_code == 0
    assert [name for name in ("a", "b", "c") if prod.agent(name).changes()] == ["b"]


def test_a_role_can_be_asked_for(prod: Site) -> None:
    answer_all(prod, "POST", "/restart", DONE)
    assert prod.run("restart", "-r", "leader", "--force").exit_code == 0
    assert [name for name in ("a", "b", "c") if prod.agent(name).changes()] == ["a"]


# --- reload -----------------------------------------------------------------------------------------------------------


def test_reload_goes_to_all_at_once_and_a_silent_member_delays_nobody(prod: Site, silent: str) -> None:
    answer_all(prod, "POST", "/reload", (202, "reload scheduled"))
    prod.member("b")
    prod.put("members/b", {"api_url": silent, "role": "replica", "state": "running"})
    begun = time.monotonic()
    result = prod.run("--timeout", "1.5", "reload", "--force", "-f", "json")
    assert time.monotonic() - begun < 5
    assert result.exit_code == 3
    assert {row["member"]: row["result"] for row in json.loads(result.stdout)} == {
        "a": "done", "b": "outcome unknown", "c": "done"}


def test_wrong_credentials_are_a_failure_with_advice(prod: Site) -> None:
    answer_all(prod, "POST", "/reload", (401, "no auth header received"))
    result = prod.run("reload", "a", "--force")
    assert result.exit_code == 1
    assert "check ctl.authentication" in result.stdout + result.stderr


# --- reinit -----------------------------------------------------------------------------------------------------------


def test_reinit_says_that_data_is_lost(prod: Site) -> None:
    result = prod.run("reinit", "b", input="n\n")
    assert result.exit_code == 1
    assert "All data of b will be lost" in result.stderr
    assert not prod.agent("b").changes()


def test_reinit_refuses_the_leader_and_needs_a_name(prod: Site) -> None:
    leader = prod.run("reinit", "prod", "a", "--force")
    assert leader.exit_code == 1 and "a is the leader" in leader.stderr
    nobody = prod.run("reinit", "--force")
    assert nobody.exit_code == 2 and "Standbys of prod: b, c." in nobody.stderr
    assert not any(prod.agent(name).changes() for name in ("a", "b", "c"))


def test_reinit_busy(prod: Site) -> None:
    prod.agent("b").answers["POST", "/reinitialize"] = (503, "clone already in progress")
    result = prod.run("reinit", "b", input="y\n")
    assert result.exit_code == 1
    assert "--force cancels it" in result.stdout


def test_reinit_waits_until_another_server_runs(prod: Site) -> None:
    agent = prod.agent("b")
    explains = iter([
        {"job": {"name": "clone", "for_s": 1.0, "progress": "12 MB of 24 MB", "ended": False}},
        {"job": {"name": "clone", "for_s": 2.0, "progress": "24 MB of 24 MB", "ended": False}}])

    def explain(_: object) -> tuple[int, object]:
        found = next(explains, None)
        if found is None:
            status, body = agent.answers["GET", "/patroni"]  # type: ignore[misc]
            assert isinstance(body, dict)
            agent.answers["GET", "/patroni"] = (200, {
                **body, "postmaster_start_time": "2030-01-01 00:10:00.000000+00:00", "replication_state": "streaming"})
        return 200, found or {"job": None}

    agent.answers["POST", "/reinitialize"] = (200, "reinitialize started")
    agent.answers["GET", "/explain"] = explain
    result = prod.run("reinit", "b", "--force", "--wait")
    assert result.exit_code == 0, result.stderr
    assert "b: clone: 12 MB of 24 MB\n" in result.stdout
    assert result.stdout.endswith("b: done (runs on a new copy and streams)\n")
    assert agent.changes() == [("POST", "/reinitialize", {"force": True, "from_leader": False})]


# --- pause and resume -------------------------------------------------------------------------------------------------


def test_pause_goes_to_the_leader(prod: Site) -> None:
    prod.agent("a").answers["PATCH", "/config"] = (200, {"pause": True})
    result = prod.run("pause")
    assert result.exit_code == 0 and result.stdout == "prod: paused\n"
    assert prod.agent("a").changes() == [("PATCH", "/config", {"pause": True})]
    assert not prod.agent("b").changes()


def test_already_so_is_done(site: Site) -> None:
    site.fill({"pause": True})
    result = site.run("pause")
    assert (result.exit_code, result.stdout) == (0, "prod: paused (already so)\n")
    assert not site.agent("a").changes()


def test_resume_in_the_store_where_no_agent_answers(site: Site) -> None:
    site.put("initialize", "7300000000000000001")
    site.put("config", {"pause": True, "ttl": 30})
    site.put("leader", "a")
    site.member("a", "primary", awake=False)
    result = site.run("resume")
    assert result.exit_code == 0
    assert "written to the store itself" in result.stdout
    assert site.get("config") == {"ttl": 30}


def test_pause_refused_is_a_failure(prod: Site) -> None:
    prod.agent("a").answers["PATCH", "/config"] = (403, "Access is denied")
    result = prod.run("pause")
    assert result.exit_code == 1 and "Access is denied" in result.stderr
    assert prod.get("config") == {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}


def test_pause_waits_for_all_and_names_the_late(prod: Site) -> None:
    def take(_: object) -> tuple[int, object]:
        prod.put("config", {"ttl": 30, "pause": True})
        for name, role in (("a", "primary"), ("b", "replica")):
            prod.member(name, role, pause=True)
        return 200, {}

    prod.agent("a").answers["PATCH", "/config"] = take
    result = prod.run("--timeout", "2", "pause", "--wait")
    assert result.exit_code == 3
    assert "not yet followed by c" in result.stderr
    prod.member("c", pause=True)
    assert prod.run("pause", "--wait").exit_code == 0


# --- flush and remove -------------------------------------------------------------------------------------------------


def test_flush_restart_cancels_what_is_scheduled(prod: Site) -> None:
    prod.member("b", scheduled_restart={"schedule": "2099-01-01T00:00:00+00:00"})
    prod.agent("b").answers["DELETE", "/restart"] = (200, "scheduled restart deleted")
    result = prod.run("flush", "prod", "restart", "--force")
    assert result.exit_code == 0
    assert "b: done (scheduled restart deleted)" in result.stdout
    assert "c: already so (no restart is scheduled)" in result.stdout
    assert not prod.agent("c").changes()


def test_flush_switchover_asks_the_leader_then_the_store(prod: Site) -> None:
    assert "no switchover is scheduled" in prod.run("flush", "switchover").stdout
    prod.put("failover", {"leader": "a", "scheduled_at": "2099-01-01T00:00:00+00:00"})
    prod.agent("a").answers["DELETE", "/switchover"] = (200, "scheduled switchover deleted")
    assert prod.run("flush", "prod", "switchover").exit_code == 0
    assert prod.agent("a").changes() == [("DELETE", "/switchover", {})]
    for name in ("a", "b", "c"):
        prod.member(name, "primary" if name == "a" else "replica", awake=False)
    assert prod.run("flush", "switchover").exit_code == 0
    assert prod.get("failover") == {}


def test_remove_needs_the_right_names(prod: Site) -> None:
    for arguments in (("--confirm", "prdo"), ("--confirm", "prod"), ("--confirm", "prod", "--confirm-leader", "b")):
        result = prod.run("remove", "prod", *arguments)
        assert result.exit_code == 1 and "nothing was removed" in result.stderr
    assert "leader" in prod.stored()


def test_remove_by_options_and_by_answers(prod: Site) -> None:
    other = prod.open("test")
    other.put("leader", "x", budget=BUDGET)
    result = prod.run("remove", "prod", "--confirm", "prod", "--confirm-leader", "a")
    assert result.exit_code == 0
    assert prod.stored() == set()
    assert set(other.snapshot(budget=BUDGET).items) == {"leader"}
    assert prod.run("remove", "test", input="test\nYes I am aware\nx\n").exit_code == 0
    assert not other.snapshot(budget=BUDGET).items


def test_remove_without_anybody_to_ask(prod: Site) -> None:
    result = prod.run("remove", "prod")
    assert result.exit_code == 2 and "--confirm" in result.stderr
    assert "leader" in prod.stored()
