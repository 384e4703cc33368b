"""`pgctl edit-config`: change the cluster-wide settings, in an editor or by options."""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from pgctl.cli import ask, config_edit, options, output
from pgctl.cli.context import Call
from pgctl.cli.output import Format, Shown
from pgctl.cli.tables import Table
from pgctl.config import load
from pgctl.dcs.store import Rejected
from pgctl.errors import ExitCode, PgctlError, UsageError
from pgctl.model import merge
from pgctl.model.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Wish:
    """The edits as given. No edit: an editor."""

    assignments: tuple[str, ...]
    parameters: tuple[str, ...]
    apply: str | None
    replace: str | None

    @property
    def given(self) -> bool:
        return bool(self.assignments or self.parameters or self.apply or self.replace)


@click.command("edit-config")
@options.cluster
@click.option("-q", "--quiet", is_flag=True, help="Do not show what changes.")
@click.option("-s", "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Set one value; null deletes it.")
@click.option("-p", "--pg", "parameters", multiple=True, metavar="NAME=VALUE", help="Set one PostgreSQL parameter.")
@click.option("--apply", "apply_file", metavar="FILE", help="Merge a YAML file; null deletes.  [-: stdin]")
@click.option("--replace", "replace_file", metavar="FILE", help="Replace everything by a YAML file.  [-: stdin]")
@click.option("--force", is_flag=True, help="Do not ask, and store it even if it is wrong.")
@options.form()
@options.group
@options.pass_call
def edit_config(call: Call, cluster: str | None, quiet: bool, assignments: tuple[str, ...], parameters: tuple[str, ...],
                apply_file: str | None, replace_file: str | None, force: bool) -> ExitCode:
    """Change the cluster-wide settings.

    What is written is checked first: names that nobody knows and values out of range are refused, unless --force.
    """
    wish = Wish(assignments, parameters, apply_file, replace_file)
    found = call.read(call.scope(cluster))
    stored = gather(found, wish)
    text = None if wish.given else _edit(stored)
    try:
        wanted = edited(stored, wish) if text is None else config_edit.document(text, "the edited text")
        return _store(call, found, stored, wanted, quiet, force)
    except PgctlError as error:
        if text is not None:
            error.hint = f"{error.hint} Your text is kept in {_keep(text)}.".strip()
        raise


def gather(cluster: Cluster, wish: Wish) -> Mapping[str, object]:
    """The stored document. Raises PgctlError where there is none and none is about to replace it."""
    if cluster.config is None and not wish.replace:
        raise PgctlError(f"{cluster.scope} has no settings in the store that could be edited",
                         hint="Write them all with --replace FILE.")
    return cluster.config or {}


def _edit(stored: Mapping[str, object]) -> str:
    """The document as its editor left it. Raises PgctlError when there is no terminal, or the editor fails."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UsageError("there is no terminal to edit on", hint="Use --set, --pg, --apply or --replace.")
    editor = load.environment().get("EDITOR") or load.environment().get("VISUAL") or None
    text = output.yaml_text(stored, sort=True)
    found = click.edit(text, editor=editor, extension=".yaml")
    return text if found is None else found


def _keep(text: str) -> str:
    descriptor, path = tempfile.mkstemp(prefix="pgctl-config-", suffix=".yaml")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def edited(stored: Mapping[str, object], wish: Wish) -> dict[str, object]:
    """The edits in their order: replace, apply, set, parameters. Raises BadYaml, PgctlError for files."""
    wanted = dict(stored)
    if wish.replace:
        wanted = config_edit.document(_read(wish.replace), _source(wish.replace))
    if wish.apply:
        wanted = config_edit.apply(wanted, config_edit.document(_read(wish.apply), _source(wish.apply)))
    for assignment in wish.assignments:
        wanted = config_edit.assign(wanted, assignment)
    for assignment in wish.parameters:
        if "=" not in assignment:
            raise UsageError(f'--pg needs name=value, not "{assignment}"')
        wanted = config_edit.assign(wanted, f"postgresql.parameters.{assignment}", "--pg")
    return wanted


def _source(path: str) -> str:
    return "stdin" if path == "-" else path


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PgctlError(f"cannot read {_source(path)}", detail=getattr(error, "strerror", None) or str(error)) from error


def _store(call: Call, cluster: Cluster, stored: Mapping[str, object], wanted: Mapping[str, object], quiet: bool,
           force: bool) -> ExitCode:
    if merge.same(stored, wanted):
        call.show(_shown(cluster, wanted, changed=False, line="Not changed"))
        return ExitCode.DONE
    faults = config_edit.new_faults(stored, wanted)
    if not quiet and call.form is Format.PRETTY:
        call.say(config_edit.diff(stored, wanted).rstrip("\n"))
    if faults and not force:
        raise PgctlError("nothing was stored", detail="; ".join(faults),
                         hint="Mend it, or store it as it is with --force.")
    for fault in faults:
        call.warn(fault)
    if not force:
        ask.confirm("Store these settings?")
    written = call.store(cluster.scope).write_config(wanted, expect=cluster.revision("config"), budget=call.budget())
    if isinstance(written, Rejected):
        raise PgctlError("nothing was stored: somebody else changed the settings meanwhile",
                         hint="Do it again: it will start from the settings as they are now.")
    call.show(_shown(cluster, wanted, changed=True, line="Stored. `pgctl list` shows where a restart is pending."))
    return ExitCode.DONE


def _shown(cluster: Cluster, wanted: Mapping[str, object], *, changed: bool, line: str) -> Shown:
    return Shown((line,), Table(("Cluster", "Changed"), ((cluster.scope, str(changed).lower()),)),
                 {"cluster": cluster.scope, "changed": changed, "config": wanted})
