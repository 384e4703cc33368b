"""`pgctl show-config`: the cluster-wide settings as stored, or as they are in force."""

from collections.abc import Mapping
from dataclasses import asdict, fields

import click

from pgctl.cli import lazy, options, output
from pgctl.cli.context import Call
from pgctl.cli.output import Format
from pgctl.errors import ExitCode, PgctlError, StoreUnreachable
from pgctl.model import codec, settings
from pgctl.model.cluster import Cluster
from pgctl.rest import schema


@click.command("show-config")
@options.cluster
@click.option("--effective", is_flag=True, help="What agents run with: defaults filled in, bounds kept.")
@click.option("-f", "--format", "chosen", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@options.group
@options.pass_call
def show_config(call: Call, cluster: str | None, effective: bool, chosen: str) -> ExitCode:
    """Print the cluster-wide settings."""
    scope = call.scope(cluster)
    try:
        found = call.read(scope)
    except StoreUnreachable as error:
        return _away(call, scope, effective, Format(chosen), error)
    for note in call.store(scope).notes:
        call.warn(note)
    call.print(render(judge(found, effective), Format(chosen)))
    return ExitCode.DONE


def _away(call: Call, scope: str, effective: bool, form: Format, error: StoreUnreachable) -> ExitCode:
    """As this host's agent read them last. Raises `error` when there is no agent to ask."""
    away = lazy.room("away")
    config = codec.read_config(away.recall(call, scope, schema.CONFIG) or "")
    if config is None:
        raise error
    known = Cluster(scope, settings=settings.read(config)[0], config=config)
    call.print(render(judge(known, effective), form))
    return ExitCode(away.end(call, error))


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
