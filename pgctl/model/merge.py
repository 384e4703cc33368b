"""Merging documents, and when two are the same. Pure; knows no key.

Source: rest.md 9, config.md 1.1, RFC 7396 (JSON Merge Patch).
"""

from collections.abc import Mapping, Sequence
from typing import TypeGuard


def merge_patch(stored: Mapping[str, object], patch: Mapping[str, object]) -> tuple[dict[str, object], bool]:
    """`stored` with `patch` applied, and whether anything changed.

    A null removes its key at any depth, and is not stored even inside a new object (a Patroni member would store it);
    objects merge; all else replaces. A scalar with the same text form as the stored one is left as it is.
    """
    merged, changed = dict(stored), False
    for key, value in patch.items():
        known = merged.get(key)
        if value is None:
            changed = changed or key in merged
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(known, Mapping):
            merged[key], inner = merge_patch(known, value)
            changed = changed or inner
        elif key not in merged or not same(known, value):
            merged[key], changed = without_nulls(value), True
    return merged, changed


def without_nulls(value: object) -> object:
    """`value` with null members of objects dropped, at any depth of objects."""
    if not isinstance(value, Mapping):
        return value
    return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}


def same(one: object, other: object) -> bool:
    """Equality by the text form of leaves: 30 equals "30", and true equals "True" but not "true"."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (Mapping, list, tuple)) or isinstance(other, (Mapping, list, tuple)):
        return False
    return str(one) == str(other)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple))
