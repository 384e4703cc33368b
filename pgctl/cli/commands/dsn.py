"""`pgctl dsn`: how to connect to a member, in libpq's words."""

from urllib.parse import quote

import click

from pgctl.cli import choose, complete, options, output
from pgctl.cli.context import Call
from pgctl.errors import ExitCode, PgctlError
from pgctl.model import addresses
from pgctl.model.cluster import Cluster

_SESSIONS = {"leader": "read-write", "primary": "read-write", "replica": "standby", "standby": "standby", "any": "any"}


@click.command("dsn")
@options.cluster
@options.role(None)
@click.option("-m", "--member", help="This member.", shell_complete=complete.members)
@click.option("--format", "shape", type=click.Choice(["libpq", "uri", "json"]), default="libpq", show_default=True,
              help="Keywords, a postgresql:// URI, or an object.")
@options.group
@options.pass_call
def dsn(call: Call, cluster: str | None, role: str | None, member: str | None, shape: str) -> ExitCode:
    """Print how to connect to a member.

    To the leader unless told. With `-r any` all members are named, the leader first; libpq tries them in this order. It
    is not tried here.
    """
    if role is not None and member is not None:
        raise click.UsageError("--role and --member exclude each other")
    hosts = judge(call.read(call.scope(cluster)), role, member)
    call.print(render(hosts, shape, _SESSIONS.get(role or "leader", "any")))
    return ExitCode.DONE


def judge(cluster: Cluster, role: str | None, name: str | None) -> tuple[tuple[str, int], ...]:
    """(host, port) of whom is meant; all members only for the role `any`. Raises PgctlError when there is nobody."""
    chosen = choose.members(cluster, (name,) if name else (), role or ("any" if name else "leader"))
    ordered = sorted(chosen, key=lambda member: member.name != cluster.leader_name)
    places = [place for member in ordered if (place := addresses.host_port(member.conn_url or ""))]
    if not places:
        raise PgctlError(f"{cluster.scope} has no {name or role or 'leader'} with a known address")
    return tuple(places if role == "any" else places[:1])


def render(hosts: tuple[tuple[str, int], ...], shape: str, session: str) -> str:
    """`host=H port=P`, with commas when there are several."""
    if shape == "uri":
        listed = ",".join(addresses.join(quote(host, safe=":[]."), port) for host, port in hosts)
        return f"postgresql://{listed}/?target_session_attrs={session}\n"
    hostnames, ports = ",".join(host for host, _ in hosts), ",".join(str(port) for _, port in hosts)
    if shape == "json":
        return output.text(output.Shown(value={"host": hostnames, "port": ports}), output.Format.JSON)
    return f"host={hostnames} port={ports}\n"
