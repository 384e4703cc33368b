"""All scenarios, cut into blocks, read, and decided on. Says nothing about what should come of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pgctl.agent.core import decide, remember
from pgctl.agent.core.view import Decision, View
from tests.scenarios import reader

FILES = sorted(Path(__file__).parent.glob("*.txt"))


def blocks(path: Path) -> list[list[str]]:
    """The lines of each scenario in a file."""
    return [block.split("\n") for block in path.read_text().strip("\n").split("\n\n")]


def given(block: list[str]) -> list[str]:
    """The lines above `=>`, with the comment."""
    return [line for line in block if not line.startswith(("=>", "   "))]


def decided(block: list[str]) -> tuple[View, Decision]:
    """The view that a scenario gives, its memory up to date, and what is decided on it."""
    view = reader.read([line for line in given(block) if not line.startswith("#")])
    view = replace(view, memory=remember.update(view))
    return view, decide.decide(view)


def every() -> Iterator[tuple[View, Decision]]:
    """As `decided`, for each scenario of each file."""
    for path in FILES:
        yield from map(decided, blocks(path))
