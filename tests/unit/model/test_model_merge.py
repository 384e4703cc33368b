"""Merge patches as the REST API applies them (rest.md 9), and equality by text form."""

import pytest

from pgctl.model import merge


@pytest.mark.parametrize(("stored", "patch", "merged", "changed"), [
    ({"a": 1}, {"a": None}, {}, True),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}, True),
    ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}, True),
    ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}, True),
    ({"a": {"b": 2}}, {"a": 1}, {"a": 1}, True),
    ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, True),
    ({"a": 1}, {"a": [1]}, {"a": [1]}, True),
    ({}, {"a": {"b": None, "c": {"d": None, "e": 1}}}, {"a": {"c": {"e": 1}}}, True),
    ({"a": 30}, {"a": "30"}, {"a": 30}, False),
    ({"a": True}, {"a": "True"}, {"a": True}, False),
    ({"a": True}, {"a": "true"}, {"a": "true"}, True),
    ({"a": None}, {"a": None}, {}, True),
    ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}, False),
    ({"a": 1}, {"b": None}, {"a": 1}, False),
    ({"a": 1}, {}, {"a": 1}, False),
])
def test_merge_patch(stored: dict[str, object], patch: dict[str, object], merged: dict[str, object], changed: bool) -> None:
    before = repr(stored)
    assert merge.merge_patch(stored, patch) == (merged, changed)
    assert repr(stored) == before


@pytest.mark.parametrize(("one", "other", "equal"), [
    ({"a": 1, "b": [1, {"c": 2}]}, {"b": ["1", {"c": "2"}], "a": "1"}, True),
    ({"a": 1}, {"a": 1, "b": 2}, False),
    ([1, 2], [2, 1], False),
    ([1], "[1]", False),
    ({}, [], False),
])
def test_same(one: object, other: object, equal: bool) -> None:
    assert merge.same(one, other) is equal
