"""`demote-cluster` and `promote-cluster`: what is refused, what is asked of an agent, and how it is followed."""

from collections.abc import Mapping

import pytest

from tests.unit.cli.cli_site import BUDGET, Reply, Site

REMOTE = {"host": "db1.example", "port": 5433}


def turns(site: Site, role: str, *, timeline: int = 3) -> None:
    """a's agent takes the patch, and is then what was asked."""

    def answer(body: Mapping[str, object]) -> Reply:
        site.put("config", {"ttl": 30, "loop_wait": 10, "retry_timeout": 10, **body})
        site.member("a", role, timeline)
        site.member("b", timeline=timeline)
        site.member("c", timeline=timeline)
        return 200, {}

    site.agent("a").answers["PATCH", "/config"] = answer


def standby(site: Site) -> None:
    site.fill({"standby_cluster": REMOTE})
    site.member("a", "standby_leader", replication_state="streaming")


def test_a_cluster_is_demoted_and_followed_to_its_end(prod: Site) -> None:
    turns(prod, "standby_leader")
    done = prod.run("demote-cluster", "--host", "db1.example", "--port", "5433", "--primary-slot-name", "dr", "--force")
    assert done.exit_code == 0, done.stderr
    wanted = {"standby_cluster": {**REMOTE, "primary_slot_name": "dr"}}
    assert prod.agent("a").changes() == [("PATCH", "/config", wanted)]
    assert "a is standby leader on timeline 3" in done.stdout
    assert "demotion of prod: done, a is standby leader" in done.stdout


def test_a_cluster_is_promoted(prod: Site) -> None:
    standby(prod)
    turns(prod, "primary", timeline=4)
    done = prod.run("promote-cluster", "--force", "-f", "json")
    assert done.exit_code == 0, done.stderr
    assert prod.agent("a").changes() == [("PATCH", "/config", {"standby_cluster": None})]
    assert '"result": "done"' in done.stdout and '"leader": "a"' in done.stdout


def test_what_is_so_already_is_no_error(prod: Site) -> None:
    assert prod.run("promote-cluster", "--force").exit_code == 0
    standby(prod)
    done = prod.run("demote-cluster", "--host", "db1.example", "--port", "5433", "--force")
    assert done.exit_code == 0 and "already so" in done.stdout
    assert prod.agent("a").changes() == []


@pytest.mark.parametrize(("arguments", "config", "leader", "said"), [
    (("demote-cluster", "--host", "other"), {"standby_cluster": REMOTE}, True, "a standby cluster already, with host db1"),
    (("demote-cluster", "--host", "h"), {}, False, "it has no leader"),
    (("promote-cluster",), {"standby_cluster": REMOTE, "pause": True}, True, "it is paused"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused(prod: Site, arguments: tuple[str, ...], config: Mapping[str, object], leader: bool,
                                        said: str) -> None:
    prod.fill(config)
    if not leader:
        prod.store.delete("leader", budget=BUDGET)
    done = prod.run(*arguments, "--force")
    assert done.exit_code == 1 and said in done.stderr
    assert prod.agent("a").changes() == []


def test_it_must_be_said_whom_to_follow(prod: Site) -> None:
    assert prod.run("demote-cluster", "--force").exit_code == 2


def test_it_is_asked_first_and_no_ends_it(prod: Site) -> None:
    standby(prod)
    with prod.terminal("promote-cluster") as terminal:
        terminal.until("is not stopped")
        terminal.until("Promotion of prod?")
        terminal.type("n\n")
        assert terminal.end() == 1
    assert prod.agent("a").changes() == []


def test_what_does_not_come_about_in_time_is_unknown(prod: Site) -> None:
    standby(prod)
    prod.agent("a").answers["PATCH", "/config"] = (200, {})
    done = prod.run("--timeout", "1", "promote-cluster", "--force")
    assert done.exit_code == 3 and "still missing: a primary" in done.stderr
