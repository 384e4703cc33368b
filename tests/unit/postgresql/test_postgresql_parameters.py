"""`parameters`: managed ones and their bounds, and all that a `Conf` wants."""

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import PostgresSection
from pgctl.model.conf import Conf, Upstream
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData
from pgctl.postgresql import options, parameters
from pgctl.postgresql.site import Site

SITE = Site(PostgresSection("/data", ("10.0.0.1", "localhost"), 5433), "main", "alpha", SystemClock(), {})


def managed(**given: object) -> dict[str, str]:
    return parameters.managed(SITE, options.merge({}, {"parameters": given}))


def test_defaults() -> None:
    assert managed() == {
        "listen_addresses": "10.0.0.1,localhost",
        "port": "5433",
        "cluster_name": "main",
        "hot_standby": "on",
        "wal_level": "replica",
        "max_connections": "100",
        "max_wal_senders": "10",
        "max_worker_processes": "8",
        "max_prepared_transactions": "0",
        "max_locks_per_transaction": "64",
        "max_replication_slots": "10",
        "track_commit_timestamp": "off",
        "wal_log_hints": "on",
    }


@pytest.mark.parametrize(
    ("name", "value", "used"),
    [
        ("max_connections", 25, "25"),
        ("max_connections", "0x80", "128"),
        ("max_connections", 24, "100"),
        ("max_connections", "many", "100"),
        ("max_connections", True, "100"),
        ("wal_level", "LOGICAL", "logical"),
        ("wal_level", "hot_standby", "replica"),
        ("wal_level", "minimal", "replica"),
        ("hot_standby", False, "on"),
        ("track_commit_timestamp", "yes", "on"),
        ("wal_log_hints", "off", "off"),
        ("wal_log_hints", "maybe", "on"),
        ("port", 1, "5433"),
        ("listen_addresses", "*", "10.0.0.1,localhost"),
    ],
)
def test_an_unacceptable_value_gives_the_default(name: str, value: object, used: str) -> None:
    assert managed(**{name: value})[name] == used


def test_what_was_not_accepted_is_said() -> None:
    given = {"parameters": {"max_connections": 3, "max_wal_senders": 20, "wal_keep_size": "1kB"}}
    assert parameters.objections(options.merge({}, given)) == (
        'max_connections = "3" is not acceptable, 100 is used',
        'wal_keep_size = "1kB" is not acceptable, 128MB is used',
    )


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, "128MB"),
        ({"wal_keep_segments": 64}, "1024MB"),
        ({"wal_keep_segments": 0}, "128MB"),
        ({"wal_keep_size": "1GB", "wal_keep_segments": 64}, "1GB"),
        ({"wal_keep_size": 64}, "64"),
        ({"wal_keep_size": "8MB"}, "128MB"),
    ],
)
def test_wal_keep_size(given: dict[str, object], used: str) -> None:
    found = parameters.wanted(SITE, options.merge({}, {"parameters": given}), Conf())
    assert found["wal_keep_size"] == used
    assert "wal_keep_segments" not in found
    assert "wal_keep_size" not in managed(**given)


def test_synchronous_names_are_the_clusters_or_the_operators() -> None:
    own = options.merge({"parameters": {"synchronous_standby_names": "mine"}}, {})
    name = "synchronous_standby_names"
    assert parameters.wanted(SITE, own, Conf())[name] == "mine"
    assert parameters.wanted(SITE, own, Conf(sync_names="ANY 1 (a,b)"))[name] == "ANY 1 (a,b)"
    assert name not in parameters.wanted(SITE, own, Conf(sync_names=""))


def test_role_parameters_apply_to_their_role_and_never_to_managed_ones() -> None:
    given = {"parameters_primary": {"work_mem": "9MB", "max_connections": 7}, "parameters_standby_leader": {"jit": True}}
    found = options.merge({"parameters": {"work_mem": "1MB"}}, given)
    primary = parameters.wanted(SITE, found, Conf(standby=False))
    replica = parameters.wanted(SITE, found, Conf())
    leader = parameters.wanted(SITE, found, Conf(upstream=Upstream("r", "h", 1, remote=True)))
    assert (primary["work_mem"], replica["work_mem"], leader["jit"]) == ("9MB", "1MB", "on")
    assert primary["max_connections"] == "100" and "jit" not in replica


def test_recovery_settings_and_paths_are_left_out() -> None:
    given = {"restore_command": "x", "hba_file": "y", "config_file": "z", "search_path": ["a", "b"]}
    found = parameters.wanted(SITE, options.merge({"parameters": given}, {}), Conf(hot_standby_feedback=True))
    assert not {"restore_command", "hba_file", "config_file"} & set(found)
    assert (found["search_path"], found["hot_standby_feedback"]) == ("a,b", "on")


def test_a_standby_does_not_undercut_its_primary() -> None:
    control = ControlData("shut down", "1", Lsn(1), 1, settings=(("max_connections", "200"), ("max_wal_senders", "5")))
    raised = parameters.raised(managed(), control)
    assert (raised["max_connections"], raised["max_wal_senders"]) == ("200", "10")
    assert parameters.raised(managed(), None) == managed()
