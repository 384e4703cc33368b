"""history, dsn, version, explain: what is read, of the store or of agents."""

import pytest

from tests.unit.cli.cli_site import Site

EXPLANATION = {
    "name": "a", "role": "primary", "state": "running", "rule": "lead.90", "sentence": "all is well", "reason": "",
    "facts": ["server_up"], "since_s": 90.0, "job": None,
    "passed_over": [{"rule": "lead.10", "sentence": "take it over", "failed": "unclaimed",
                     "because": "the lease lasts 3s more"}]}


def test_history_for_people_and_programs(prod: Site) -> None:
    lines = prod.run("history").stdout.splitlines()
    assert lines[3].split("|")[1:4] == ["  1 ", " 0/3000000 ", " no recovery target specified "]
    assert prod.rows("history")[1] == {
        "TL": 2, "LSN": 0x4000000, "Reason": "no recovery target specified", "Timestamp": "2030-01-02T00:00:00+00:00",
        "New Leader": "a"}


def told(prod: Site) -> None:
    prod.put("events", {"seen": {"leader": "b", "timeline": 2, "members": {}}, "events": [
        {"at": "2030-01-01T00:00:00.000+00:00", "what": "bootstrap", "member": "a", "timeline": 1, "rule": "empty.30"},
        {"at": "2030-01-02T00:00:07.500+00:00", "what": "failover", "member": "b", "from": "a", "to": "b", "timeline": 2,
         "rule": "race.85", "refused_s": [6.5, 13.5]},
        {"at": "2030-01-02T00:00:01.000+00:00", "what": "pause", "by": "alice@db1 (from 10.0.0.1)"}]})


def test_events_for_people_newest_last_and_by_time(prod: Site) -> None:
    told(prod)
    assert prod.run("history", "--events").stdout.splitlines()[1:] == [
        "2030-01-01 00:00:00  bootstrap    a; timeline 1; empty.30",
        "2030-01-02 00:00:01  pause        by alice@db1 (from 10.0.0.1)",
        "2030-01-02 00:00:07  failover     a -> b; timeline 2; writes refused for 6.5s to 14s; race.85"]
    assert [line[21:29] for line in prod.run("history", "--events", "-n", "1").stdout.splitlines()[1:]] == ["failover"]


def test_events_for_programs(prod: Site) -> None:
    told(prod)
    found = prod.rows("history", "--events", "--since", "2030-01-02T00:00Z")
    assert [event["what"] for event in found] == ["pause", "failover"] and found[1]["refused_s"] == [6.5, 13.5]
    header, *lines = prod.run("history", "--events", "-f", "tsv").stdout.splitlines()
    row = dict(zip(header.split("\t"), lines[-1].split("\t"), strict=True))
    assert (row["From"], row["To"], row["Refused From"], row["Refused To"]) == ("a", "b", "6.5", "13.5")


def test_a_cluster_without_a_journal_says_so(prod: Site) -> None:
    result = prod.run("history", "--events")
    assert (result.exit_code, result.stdout.split(":")[0]) == (0, "no journal")
    assert prod.run("history", "--limit", "3").exit_code == 2
    assert prod.run("history", "--events", "--since", "soon").exit_code == 2


@pytest.mark.parametrize(("arguments", "wanted"), [
    ((), "host=a.example port=5432\n"),
    (("-m", "b"), "host=b.example port=5432\n"),
    (("-r", "replica"), "host=b.example port=5432\n"),
    (("-r", "any"), "host=a.example,b.example,c.example port=5432,5432,5432\n"),
    (("-r", "any", "--format", "uri"),
     "postgresql://a.example:5432,b.example:5432,c.example:5432/?target_session_attrs=any\n"),
    (("--format", "json"), '{"host": "a.example", "port": "5432"}\n'),
])
def test_dsn(prod: Site, arguments: tuple[str, ...], wanted: str) -> None:
    assert prod.run("dsn", *arguments).stdout == wanted


def test_dsn_of_nobody(prod: Site) -> None:
    assert prod.run("dsn", "-r", "standby-leader").exit_code == 1
    assert prod.run("dsn", "-m", "x").exit_code == 1
    assert prod.run("dsn", "-m", "a", "-r", "any").exit_code == 2


def test_versions(prod: Site) -> None:
    result = prod.run("version", "prod", "a", "b")
    assert result.exit_code == 0
    assert result.stdout == "a: Patroni 4.1.0 PostgreSQL 16.4\nb: Patroni 4.1.0 PostgreSQL 16.4\n"
    prod.member("b", awake=False)
    away = prod.run("version", "prod", "b")
    assert away.exit_code == 1 and "connection refused" in away.stdout


def test_explain(prod: Site) -> None:
    prod.agent("a").answers["GET", "/explain"] = (200, EXPLANATION)
    prod.agent("b").answers["GET", "/explain"] = (200, {
        **EXPLANATION, "name": "b", "job": {"name": "clone", "for_s": 3.0, "progress": "12 MB", "ended": False}})
    prod.agent("c").answers["GET", "/explain"] = (503, {"role": "replica", "state": "running", "patroni": {}})
    result = prod.run("explain")
    assert result.exit_code == 1
    assert "| lead.90 | all is well " in result.stdout
    assert "b: clone for 3s: 12 MB" in result.stdout
    assert "it runs Patroni, which does not explain itself" in result.stdout
    assert "lead.10" not in result.stdout
    assert "the lease lasts 3s more" in prod.run("explain", "-v").stdout
    named = prod.run("explain", "a")
    assert named.exit_code == 0
    assert named.stdout.splitlines()[:2] == ["a  primary, running", "  rule    lead.90  all is well"]
    assert named.stdout.splitlines()[-2:] == ["    lead.10  take it over", "      the lease lasts 3s more"]


def test_explain_says_first_why_nobody_is_promoted(prod: Site) -> None:
    waiting = {**EXPLANATION, "name": "b", "rule": "race.50", "sentence": "I may not stand", "reason": "tagged nofailover",
               "leader": None, "leaderless_s": 12.0, "former_leader": "z"}
    prod.agent("b").answers["GET", "/explain"] = (200, waiting)
    for name in ("a", "c"):
        prod.member(name, awake=False)
    lines = prod.run("explain").stdout.splitlines()
    assert lines[0] == "Nobody leads, for 12s. z led last, and does not report. What holds each member back:"
    assert lines[1].startswith("  a: ") and lines[1] != "  a: "
    assert lines[2] == "  b: I may not stand (tagged nofailover)"


def test_explain_says_that_pause_and_the_store_keep_everybody(prod: Site) -> None:
    away = {**EXPLANATION, "pause": True, "cut": "no answer", "leader": "a"}
    for name in ("a", "b", "c"):
        prod.agent(name).answers["GET", "/explain"] = (200, {**away, "name": name})
    lines = prod.run("explain").stdout.splitlines()
    assert lines[0].startswith("The cluster is paused")
    assert lines[1] == "No member that answers can read the store (no answer)."
    assert lines[2].startswith("Without it nobody can be promoted")


def test_explain_without_the_store(prod: Site) -> None:
    agent = prod.agent("a")
    agent.answers["GET", "/explain"] = (200, EXPLANATION)
    agent.answers["GET", "/cluster"] = (200, {"scope": "prod", "members": [{"name": "a", "api_url": agent.url}]})
    prod.config.write_text(f"scope: prod\netcd3:\n  host: 127.0.0.1:9\nrestapi:\n  listen: {agent.url.split('/')[2]}\n",
                           encoding="utf-8")
    result = prod.run("--timeout", "1", "explain")
    assert result.exit_code == 4
    assert "all is well" in result.stdout
