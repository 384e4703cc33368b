"""synchronous_standby_names in the model: the forms PostgreSQL takes, and whose word counts for a commit."""

import pytest

from tests.sim import sync_names_model
from tests.sim.sync_names_model import SyncNames


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", SyncNames()),
        ("b", SyncNames(("b",))),
        ('"b-1", C', SyncNames(("b-1", "C"))),
        ("2 (b,c)", SyncNames(("b", "c"), 2)),
        ("first 1 (b, c)", SyncNames(("b", "c"))),
        ('ANY 1 ("b",c)', SyncNames(("b", "c"), 1, quorum=True)),
        ("*", SyncNames(("*",))),
    ],
)
def test_each_form_is_read(text: str, names: SyncNames) -> None:
    assert sync_names_model.parse(text) == names


@pytest.mark.parametrize("text", ["0 (a)", "ANY 1 ()"])
def test_what_postgresql_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no value"):
        sync_names_model.parse(text)


@pytest.mark.parametrize(
    ("text", "flushed", "confirmed"),
    [
        ("b", {"b": 5, "c": 9}, 5),
        ("b", {"c": 9}, 0),
        ("B", {"b": 5}, 5),
        ("1 (b,c)", {"b": 5, "c": 9}, 5),
        ("1 (b,c)", {"c": 9}, 9),
        ("2 (b,c)", {"b": 5, "c": 9}, 5),
        ("2 (b,c)", {"b": 5}, 0),
        ("ANY 1 (b,c)", {"b": 5, "c": 9}, 9),
        ("ANY 2 (b,c,d)", {"b": 5, "c": 9, "d": 7}, 7),
        ("*", {"c": 9}, 9),
        ("__patroni_strict_sync_replica_placeholder__", {"b": 5}, 0),
    ],
)
def test_a_commit_is_confirmed_by_those_whose_word_counts(text: str, flushed: dict[str, int], confirmed: int) -> None:
    assert sync_names_model.parse(text).confirmed(flushed) == confirmed


def test_states_are_those_of_pg_stat_replication() -> None:
    first, quorum = sync_names_model.parse("1 (b,c)"), sync_names_model.parse("ANY 1 (b,c)")
    assert [first.state(name, "bcd") for name in "bcd"] == ["sync", "potential", "async"]
    assert [first.priority(name) for name in "bcd"] == [1, 2, 0]
    assert [quorum.state(name, "bcd") for name in "bcd"] == ["quorum", "quorum", "async"]
    assert [quorum.priority(name) for name in "bcd"] == [1, 1, 0]
