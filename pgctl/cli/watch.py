"""Showing something again and again: on every change in the store, at the latest after the given seconds."""

import sys
from collections.abc import Callable

import click

from pgctl.cli.context import Call
from pgctl.cli.output import Format
from pgctl.errors import ExitCode, StoreUnreachable
from pgctl.model.cluster import Cluster
from pgctl.units import Seconds

EVERY = 2.0
_BREATH = 0.2
"""Between two drawings: what changes together is drawn together."""


def interval(watch: float | None, watch2: bool) -> float | None:
    """Seconds of `-w` or `-W`; None: once."""
    return watch if watch is not None else EVERY if watch2 else None


def repeat(call: Call, draw: Callable[[], tuple[ExitCode, Cluster | None]], every: float | None) -> ExitCode:
    """Draws once, or until Ctrl-C, which ends it well. `draw` answers the exit code and what it read, if it could."""
    if every is None:
        return draw()[0]
    try:
        while True:
            if call.form is Format.PRETTY and sys.stdout.isatty():
                click.clear()
            try:
                cluster = draw()[1]
            except StoreUnreachable as error:
                call.warn(str(error))
                cluster = None
            if cluster is not None and call.changed(cluster, every):
                call.clock.sleep(Seconds(min(_BREATH, every)))
            elif cluster is None:
                call.clock.sleep(Seconds(every))
    except KeyboardInterrupt:
        return ExitCode.DONE
