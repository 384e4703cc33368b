"""synchronous_standby_names as value and as text."""

import pytest

from pgctl.model import sync_names
from pgctl.model.sync_names import NOBODY, SyncNames


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", SyncNames()),
        ("a", SyncNames(frozenset("a"), 1)),
        ('"a"', SyncNames(frozenset("a"), 1)),
        ("a, b", SyncNames(frozenset("ab"), 1)),
        ('2 ("a","b")', SyncNames(frozenset("ab"), 2)),
        ("FIRST 1 (a, b)", SyncNames(frozenset("ab"), 1)),
        ("any 2 (a,b,c)", SyncNames(frozenset("abc"), 2, True)),
        ('ANY 1 ("x""y","with, comma")', SyncNames(frozenset({'x"y', "with, comma"}), 1, True)),
        ("*", SyncNames(frozenset({NOBODY}), 1)),
        ("3 (a,b)", SyncNames(frozenset("ab"), 2)),
    ],
)
def test_reads_what_postgresql_would(text: str, value: SyncNames) -> None:
    assert sync_names.parse(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (SyncNames(), ""),
        (SyncNames(frozenset("a"), 1), '"a"'),
        (SyncNames(frozenset("ba"), 2), '2 ("a","b")'),
        (SyncNames(frozenset("a"), 1, True), 'ANY 1 ("a")'),
        (SyncNames(frozenset({'x"y', "b"}), 1, True), 'ANY 1 ("b","x""y")'),
    ],
)
def test_writes_it_sorted_and_quoted(value: SyncNames, text: str) -> None:
    assert sync_names.show(value) == text
    assert sync_names.parse(text) == value
