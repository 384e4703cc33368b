"""Settings in force for what a person wrote (config.md 9, ha.md 1), and what edit-config says to it."""

import pytest

from pgctl.model import settings
from pgctl.model.settings import Settings, StandbyCluster, SyncMode


@pytest.mark.parametrize(("written", "in_force"), [
    ((20, 10, 10), (20, 1, 9)),
    ((30, 15, 10), (30, 10, 10)),
    ((15, 10, 3), (15, 9, 3)),  # Patroni: (20, 10, 3), for its ttl is 20 at least
    ((60, 0, 2), (60, 1, 2)),  # Patroni: (60, 1, 3)
    ((25, 10, 20), (25, 1, 12)),
    ((20, 2, 3), (20, 2, 3)),
    ((5, 1, 2), (5, 1, 2)),
    ((1, 1, 1), (5, 1, 1)),
])
def test_timing_is_repaired(written: tuple[float, ...], in_force: tuple[float, ...]) -> None:
    found, notes = settings.read(dict(zip(("ttl", "loop_wait", "retry_timeout"), written, strict=True)))
    assert (found.ttl, found.loop_wait, found.retry_timeout) == in_force
    assert bool(notes) == (written != in_force)


def test_slots_that_cannot_be_read_stay_as_they_were() -> None:
    """A slip of the pen must not drop a slot; taking the setting away does."""
    before, _ = settings.read({"slots": {"feed": None}, "ignore_slots": [{"name": "x"}]})
    after, notes = settings.read({"slots": "feed", "ignore_slots": "x"}, before)
    assert (after.slots, after.ignore_slots) == (before.slots, before.ignore_slots) and len(notes) == 2
    assert settings.read({}, before)[0].slots == {}


def test_without_a_document_what_was_in_force_stays() -> None:
    assert settings.read(None) == (Settings(), ())
    assert settings.read(None, Settings(ttl=60)) == (Settings(ttl=60), ())
    assert settings.read({}, Settings(ttl=60)) == (Settings(), ())


@pytest.mark.parametrize("value", ["30s", "abc", [], {}, True, float("nan"), float("inf")])
def test_timing_that_cannot_be_read_refuses_the_whole_document(value: object) -> None:
    previous = Settings(ttl=60, pause=True)
    found, notes = settings.read({"ttl": value, "pause": False}, previous)
    assert found is previous
    assert notes[-1] == "the settings in force stay, for ttl cannot be read"


@pytest.mark.parametrize("value", [40, "40", " 40 ", 40.0, 40.7])
def test_timing_is_read_as_a_whole_number(value: object) -> None:
    assert settings.read({"ttl": value})[0].ttl == 40


@pytest.mark.parametrize(("document", "name", "value", "noted"), [
    ({"primary_start_timeout": "5min"}, "primary_start_timeout", 300, False),
    ({"primary_start_timeout": -1}, "primary_start_timeout", 0, True),
    ({"primary_start_timeout": "soon"}, "primary_start_timeout", 300, True),
    ({"master_start_timeout": 7}, "primary_start_timeout", 7, True),
    ({"master_start_timeout": 7, "primary_start_timeout": 8}, "primary_start_timeout", 8, False),
    ({"master_stop_timeout": 9}, "primary_stop_timeout", 9, True),
    ({"member_slots_ttl": "30min"}, "member_slots_ttl", 1800, False),
    ({"maximum_lag_on_failover": "2MB"}, "maximum_lag_on_failover", 2097152, False),
    ({"maximum_lag_on_syncnode": -5}, "maximum_lag_on_syncnode", -1, True),
    ({"synchronous_node_count": 0}, "synchronous_node_count", 1, True),
    ({"pause": "on"}, "pause", True, False),
    ({"pause": "maybe"}, "pause", False, True),
    ({"synchronous_mode": "Quorum"}, "synchronous_mode", SyncMode.QUORUM, False),
    ({"synchronous_mode": "true"}, "synchronous_mode", SyncMode.ON, False),
    ({"synchronous_mode": "sometimes"}, "synchronous_mode", SyncMode.OFF, True),
    ({"slots": {"a": None, "B": {}}}, "slots", {"a": None}, True),
    ({"slots": {"a": None}, "permanent_slots": {"b": None}}, "slots", {"b": None}, True),
    ({"permanent_slots": {"b": 1}, "permanent_replication_slots": {"c": 1}}, "slots", {"c": 1}, True),
    ({"slots": {"a": None}, "permanent_slots": {}}, "slots", {"a": None}, False),
    ({"ignore_slots": [{"name": "x"}, 5]}, "ignore_slots", ({"name": "x"},), True),
    ({"ignore_slots": {"name": "x"}}, "ignore_slots", (), True),
    ({"standby_cluster": {"host": "h", "port": "5432"}}, "standby_cluster", StandbyCluster("h", 5432), False),
    ({"standby_cluster": {"host": ["h", "i"]}}, "standby_cluster", StandbyCluster("h,i"), False),
    ({"standby_cluster": {"restore_command": "cp"}}, "standby_cluster", StandbyCluster(restore_command="cp"), False),
    ({"standby_cluster": {"primary_slot_name": "s"}}, "standby_cluster", None, True),
    ({"standby_cluster": {"host": "", "port": 0}}, "standby_cluster", None, True),
    ({"standby_cluster": "h"}, "standby_cluster", None, True),
    ({"ttl": None, "pause": None}, "ttl", 30, False),
    ({"unknown": 1}, "ttl", 30, False),
])
def test_a_value_and_whether_it_is_noted(document: dict[str, object], name: str, value: object, noted: bool) -> None:
    found, notes = settings.read(document)
    assert getattr(found, name) == value
    assert bool(notes) == noted, notes


def test_a_note_says_what_is_used_instead() -> None:
    assert settings.read({"ttl": 3, "loop_wait": 1, "retry_timeout": 1})[1] == ("ttl must be at least 5, not 3: 5 is used",)


def test_a_postgresql_section_that_was_removed_is_no_longer_in_force() -> None:
    previous = Settings(postgresql={"parameters": {"work_mem": "8MB"}})
    assert settings.read({"ttl": 40}, previous)[0].postgresql == {}


def test_a_broken_postgresql_section_leaves_the_one_in_force() -> None:
    previous = Settings(postgresql={"use_slots": False})
    found, notes = settings.read({"ttl": 40, "postgresql": {"parameters": [1]}}, previous)
    assert (found.ttl, found.postgresql) == (40, {"use_slots": False})
    assert notes == ("postgresql must have a mapping as parameters, not a list",)


def test_synchronous_replication_is_never_wanted_in_a_standby_cluster() -> None:
    assert settings.read({"synchronous_mode": True})[0].synchronous
    assert not settings.read({"synchronous_mode": True, "standby_cluster": {"port": 5432}})[0].synchronous


@pytest.mark.parametrize(("document", "sentences"), [
    ({"ttl": 30, "postgresql": {"parameters": {"work_mem": "4MB"}, "use_slots": True}, "master_start_timeout": 1}, ()),
    ({"loop_wiat": 5}, ('unknown key "loop_wiat" (did you mean "loop_wait"?)',)),
    ({"zzz": 5}, ('unknown key "zzz"',)),
    ({"ttl": "x", "pause": 7}, ("ttl must be a whole number of seconds, not x", "pause must be true or false, not 7")),
    ({"ttl": 20}, ("loop_wait 10 + 2 * retry_timeout 10 exceeds ttl 20: loop_wait 1 and retry_timeout 9 are used",)),
    ({"postgresql": {"paramters": {}}}, ('postgresql.paramters: unknown key (did you mean "parameters"?)',)),
    ({"postgresql": {"pg_hba": "all"}}, ('postgresql.pg_hba: must be a list, not "all"',)),
    ({"postgresql": {"listen": "h"}}, ("postgresql.listen: has no effect here: it is set in each member's own file",)),
    ({"postgresql": {"create_replica_methods": ["wal_e"], "wal_e": {"command": "x"}, "barman": {"command": "y"}}}, ()),
    ({"standby_cluster": {"hots": "h", "port": 1}},
     ('standby_cluster: unknown key "hots" (did you mean "host"?)',)),
    ({"slots": {"no-dash": {}}}, ("slots leaves out no-dash: a slot's name is 1 to 63 of a-z, 0-9 and _",)),
    ({"postgresql": {"parameters": None, "pg_hba": None}}, ()),
])
def test_faults_of_a_document_about_to_be_stored(document: dict[str, object], sentences: tuple[str, ...]) -> None:
    assert settings.faults(document) == sentences


def test_the_reference_has_a_row_for_each_setting_with_its_default() -> None:
    text = settings.markdown()
    assert all(f"| `{row.name}` |" in text for row in settings.TABLE)
    assert "| `ttl` | whole seconds | 30 | 5 | how long a leader's lease lasts without renewal |" in text


def test_the_table_and_the_dataclass_have_the_same_names() -> None:
    assert {row.name for row in settings.TABLE} == set(Settings.__dataclass_fields__)
