"""Tables as text: the members in a box with a title, tabulate boxes the rest, TSV by ourselves.

The two libraries are imported when first needed: they cost more than all else at the prompt. Fetches nothing.
"""

from itertools import zip_longest
from typing import NamedTuple

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Table(NamedTuple):
    """Cells are texts. `right` holds the indices of right-aligned columns. With `title` it is a table of members."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    title: str = ""


def boxed(table: Table) -> str:
    """A box of plus, minus and bar signs; a rule between all rows if any cell has a line break."""
    if not table.title:
        return _simple(table)
    plain = all(cell.isascii() for row in (table.columns, *table.rows) for cell in row)
    return _titled(table.title, drawn(table) if plain else pretty(table))


def _titled(title: str, lines: list[str]) -> str:
    """The title stands in the first border after its first plus sign, cut to the table's width."""
    first = f"+{title}"[: len(lines[0]) - 1]
    return "\n".join((first + lines[0][len(first):], *lines[1:])) + "\n"


def drawn(table: Table) -> list[str]:
    """The lines of the box, where every letter is one column wide: knowing the width of others takes prettytable an

    eighth of the time of all of `list`.
    """
    rows = [[cell.split("\n") for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(len(line) for row in rows for line in row[column]) for column in range(len(table.columns))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    between = any(len(cell) > 1 for row in rows for cell in row)
    lines = [rule]
    for number, row in enumerate(rows):
        for line in zip_longest(*row, fillvalue=""):
            cells = (cell.rjust(width) if index in table.right else cell.ljust(width)
                     for index, (cell, width) in enumerate(zip(line, widths, strict=True)))
            lines.append(f"| {' | '.join(cells)} |")
        if between or number == 0:
            lines.append(rule)
    return lines if between or len(rows) == 1 else [*lines, rule]


def pretty(table: Table) -> list[str]:
    """The same for any letters."""
    from prettytable import HRuleStyle, PrettyTable

    box = PrettyTable([str(index) for index in range(len(table.columns))], align="l", header=False)
    for index in table.right:
        box.align[str(index)] = "r"
    box.add_rows([list(row) for row in (table.columns, *table.rows)])
    between = any("\n" in cell for row in table.rows for cell in row)
    box.hrules = HRuleStyle.ALL if between else HRuleStyle.FRAME
    lines = str(box.get_string()).splitlines()
    return lines if between or not table.rows else [*lines[:2], lines[0], *lines[2:]]


def _simple(table: Table) -> str:
    from tabulate import tabulate

    align = ["right" if index in table.right else "left" for index in range(len(table.columns))]
    if not table.rows:
        return str(tabulate([], headers=table.columns, tablefmt="pretty")) + "\n"
    return str(tabulate(table.rows, headers=table.columns, tablefmt="pretty", colalign=align)) + "\n"


def tsv(table: Table, delimiter: str = "\t") -> str:
    """A header and one line a row, whatever the cells hold: backslash, tab and line ends are written as by COPY.

    Source: PostgreSQL 15, COPY, Text Format.
    """
    escapes = _ESCAPES if delimiter == "\t" else {key: value for key, value in _ESCAPES.items() if key != 9}
    lines = [delimiter.join(str(cell).translate(escapes) for cell in row) for row in (table.columns, *table.rows)]
    return "\n".join(lines) + "\n"
