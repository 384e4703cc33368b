"""What a demo tells its user: progress, the live table, three things to try. Text only: reads and prints nothing."""

from collections.abc import Mapping, Sequence

from pgctl.cli import members, tables
from pgctl.cli.demo import look
from pgctl.cli.demo.plan import SUPERUSER, Plan
from pgctl.cli.members import Row
from pgctl.model.cluster import Cluster


def progress(plan: Plan, cluster: Cluster | None) -> dict[str, str]:
    """By member: what it is doing."""
    return {node.name: look.doing(plan, node, cluster) for node in plan.nodes}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """A line for each member that does something else than before."""
    return [f"  {name}  {text}" for name, text in now.items() if before.get(name) != text]


def live(plan: Plan, cluster: Cluster | None, problem: str) -> list[str]:
    """The table of `pgctl list`, with those members of the plan that nobody has heard of yet."""
    if cluster is None:
        return [f"The store does not answer: {problem}"]
    known = members.rows(cluster)
    unheard = {node.name for node in plan.nodes} - {row.name for row in known}
    found = sorted((*known, *(Row(name, state=members.SILENT) for name in unheard)), key=lambda row: row.name)
    paused = ["Maintenance mode: on"] if cluster.settings.pause else []
    return tables.boxed(members.table(members.title(cluster), found)).splitlines() + paused


def to_try(plan: Plan, leader: str, user_file: bool) -> list[str]:
    """Three things to do in another terminal, and how to look inside."""
    find = [] if user_file else [f"  export PGCTL_CONFIG_FILE={plan.ctl_file}"]
    victim = plan.node(leader)
    return [
        "Try, in another terminal:",
        *find,
        "  pgctl list                         what you see here",
        "  pgctl switchover                   move the primary to another member",
        f"  kill -9 $(head -1 {plan.data_dir(victim)}/postmaster.pid)",
        "                                     crash the primary, and watch",
        "  pgctl explain                      why each member does what it does",
        f"  PGPASSFILE={plan.path('pgpass')} psql \"$(pgctl dsn) user={SUPERUSER} dbname=postgres\"",
    ]


def where(plan: Plan) -> str:
    """Where everything is, in a line."""
    return f"Data, logs and configuration are in {plan.directory}"


def status(plan: Plan, running: Sequence[str]) -> list[str]:
    """What `pgctl demo status` says of the processes."""
    wanted = ["supervisor", *([plan.server.name] if plan.server else []), *(node.name for node in plan.nodes)]
    if not running:
        return ["The demo is stopped."]
    missing = [name for name in wanted if name not in running]
    return [f"The demo runs: {', '.join(running)}."] + ([f"Not running: {', '.join(missing)}."] if missing else [])
