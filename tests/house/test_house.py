"""The package keeps the rules of the house (tests/house/rules.py) as its tables (tests/house/tables.py) have them."""

from collections.abc import Callable, Iterable

import pytest

from tests.house import rules, source, tables
from tests.house.rules import Found, Violation
from tests.house.source import Room

ROOMS = source.package_rooms()


def _none(wrong: Iterable[str]) -> None:
    if lines := list(wrong):
        pytest.fail("\n".join(lines), pytrace=False)


def _exempt(found: Violation) -> bool:
    return any((each.rule, each.room, each.subject) == (found.rule, found.room, found.subject) for each in tables.EXCEPTIONS)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_every_room_keeps(rule: Callable[[Room], Found]) -> None:
    _none(str(found) for room in ROOMS for found in rule(room) if not _exempt(found))


def test_every_exception_has_a_reason_and_is_still_needed() -> None:
    found = {(each.rule, each.room, each.subject) for rule in rules.RULES for room in ROOMS for each in rule(room)}
    _none(str(each) for each in tables.EXCEPTIONS if (each.rule, each.room, each.subject) not in found or not each.reason)


def test_every_room_with_a_key_opens_its_door() -> None:
    """A room that is named in full and has been written must use what it was allowed to."""
    by_path = {room.path: room for room in ROOMS}
    _none(
        f"{path} does not use {', '.join(door.names)}"
        for door in tables.DOORS
        for path in door.rooms
        if path in by_path and not rules.opened(by_path[path], door)
    )


def test_every_room_that_may_hide_an_import_does() -> None:
    """By a statement, or by a name that it computes."""
    by_path = {room.path: room for room in ROOMS}
    here = [by_path[path] for path in tables.HIDDEN_IMPORTS if path in by_path]
    computed = {room.path for room in here for use in room.uses if use.name.startswith("importlib")}
    hidden = {room.path for room in here if any(rules.hidden_import(room, exempt=()))}
    _none(f"{room.path} hides no import" for room in here if room.path not in computed | hidden)
