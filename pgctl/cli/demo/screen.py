"""A terminal or a plain stream: lines that stay, and below them, on a terminal only, a block that is drawn anew."""

import os
from typing import TextIO


class Screen:
    """Writes to one stream. On a stream that is no terminal `block` writes nothing: callers write lines instead."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn: list[str] = []
        self.live = stream.isatty()

    def line(self, text: str = "") -> None:
        """A line that stays; the block moves down."""
        block = self._drawn
        self._erase()
        self._stream.write(text + "\n")
        self._draw(block)

    def block(self, lines: list[str]) -> None:
        """Replaces the block, if it changed."""
        cut = [line[:self._width()] for line in lines]  # a line that wraps would count as one when it is erased
        if self.live and cut != self._drawn:
            self._erase()
            self._draw(cut)

    def leave(self) -> None:
        """Lets the block stay where it is: what comes next goes below."""
        self._drawn = []

    def _width(self) -> int:
        """Columns of the terminal."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{len(self._drawn)}A\x1b[J")
            self._drawn = []

    def _draw(self, lines: list[str]) -> None:
        self._stream.write("".join(line + "\n" for line in lines))
        self._stream.flush()  # whoever reads a pipe wants to see it now, too
        self._drawn = list(lines)
