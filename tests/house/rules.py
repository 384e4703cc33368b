"""The rules of the house. Each takes one room and yields what is wrong with it; the tables are arguments, for tests."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.house import source, tables
from tests.house.source import Function, Room, Use
from tests.house.tables import Door, Pure


@dataclass(frozen=True)
class Violation:
    """Something wrong at a line of a room; `subject` names it without the line, for the table of exceptions."""

    rule: str
    room: str
    subject: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{source.PACKAGE}/{self.room}:{self.line}: {self.text}"


Found = Iterator[Violation]


def size(room: Room) -> Found:
    """A room is read in one go."""
    lines = len(room.text.splitlines())
    if lines > tables.MOST_LINES:
        yield Violation("size", room.path, "", lines, f"{lines} lines, {tables.MOST_LINES} are the most")


def function_size(room: Room) -> Found:
    """A function is seen in one glance."""
    for function in room.functions():
        lines = _length(function)
        if lines > tables.MOST_FUNCTION_LINES:
            text = f"{function.name} has {lines} lines, {tables.MOST_FUNCTION_LINES} are the most"
            yield Violation("function_size", room.path, function.name, function.lineno, text)


def docstring(room: Room) -> Found:
    """Each room says at its door what it holds."""
    if not ast.get_docstring(room.tree):
        yield Violation("docstring", room.path, "", 1, "no docstring says what this room holds")


def bare_init(room: Room) -> Found:
    """An `__init__.py` holds its docstring and nothing else; the top one also the version."""
    if not room.path.endswith("__init__.py"):
        return
    for statement in room.tree.body:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        is_version = room.path == "__init__.py" and ast.unparse(statement).startswith("__version__ =")
        if not is_docstring and not is_version:
            yield Violation("bare_init", room.path, "", statement.lineno, "more than a docstring in an __init__.py")


def hidden_import(room: Room, exempt: Iterable[str] = tables.HIDDEN_IMPORTS) -> Found:
    """No import gets round the layers inside a function or behind a type-checking guard."""
    if room.path in exempt:
        return
    for function in room.functions():
        for statement, _, name in source.imports(function):
            text = f"{name} is imported inside {function.name}"
            yield Violation("hidden_import", room.path, name, statement.lineno, text)
    for use in room.uses:
        if use.name == "typing.TYPE_CHECKING":
            text = "an import behind TYPE_CHECKING means that a value sits one floor too high"
            yield Violation("hidden_import", room.path, "TYPE_CHECKING", use.line, text)


def door(room: Room, doors: Iterable[Door] = tables.DOORS) -> Found:
    """Some things are used in one room only. A room that goes through a door is told once, at the first use."""
    for each in doors:
        used = [] if room.matches(each.rooms) else opened(room, each)
        if used:
            first = min(used, key=lambda use: use.line)
            text = f"{first.name} belongs in {' or '.join(each.rooms) or 'no room'}: {each.reason}"
            yield Violation("door", room.path, each.names[0], first.line, text)


def opened(room: Room, one: Door) -> list[Use]:
    """What the room uses of what is behind that door."""
    return [use for use in room.uses if _below(use.name, one.names) and not _below(use.name, one.ajar)]


def pure(room: Room, sealed: Iterable[Pure] = tables.PURE) -> Found:
    """The model and the core see nothing of the world."""
    for each in sealed:
        if not room.matches(each.rooms):
            continue
        for statement, _, name in source.imports(room.tree):
            # `from pgctl.model import lsn` is the module pgctl.model.lsn; either way the prefix decides.
            if not _below(name, each.own) and not _below(name, each.standard):
                yield Violation("pure", room.path, name, statement.lineno, f"{name} has no place in a pure room")
        for node in ast.walk(room.tree):
            if isinstance(node, ast.Global):
                yield Violation("pure", room.path, "global", node.lineno, "a pure room keeps nothing between two calls")


RULES: tuple[Callable[[Room], Found], ...] = (size, function_size, docstring, bare_init, hidden_import, door, pure)


def _length(function: Function) -> int:
    """Lines from `def` to the end, less those of the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def _below(name: str, tops: tuple[str, ...]) -> bool:
    return any(name == top or name.startswith(top + ".") for top in tops)
