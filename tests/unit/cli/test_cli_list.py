"""list and topology: what stands in the store, for eyes and for programs; and how they end."""

import json
import threading
import time

from tests.unit.cli.cli_site import BUDGET, OPTIME, Site, interrupt

KEYS_OF_OLD = {"Cluster", "Member", "Host", "Role", "State", "TL"}


def test_shows_the_box_that_people_know(prod: Site) -> None:
    result = prod.run("list")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].startswith("+ Cluster: prod (7300000000000000001) ---")
    assert lines[1].split() == ["|", "Member", "|", "Host", "|", "Role", "|", "State", "|", "TL", "|", "Receive", "LSN", "|",
                                "Lag", "|", "Replay", "LSN", "|", "Lag", "|"]
    assert lines[2] == lines[-1] and set(lines[2]) == {"+", "-"}
    assert [line.split("|")[1].strip() for line in lines[3:-1]] == ["a", "b", "c"]
    assert {len(line) for line in lines} == {len(lines[0])}


def test_title_is_cut_to_a_narrow_table(site: Site) -> None:
    site.put("initialize", "")
    site.put("config", {"ttl": 30})
    lines = site.run("list").stdout.splitlines()
    assert lines[0].startswith("+ Cluster: prod (initializing) ")
    assert len(lines[0]) == len(lines[1])


def test_json_keeps_the_old_titles_and_adds_real_values(prod: Site) -> None:
    prod.member("c", lag=2 * 1048576 + 100)
    rows = prod.rows("list")
    assert [row["Member"] for row in rows] == ["a", "b", "c"]
    leader, _, lagging = rows
    assert leader.keys() >= KEYS_OF_OLD
    assert "Receive LSN" not in leader
    assert leader["Role"] == "Leader" and leader["TL"] == 3 and leader["paused"] is False
    assert leader["system_identifier"] == "7300000000000000001"
    assert lagging["Receive Lag"] == 2 and lagging["receive_lag_bytes"] == 2 * 1048576 + 100
    assert lagging["api_url"] == prod.agent("c").url


def test_pause_and_schedule_are_told_in_every_format(site: Site) -> None:
    site.fill({"pause": True})
    site.put("failover", {"leader": "a", "member": "b", "scheduled_at": "2030-05-01T10:00:00+00:00"})
    text = site.run("list").stdout
    assert " Maintenance mode: on\n" in text
    assert " Switchover scheduled at: 2030-05-01T10:00:00+00:00\n" in text
    assert text.endswith("from: a\n                      to: b\n")
    first = site.rows("list")[0]
    assert first["paused"] is True
    assert first["scheduled_switchover"] == {"at": "2030-05-01T10:00:00+00:00", "from": "a", "to": "b"}


def test_tsv_has_one_line_a_row_whatever_is_in_it(prod: Site) -> None:
    prod.member("b", tags={"note": "two\nlines\tand a tab", "nofailover": True}, pending_restart=True,
                pending_restart_reason={"max_connections": {"old_value": "100", "new_value": "200"},
                                        "wal_level": {"old_value": "replica", "new_value": "logical"}})
    lines = prod.run("list", "-f", "tsv").stdout.splitlines()
    assert len(lines) == 4
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}
    assert "two\\nlines\\tand a tab" in lines[2]
    assert "max_connections: 100->200, wal_level: replica->logical" in lines[2]


def test_several_clusters_are_one_document(prod: Site) -> None:
    other = prod.open("test")
    other.put("initialize", "7300000000000000002", budget=BUDGET)
    other.put("members/x", json.dumps({"role": "replica", "state": "stopped"}), budget=BUDGET)
    rows = json.loads(prod.run("list", "prod", "test", "-f", "json").stdout)
    assert [(row["Cluster"], row["Member"]) for row in rows] == [("prod", "a"), ("prod", "b"), ("prod", "c"), ("test", "x")]
    assert rows[3]["system_identifier"] == "7300000000000000002"


def test_unknown_cluster_is_an_error_with_the_nearest_name(prod: Site) -> None:
    result = prod.run("list", "prodd")
    assert result.exit_code == 1
    assert 'there is no cluster "prodd"' in result.stderr
    assert 'Did you mean "prod"?' in result.stderr
    assert result.stdout == ""


def test_empty_store_says_so(site: Site) -> None:
    result = site.run("list")
    assert result.exit_code == 1
    assert "holds no cluster at all" in result.stderr


def test_silent_members_are_shown_as_such(site: Site) -> None:
    site.fill({"synchronous_mode": True})
    site.put("sync", {"leader": "a", "sync_standby": "d", "quorum": 0})
    site.put("status", {"optime": OPTIME, "retain_slots": ["a", "b", "c", "e_1"]})
    rows = {row["Member"]: row for row in site.rows("list")}
    assert rows["d"]["State"] == "silent" and rows["d"]["Role"] == "Sync Standby"
    assert rows["e_1"]["silent"] is True
    assert "silent" not in rows["b"]


def test_a_leader_that_vanished_stays_in_the_table(prod: Site) -> None:
    prod.store.delete("members/a", budget=BUDGET)
    rows = {row["Member"]: row for row in prod.rows("list")}
    assert rows["a"]["Role"] == "Leader" and rows["a"]["State"] == "silent"


def test_check_judges(prod: Site) -> None:
    assert prod.run("list", "--check").exit_code == 0
    prod.member("c", lag=64 * 1048576)
    result = prod.run("list", "--check")
    assert result.exit_code == 1
    assert "prod: c is 64 MB behind" in result.stderr
    prod.member("c", replication_state=None)
    assert "c does not stream" in prod.run("list", "--check").stderr
    prod.store.delete("leader", budget=BUDGET)
    assert "the cluster has no leader" in prod.run("list", "--check").stderr


def test_topology_shows_cascades_and_loses_nobody(prod: Site) -> None:
    prod.member("c", tags={"replicatefrom": "b"})
    prod.member("d", tags={"replicatefrom": "e"})
    prod.member("e", tags={"replicatefrom": "d"})
    lines = [line.split("|")[1].rstrip() for line in prod.run("topology").stdout.splitlines()[3:-1]]
    assert lines == [" + a", "   + b", "     + c", "   + d", "   + e"]


def test_topology_without_a_leader(prod: Site) -> None:
    prod.store.delete("leader", budget=BUDGET)
    lines = [line.split("|")[1].rstrip() for line in prod.run("topology").stdout.splitlines()[3:-1]]
    assert lines == [" + a", " + b", " + c"]


def test_store_away_ends_with_4_and_soon(site: Site) -> None:
    site.config.write_text("scope: prod\netcd3:\n  host: 127.0.0.1:9\n", encoding="utf-8")
    begun = time.monotonic()
    result = site.run("--timeout", "2", "list")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: ")
    assert time.monotonic() - begun < 6


def test_store_away_asks_each_member_that_the_agent_of_this_host_remembers(prod: Site) -> None:
    """a led, and has become a replica since; b has been promoted by hand; c is gone."""
    agent = prod.agent("a")
    prod.member("a", "replica", lag=0x1000)
    prod.member("b", "primary", timeline=4)
    agent.answers["GET", "/cluster"] = (503, {
        "scope": "prod", "members": [
            {"name": "a", "role": "leader", "state": "running", "host": "h1", "port": 5432, "timeline": 3,
             "api_url": agent.url},
            {"name": "b", "role": "sync_standby", "state": "streaming", "host": "h2", "port": 5432, "timeline": 3,
             "receive_lsn": "0/5000000", "receive_lag": 0, "replay_lsn": "unknown", "replay_lag": "unknown",
             "api_url": prod.agent("b").url},
            {"name": "c", "role": "sync_standby", "state": "streaming", "host": "h3", "port": 5432, "timeline": 3,
             "api_url": "http://127.0.0.1:9/patroni"}]})
    prod.away("a")
    result = prod.run("--timeout", "2", "list", "-f", "json")
    assert result.exit_code == 4
    rows = {row["Member"]: row for row in json.loads(result.stdout)}
    assert {name: (row["Role"], row["State"], row["TL"]) for name, row in rows.items()} == {
        "a": ("Replica", "running", 3), "b": ("Leader", "running", 4), "c": ("Sync Standby", "silent", 3)}
    assert rows["a"]["receive_lag_bytes"] == 0x1000 and rows["a"]["source"] == agent.url
    assert "members asked directly: a, b" in result.stderr and "c does not answer (" in result.stderr
    shown = prod.run("--timeout", "2", "topology")
    assert shown.exit_code == 4 and "Sync Standby" in shown.stdout and "h2" in shown.stdout
    other = prod.run("--timeout", "2", "list", "other")
    assert other.exit_code == 4 and other.stdout == ""


def test_store_away_history_and_settings_are_those_that_the_agent_read_last(prod: Site) -> None:
    agent = prod.agent("a")
    agent.answers["GET", "/history"] = (503, [[1, 0x3000000, "no reason", "2030-01-01T00:00:00+00:00", "b"]])
    agent.answers["GET", "/config"] = (503, {"ttl": 33, "loop_wait": 10})
    prod.away("a")
    told = prod.run("--timeout", "2", "history", "-f", "json")
    assert told.exit_code == 4 and json.loads(told.stdout)[0]["New Leader"] == "b"
    stored = prod.run("--timeout", "2", "show-config")
    assert stored.exit_code == 4 and stored.stdout == "loop_wait: 10\nttl: 33\n"
    assert agent.url in stored.stderr and "error: " in stored.stderr
    effective = prod.run("--timeout", "2", "show-config", "--effective")
    assert effective.exit_code == 4 and "retry_timeout: 10" in effective.stdout and "ttl: 33" in effective.stdout
    for command in ("history", "show-config"):
        assert (found := prod.run("--timeout", "2", command, "other")).exit_code == 4 and found.stdout == ""
    assert (events := prod.run("--timeout", "2", "history", "--events")).exit_code == 4 and events.stdout == ""
    agent.answers["GET", "/config"] = (503, "not yet read")
    assert (unread := prod.run("--timeout", "2", "show-config")).exit_code == 4 and unread.stdout == ""


def test_watch_shows_a_change_at_once_and_ends_well(prod: Site) -> None:
    """The interval is long: only the change can have brought the second table in this time."""

    def change() -> None:
        time.sleep(0.5)
        prod.member("b", state="stopped", replication_state=None)
        time.sleep(0.7)
        interrupt()

    threading.Thread(target=change, daemon=True).start()
    result = prod.run("list", "-f", "tsv", "-w", "60")
    assert result.exit_code == 0, result.stderr
    assert "\tReplica\tstopped\t" in result.stdout
    assert "\tReplica\tstreaming\t" in result.stdout


def test_long_pending_reasons_are_shortened_for_people_only(prod: Site) -> None:
    long = "a" * 60
    prod.member("b", pending_restart=True,
                pending_restart_reason={"archive_command": {"old_value": "", "new_value": long}})
    assert "archive_command: [hidden, too long]" in prod.run("list").stdout
    assert long in prod.run("list", "-f", "json").stdout


def test_timestamp_stands_first(prod: Site) -> None:
    first = prod.run("list", "-t").stdout.splitlines()[0]
    assert time.strptime(first, "%Y-%m-%d %H:%M:%S").tm_year >= 2020
