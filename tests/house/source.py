"""The rooms of the package as source: text, syntax tree, and the dotted names each one uses."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pgctl"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Use:
    """A dotted name, such as `os.environ`, and the line that uses it."""

    name: str
    line: int


@dataclass(frozen=True)
class Room:
    """One source file; `path` is relative to the package, such as `dcs/etcd3.py`."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every name imported, and every attribute of an imported name."""
        return tuple(_uses(self.tree))

    def matches(self, patterns: tuple[str, ...]) -> bool:
        """Whether one of the patterns, such as `agent/*`, names this room; `*` also stands for folders."""
        return any(fnmatchcase(self.path, pattern) for pattern in patterns)

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def package_rooms() -> list[Room]:
    """All rooms of the package, by path."""
    top = ROOT / PACKAGE
    return [Room(str(path.relative_to(top)), path.read_text("utf-8")) for path in sorted(top.rglob("*.py"))]


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str, str]]:
    """(statement, name it binds, dotted name of what that is) for each name that any import below `tree` brings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                yield node, bound, alias.name if alias.asname else bound
                if "." in alias.name and not alias.asname:
                    yield node, bound, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, alias.asname or alias.name, f"{node.module}.{alias.name}"


def _uses(tree: ast.Module) -> Iterator[Use]:
    known: dict[str, str] = {}
    for statement, bound, name in imports(tree):
        known.setdefault(bound, name)
        yield Use(name, statement.lineno)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            base = node.value
            while isinstance(base, ast.Attribute):
                parts.append(base.attr)
                base = base.value
            if isinstance(base, ast.Name) and base.id in known:
                yield Use(".".join((known[base.id], *reversed(parts))), node.lineno)
        elif isinstance(node, ast.Name) and node.id in _BUILTINS and node.id not in known:
            yield Use(f"builtins.{node.id}", node.lineno)


_BUILTINS = {"SystemExit", "exit", "quit", "print", "input", "eval", "exec", "__import__"}
