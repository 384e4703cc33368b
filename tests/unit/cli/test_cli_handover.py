"""switchover and failover: objections, the order and whom it goes to, the phases, and how they end."""

import json
import threading
import time
from collections.abc import Callable, Mapping

import pytest

from tests.unit.cli.cli_site import BUDGET, Reply, Site, interrupt, later


def promote(site: Site, new: str, old: str | None = "a") -> None:
    """What agents write, from the old leader's stop to its return."""
    if old:
        site.member(old, state="stopping", replication_state=None)
        time.sleep(0.15)
        site.store.delete("leader", budget=BUDGET)
        site.member(old, state="stopped", replication_state=None)
        time.sleep(0.15)
    site.put("leader", new)
    time.sleep(0.15)
    site.member(new, "primary", 4)
    site.put("failover", {})
    time.sleep(0.15)
    for name in {"a", "b", "c"} - {new}:
        site.member(name, timeline=4)


def hand_over(site: Site, new: str, reply: Reply = (200, "done")) -> Callable[[Mapping[str, object]], Reply]:
    """An agent's answer to /switchover, given when all is over."""

    def answer(body: Mapping[str, object]) -> Reply:
        site.put("failover", {"leader": body.get("leader"), "member": body.get("candidate")})
        promote(site, new)
        return reply

    return answer


def test_switchover_goes_to_the_leader_and_is_followed_to_the_end(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = hand_over(prod, "b")
    result = prod.run("switchover", "--candidate", "b", "--force")
    assert result.exit_code == 0, result.stderr
    assert prod.agent("a").changes() == [("POST", "/switchover", {"leader": "a", "candidate": "b"})]
    told = [line.split("s  ", 1)[1] for line in result.stdout.splitlines() if "s  " in line]
    expected = ["a is stopping", "a has given up the lease", "b holds the lease", "b is primary on timeline 4"]
    followed = ["a follows b", "c follows b"]  # each when it does; neither waits for the other
    seen = [line for line in told if line in expected + followed]
    assert (seen[:4], sorted(seen[4:])) == (expected, followed)
    assert result.stdout.endswith("switchover of prod: done, b leads\n")


def test_switchover_for_programs_is_one_object(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = hand_over(prod, "c")
    result = prod.run("switchover", "--force", "-f", "json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {key: found[key] for key in ("cluster", "action", "result", "from", "to")} == {
        "cluster": "prod", "action": "switchover", "result": "done", "from": "a", "to": "c"}
    assert found["seconds"] > 0
    assert "c holds the lease" in result.stderr


def test_another_node_than_asked_for_is_no_success(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = hand_over(prod, "c", (200, 'Switched over to "c" instead of "b"'))
    result = prod.run("switchover", "--candidate", "b", "--force")
    assert result.exit_code == 1
    assert "c was promoted instead of b" in result.stderr


def test_every_objection_is_named_and_nothing_is_ordered(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = (200, "")
    result = prod.run("switchover", "--leader", "x", "--candidate", "y", "--force")
    assert result.exit_code == 1
    assert "leader name does not match" in result.stderr and "candidate does not exists" in result.stderr
    assert not prod.agent("a").changes() and prod.get("failover") is None


def test_a_mistyped_candidate_is_named_with_the_nearest_member(prod: Site) -> None:
    result = prod.run("switchover", "--candidate", "bb", "--force")
    assert result.exit_code == 1 and "no switchover to bb: " in result.stderr
    assert 'Did you mean "b"?' in result.stderr


def test_a_candidate_that_lags_is_refused_beforehand(prod: Site) -> None:
    prod.member("b", lag=16 * 1048576)
    result = prod.run("switchover", "--candidate", "b", "--force")
    assert result.exit_code == 1 and "b is 16 MB behind" in result.stderr


def test_says_what_will_happen_and_asks_once(prod: Site) -> None:
    result = prod.run("switchover", "--candidate", "b", input="n\n")
    assert result.exit_code == 1
    assert "a will be stopped and become a standby; b will be promoted." in result.stdout
    assert "  b: running, 0 B behind, timeline 3\n" in result.stdout
    assert result.stderr.count("[y/N]") == 1
    assert not prod.agent("a").changes()


def test_nobody_to_ask(prod: Site) -> None:
    result = prod.run("switchover")
    assert result.exit_code == 2 and "Use --force" in result.stderr


def test_a_refusal_by_the_agent_is_a_failure(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = (412, "switchover is not possible: no good candidates have been found")
    result = prod.run("switchover", "--force")
    assert result.exit_code == 1
    assert "refused, switchover is not possible" in result.stderr


def test_an_order_that_the_leader_closes_failed(prod: Site) -> None:
    def close(_: object) -> Reply:
        prod.put("failover", {"leader": "a"})
        time.sleep(0.4)
        prod.put("failover", {})
        return 503, "Switchover failed: b lags"

    prod.agent("a").answers["POST", "/switchover"] = close
    result = prod.run("switchover", "--force")
    assert result.exit_code == 1
    assert "failed" in result.stderr


def test_no_end_in_sight_is_unknown(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = later(4, (200, ""))
    begun = time.monotonic()
    result = prod.run("--timeout", "2", "switchover", "--force")
    assert result.exit_code == 3
    assert time.monotonic() - begun < 4
    assert "waited in vain for another leader" in result.stderr


def test_without_the_leaders_agent_any_other_is_told(prod: Site) -> None:
    prod.member("a", "primary", awake=False)
    prod.agent("b").answers["POST", "/switchover"] = (200, "")
    assert prod.run("switchover", "--candidate", "b", "--force", "--no-wait").exit_code == 0
    assert prod.agent("b").changes() == [("POST", "/switchover", {"leader": "a", "candidate": "b"})]


def test_an_old_agent_knows_only_failover(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = (501, "Server does not support this operation")
    prod.agent("a").answers["POST", "/failover"] = (200, "")
    assert prod.run("switchover", "--force", "--no-wait").exit_code == 0
    assert [path for _, path, _ in prod.agent("a").changes()] == ["/switchover", "/failover"]


def test_where_no_agent_answers_the_intent_is_written(prod: Site) -> None:
    for name, role in (("a", "primary"), ("b", "replica"), ("c", "replica")):
        prod.member(name, role, awake=False)
    result = prod.run("switchover", "--candidate", "b", "--force", "--no-wait")
    assert result.exit_code == 0
    assert "no agent answers: the order is written to the store itself" in result.stdout
    written = prod.get("failover")
    assert isinstance(written, dict) and str(written.pop("by")).endswith("(by the store)")
    assert written == {"leader": "a", "member": "b"}


def test_a_written_intent_is_followed_too(prod: Site) -> None:
    for name, role in (("a", "primary"), ("b", "replica"), ("c", "replica")):
        prod.member(name, role, awake=False)
    acting = threading.Timer(0.6, promote, (prod, "b"))
    acting.start()
    result = prod.run("switchover", "--candidate", "b", "--force")
    acting.join()
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("done, b leads\n")


def test_scheduled_is_echoed_with_its_zone(prod: Site) -> None:
    prod.agent("a").answers["POST", "/switchover"] = (202, "Switchover scheduled")
    result = prod.run("switchover", "--scheduled", "2099-01-01T10:00+02:00", "--force")
    assert result.exit_code == 0
    assert result.stdout == "switchover of prod: scheduled, for 2099-01-01T10:00:00+02:00\n"
    assert prod.agent("a").changes()[0][2]["scheduled_at"] == "2099-01-01T10:00:00+02:00"


def test_replacing_a_schedule_is_not_silent(prod: Site) -> None:
    prod.put("failover", {"leader": "a", "scheduled_at": "2099-01-01T00:00:00+00:00"})
    prod.agent("a").answers["POST", "/switchover"] = (200, "")
    result = prod.run("switchover", "--force", "--no-wait")
    assert "this replaces the switchover that is scheduled at 2099-01-01" in result.stderr


@pytest.mark.parametrize("when", ["tomorrow-ish", "25:00", "2099-13-01"])
def test_a_time_that_is_none_is_wrong_usage(prod: Site, when: str) -> None:
    assert prod.run("switchover", "--scheduled", when, "--force").exit_code == 2


def test_failover_without_a_leader(prod: Site) -> None:
    prod.store.delete("leader", budget=BUDGET)
    prod.store.delete("members/a", budget=BUDGET)

    def act(_: object) -> Reply:
        promote(prod, "b", old=None)
        return 200, 'Successfully failed over to "b"'

    prod.agent("b").answers["POST", "/failover"] = act
    result = prod.run("failover", "--candidate", "b", "--force")
    assert result.exit_code == 0, result.stderr
    assert prod.agent("b").changes() == [("POST", "/failover", {"candidate": "b"})]


def test_failover_needs_a_candidate(prod: Site) -> None:
    result = prod.run("failover", "--force")
    assert result.exit_code == 1 and "only to a specific candidate" in result.stderr


def test_failover_to_an_asynchronous_member_warns(site: Site) -> None:
    site.fill({"synchronous_mode": True})
    site.put("sync", {"leader": "a", "sync_standby": "c", "quorum": 0})
    site.agent("a").answers["POST", "/failover"] = (200, "")
    result = site.run("failover", "--candidate", "b", "--force", "--no-wait")
    assert result.exit_code == 0
    assert "b is not synchronous: transactions that were acknowledged may be lost" in result.stderr


def test_interrupted_says_what_was_ordered(prod: Site) -> None:
    """Ctrl-C as soon as the order has arrived."""
    slow = later(3, (200, ""))
    assert callable(slow)

    def answer(body: Mapping[str, object]) -> Reply:
        interrupt()
        return slow(body)

    prod.agent("a").answers["POST", "/switchover"] = answer
    result = prod.run("switchover", "--candidate", "b", "--force")
    assert result.exit_code == 1
    assert "interrupted" in result.stderr
    assert "already ordered, and carried out all the same: switchover of prod" in result.stderr
