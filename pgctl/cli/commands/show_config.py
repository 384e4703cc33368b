"""`pgctl show-config`: the cluster-wide settings as stored, or as they are in force."""

from collections.abc import Mapping
from dataclasses import asdict, fields

import click

from pgctl.cli import options, output
from pgctl.cli.context import Call
from pgctl.cli.output import Format
from pgctl.errors import ExitCode, PgctlError
from pgctl.model.cluster import Cluster


@click.command("show-config")
@options.cluster
@click.option("--effective", is_flag=True, help="What agents run with: defaults filled in, bounds kept.")
@click.option("-f", "--format", "chosen", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@options.group
@options.pass_call
def show_config(call: Call, cluster: str | None, effective: bool, chosen: str) -> ExitCode:
    """Print the cluster-wide settings."""
    scope = call.scope(cluster)
    found = call.read(scope)
    for note in call.store(scope).notes:
        call.warn(note)
    call.print(render(judge(found, effective), Format(chosen)))
    return ExitCode.DONE


def judge(cluster: Cluster, effective: bool) -> Mapping[str, object]:
    """The document to show. Raises PgctlError when there is none."""
    if effective:
        found = {each.name: getattr(cluster.settings, each.name) for each in fields(cluster.settings)}
        remote = cluster.settings.standby_cluster
        return found | {"standby_cluster": None if remote is None else asdict(remote)}
    if cluster.config is None:
        raise PgctlError(f"{cluster.scope} has no settings in the store",
                         hint="The leader's agent writes them; `--effective` shows the defaults in force.")
    return cluster.config


def render(document: Mapping[str, object], form: Format) -> str:
    """Keys sorted."""
    if form is Format.YAML:
        return output.yaml_text(document, sort=True)
    return output.text(output.Shown(value=dict(sorted(document.items()))), form)
