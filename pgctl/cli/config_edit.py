"""Edits of the settings' document: `path=value` words, merges, and what has to be refused. Pure. Source: cli.md 5.8."""

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from pgctl.cli import output
from pgctl.errors import PgctlError
from pgctl.model import merge, settings

_PARAMETERS = ("postgresql", "parameters")


class BadYaml(PgctlError):
    """What was given is not the YAML that was expected."""


def document(text: str, source: str) -> dict[str, object]:
    """A YAML mapping. Raises BadYaml."""
    value = parse(text, source)
    if not isinstance(value, Mapping):
        raise BadYaml(f"{source} is not a mapping of names to values")
    return {str(key): inner for key, inner in value.items()}


def parse(text: str, source: str) -> Any:
    """Any YAML value. Raises BadYaml, with the line and the column."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BadYaml(f"{source} is not valid YAML", detail=f"{where}{problem or 'it cannot be parsed'}") from error


def assign(stored: Mapping[str, object], assignment: str, option: str = "--set") -> dict[str, object]:
    """`a.b=value` applied: below postgresql.parameters the rest of the path is one name; null deletes. Raises BadYaml."""
    path, separator, text = assignment.partition("=")
    if not separator or not path.strip():
        raise BadYaml(f'{option} needs path=value, not "{assignment}"')
    names = path.strip().split(".")
    if tuple(names[:2]) == _PARAMETERS and len(names) > 3:
        names = [*_PARAMETERS, ".".join(names[2:])]
    return _put(stored, names, parse(text, f"the value of {path.strip()}"))


def _put(stored: Mapping[str, object], names: list[str], value: object) -> dict[str, object]:
    changed = dict(stored)
    first, *rest = names
    inner = changed.get(first)
    new = _put(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value
    if new is None or (rest and new == {} and inner is not None):
        changed.pop(first, None)
    elif not (rest and new == {}):
        changed[first] = new
    return changed


def apply(stored: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Objects merge, null deletes."""
    return merge.merge_patch(stored, patch)[0]


def new_faults(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """What is wrong in `after` and was not in `before`: nobody is kept from mending one thing by another."""
    old = set(settings.faults(before))
    return tuple(fault for fault in settings.faults(after) if fault not in old)


def diff(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """A unified diff of both as YAML with sorted keys; empty when they are the same."""
    texts = [output.yaml_text(each, sort=True).splitlines(keepends=True) if each else [] for each in (before, after)]
    return "".join(difflib.unified_diff(texts[0], texts[1], "stored", "new"))
