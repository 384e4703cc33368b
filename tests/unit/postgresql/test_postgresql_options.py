"""`options`: the dynamic section under the local one."""

import pytest

from pgctl.postgresql import options
from pgctl.postgresql.options import MANAGED, Options


def test_a_local_key_replaces_the_dynamic_one_as_a_whole() -> None:
    found = options.merge({"pg_hba": ["b"]}, {"pg_hba": ["a1", "a2"], "recovery_conf": {"restore_command": "x"}})
    assert found.pg_hba == ("b",)
    assert found.recovery_conf == {"restore_command": "x"}


def test_parameters_merge_by_name_whatever_the_case() -> None:
    found = options.merge({"parameters": {"Work_Mem": "2MB"}}, {"parameters": {"work_mem": "1MB", "jit": False}})
    assert found.parameters == {"work_mem": "2MB", "jit": False}


def test_managed_parameters_of_one_host_alone_are_dropped() -> None:
    local = dict.fromkeys(MANAGED, "1")
    assert options.merge({"parameters": local}, {"parameters": {"max_connections": 7}}).parameters == {"max_connections": 7}


def test_what_only_a_host_may_say_is_not_taken_from_the_store() -> None:
    dynamic = {"data_dir": "/elsewhere", "authentication": {}, "listen": "x", "pgpass": "y", "use_pg_rewind": "on"}
    found = options.merge({}, dynamic)
    assert found.use_pg_rewind
    assert set(found.section) == {"use_pg_rewind", "parameters"}


def test_use_slots_is_the_clusters_to_say() -> None:
    assert options.merge({"use_slots": False}, {"use_slots": True}).section["use_slots"] is True


def test_wrong_shapes_are_read_as_absent() -> None:
    found = options.merge({}, {"parameters": [1], "pg_hba": 5, "callbacks": "x", "pg_ctl_timeout": "soon"})
    assert (found.parameters, found.pg_hba, found.callbacks) == ({}, (), {})
    assert found.pg_ctl_timeout == 60


@pytest.mark.parametrize(("written", "seconds"), [(None, 60), (0, 60), ("", 60), (90, 90), ("2min", 120)])
def test_pg_ctl_timeout(written: object, seconds: float) -> None:
    assert options.merge({}, {"pg_ctl_timeout": written}).pg_ctl_timeout == seconds


def test_replica_methods_in_both_spellings() -> None:
    assert Options().create_replica_methods == ("basebackup",)
    assert options.merge({}, {"create_replica_method": "wal_e, basebackup"}).create_replica_methods == (
        "wal_e",
        "basebackup",
    )
    assert options.merge({"create_replica_methods": ["a"]}, {}).create_replica_methods == ("a",)


def test_a_roles_own_lines_replace_the_plain_ones() -> None:
    found = options.merge({}, {"pg_hba": ["plain"], "pg_hba_primary": ["own"]})
    assert options.for_role(found, "pg_hba", "primary") == ("own",)
    assert options.for_role(found, "pg_hba", "replica") == ("plain",)


@pytest.mark.parametrize(
    ("given", "accepted", "left_out"),
    [
        (["data-checksums", {"encoding": "UTF8"}], ["--data-checksums", "--encoding=UTF8"], []),
        ([{"max-rate": 100}], ["--max-rate=100"], []),
        ({"max-rate": "'100M'", "verbose": True, "quiet": False}, ["--max-rate=100M", "--verbose"], ["quiet"]),
        (["--pgdata=/x", {"pgdata": "/y"}, "label=a"], ["--label=a"], ["pgdata=/x", "pgdata"]),
        (None, [], []),
    ],
)
def test_option_lists_become_arguments(given: object, accepted: list[str], left_out: list[str]) -> None:
    assert options.arguments(given, frozenset({"pgdata"})) == (accepted, left_out)
