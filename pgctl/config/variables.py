"""Environment variables → the document they stand for. Pure: `load` alone reads the environment.

PGCTL_ and PATRONI_ prefix the same names; PGCTL_ wins. An empty variable counts as unset. Two names differ:
PGCTL_LOGFORMAT is `text` or `json` and sets log.type, while PATRONI_LOGFORMAT is an older name of log.format.
Source: config.md 1 and 1.3.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from pgctl.config import table
from pgctl.units import parse_bool, parse_bytes

PREFIXES = ("PATRONI_", "PGCTL_")
WHOLE = ("PGCTL_CONFIGURATION", "PATRONI_CONFIGURATION")
"""A whole YAML document in a variable, the first one that is set."""

_FORMATS = {"json": "json", "text": "plain", "plain": "plain"}


def document(variables: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The nested document, and a sentence for each variable whose value cannot be used."""
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for prefix in PREFIXES:
        for name, place in _older(prefix).items():
            _take(variables, prefix + name, place, "text", found, wrong)
    for prefix in PREFIXES:
        for key in table.TABLE:
            if key.variable:
                _take(variables, prefix + key.variable, key.place, key.shape, found, wrong)
    if word := variables.get("PGCTL_LOGFORMAT", ""):
        if kind := _FORMATS.get(word.strip().lower()):
            _put(found, "log.type", kind)
        else:
            wrong.append(f'PGCTL_LOGFORMAT must be text or json, not "{word}"')
    return found, tuple(wrong)


def recognised(name: str) -> bool:
    """Whether a variable is one of ours: it may hold a secret, and programs we start need not see it."""
    return name in WHOLE or any(
        name.removeprefix(prefix) in _NAMES for prefix in PREFIXES if name.startswith(prefix)
    )


def _older(prefix: str) -> Mapping[str, str]:
    return table.OLDER_VARIABLES if prefix == "PATRONI_" else {"LOGLEVEL": "log.level"}


def _take(variables: Mapping[str, str], name: str, place: str, shape: str, found: dict[str, Any],
          wrong: list[str]) -> None:
    text = variables.get(name, "")
    if not text:
        return
    try:
        _put(found, place, parse(text, shape))
    except (ValueError, yaml.YAMLError):
        shown = "its value" if shape == "secret" else f'"{text}"'
        wrong.append(f"{name} must be a {shape}, and {shown} is none")


def parse(text: str, shape: str) -> object:
    """`text` as a value of `shape`; a list may be comma text, a mapping may lack its braces. Raises ValueError."""
    if shape == "number":
        return parse_bytes(text)
    if shape == "boolean":
        if (flag := parse_bool(text)) is None:
            raise ValueError(text)
        return flag
    if shape == "list":
        return _list(text)
    if shape == "mapping":
        value = yaml.safe_load(text if text.lstrip().startswith("{") else f"{{{text}}}")
        return _checked(value, dict, text)
    if shape == "any" and text.lstrip().startswith(("[", "{")):
        return yaml.safe_load(text)
    return text


def _list(text: str) -> object:
    """A YAML list, or comma text, where an address may begin with a bracket."""
    bare = not text.lstrip().startswith(("[", "-"))
    try:
        return _checked(yaml.safe_load(f"[{text}]" if bare else text), list, text)
    except (ValueError, yaml.YAMLError):
        return [item.strip() for item in text.split(",") if item.strip()]


def _checked(value: object, shape: type, text: str) -> object:
    if not isinstance(value, shape):
        raise ValueError(text)
    return value


def _put(found: dict[str, Any], place: str, value: object) -> None:
    *sections, key = place.split(".")
    for section in sections:
        found = found.setdefault(section, {})
    found[key] = value


_NAMES = frozenset({*(key.variable for key in table.TABLE if key.variable), *table.OLDER_VARIABLES})
