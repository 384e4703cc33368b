"""The board as Prometheus text. Source: rest.md 8."""

import re
from dataclasses import replace

from pgctl.agent import metrics
from pgctl.agent.board import Board, Notice
from pgctl.agent.core.job import Clone
from pgctl.model.server import Phase, ServerState
from pgctl.units import Instant
from tests.unit.agent.boards import END, NOW, WALL, cluster, host, notice, primary, standby

_SAMPLE = re.compile(r'([a-z_]+)\{(scope="[^"]*",name="[^"]*"(?:,[a-z]+="[^"]*")*)\} (-?[0-9.]+(?:e[+-]?\d+)?)\Z')


def samples(found: Notice, now: float = NOW) -> dict[str, str]:
    """name → value; every line must be a sample or a comment."""
    lines = [line for line in metrics.render(found, Instant(now)).splitlines() if not line.startswith("#")]
    matches = [_SAMPLE.match(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if match is None]
    return {match[1]: match[3] for match in matches if match}


def test_a_primary() -> None:
    found = samples(notice(primary(), cluster("a"), leads=True))
    wanted = {
        "patroni_version": "040100", "patroni_postgres_running": "1", "patroni_primary": "1", "patroni_replica": "0",
        "patroni_postmaster_start_time": "1767222000.5", "patroni_xlog_location": str(END),
        "patroni_xlog_received_location": "0", "patroni_postgres_server_version": "150018",
        "patroni_postgres_timeline": "3", "patroni_cluster_unlocked": "0", "patroni_dcs_last_seen": str(int(WALL)),
        "patroni_postgres_state": "5", "patroni_failover_priority": "1", "patroni_is_paused": "0",
        "pgctl_lease_seconds_left": "25.0", "pgctl_store_readable": "1",
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted


def test_a_standby() -> None:
    found = samples(notice(standby(replay_paused=True), cluster(), me=host(nofailover=True)))
    wanted = {
        "patroni_primary": "0", "patroni_replica": "1", "patroni_xlog_location": "0",
        "patroni_xlog_received_location": str(END), "patroni_xlog_replayed_location": str(END),
        "patroni_xlog_replayed_timestamp": "1767225599.25", "patroni_xlog_paused": "1",
        "patroni_postgres_streaming": "1", "patroni_postgres_in_archive_recovery": "0",
        "patroni_failover_priority": "0", "pgctl_lease_seconds_left": "0.0",
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted


def test_nothing_known_is_still_a_valid_page() -> None:
    found = samples(Board("prod", host(), NOW, WALL).read())
    assert (found["patroni_postmaster_start_time"], found["patroni_dcs_last_seen"]) == ("0.0", "0")
    assert "patroni_postgres_streaming" not in found
    assert samples(notice(standby(phase=Phase.HUNG), cluster()))["patroni_postgres_state"] == "-1"
    assert samples(notice(standby(replay_lsn=None), cluster()))["patroni_xlog_replayed_location"] == "0"


def test_ages_and_the_rule() -> None:
    text = metrics.render(notice(primary(), cluster("a"), leads=True, rule="lead.90"), Instant(NOW + 4))
    assert 'pgctl_rule_info{scope="prod",name="a",rule="lead.90"} 1\n' in text
    assert 'pgctl_cycle_age_seconds{scope="prod",name="a"} 4.0\n' in text
    cloning = metrics.render(notice(ServerState(Phase.EMPTY), cluster(), job=Clone()), NOW)
    assert 'pgctl_job_info{scope="prod",name="a",job="clone"} 1\n' in cloning


def test_labels_are_escaped() -> None:
    odd = replace(notice(standby(), cluster()), scope='a"b\\c\nd')
    assert 'scope="a\\"b\\\\c\\nd"' in metrics.render(odd, NOW)


def test_every_sample_has_its_help_and_type() -> None:
    lines = metrics.render(notice(standby(), cluster()), NOW).splitlines()
    named = [line.split("{")[0] for line in lines if not line.startswith("#")]
    assert [line.split()[2] for line in lines if line.startswith("# HELP")] == named
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == named
