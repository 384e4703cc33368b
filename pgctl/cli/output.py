"""One value → pretty, plain, TSV, JSON, YAML; and the only printer of the command line. It fetches nothing.

A command answers a `Shown`: the same facts once for eyes and once for programs. What is not part of the result (progress
while a program reads stdout, warnings, errors) goes to stderr, so that stdout is always one document of its format.
"""

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, TextIO

import yaml

from pgctl.cli import tables
from pgctl.cli.tables import Table


class Format(StrEnum):
    PRETTY = "pretty"
    TSV = "tsv"
    JSON = "json"
    YAML = "yaml"


class Shown(NamedTuple):
    """What a command has to say. `pretty` for people, `rows` for TSV, `value` for JSON and YAML.

    `warnings` are sentences for stderr, in every format.
    """

    pretty: tuple[Table | str, ...] = ()
    rows: Table | None = None
    value: object = None
    warnings: tuple[str, ...] = ()


def text(shown: Shown, form: Format) -> str:
    """The result as it is written to stdout; empty or with a line end."""
    if form is Format.TSV:
        return tables.tsv(shown.rows) if shown.rows is not None else ""
    if form is Format.JSON:
        return json.dumps(plain(shown.value), ensure_ascii=False) + "\n"
    if form is Format.YAML:
        return yaml_text(shown.value)
    blocks = [block if isinstance(block, str) else tables.boxed(block) for block in shown.pretty]
    return "".join(block.rstrip("\n") + "\n" for block in blocks)


def yaml_text(value: object, *, sort: bool = False) -> str:
    """Block YAML; texts in the reader's letters."""
    return str(yaml.safe_dump(plain(value), sort_keys=sort, allow_unicode=True, default_flow_style=False, width=1000))


def plain(value: object) -> object:
    """Mappings, lists and scalars only; anything else as its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def write(stream: TextIO, written: str) -> None:
    """Writes and flushes, so that a reader sees lines as they come. Letters the stream cannot show become `?`."""
    if written:
        encoding = stream.encoding or "utf-8"
        print(written.encode(encoding, "replace").decode(encoding), end="", file=stream, flush=True)


def show(shown: Shown, form: Format) -> None:
    """Prints a result: warnings to stderr, the rest to stdout."""
    write(sys.stdout, text(shown, form))
    for warning in shown.warnings:
        write(sys.stderr, f"warning: {warning}\n")


def error(message: str, *, detail: str = "", hint: str = "") -> None:
    """One fault on stderr, in one shape everywhere."""
    write(sys.stderr, f"error: {message}" + (f": {detail}" if detail else "") + "\n")
    if hint:
        write(sys.stderr, f"hint: {hint}\n")
