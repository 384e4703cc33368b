"""The members of clusters as a result in every format: what `list` and `topology` show, and others before they ask. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from pgctl.cli import health, members, output
from pgctl.cli.members import Row
from pgctl.cli.output import Format, Shown
from pgctl.cli.tables import Table
from pgctl.model.cluster import Cluster


class Wish(NamedTuple):
    """How to show it; `stamp` is a line to stand first."""

    extended: bool = False
    tree: bool = False
    stamp: str = ""


def render(clusters: Sequence[Cluster], wish: Wish = Wish()) -> Shown:
    """One result of one or several clusters, in the order given."""
    pretty: list[Table | str] = [wish.stamp] if wish.stamp else []
    value: list[dict[str, object]] = []
    flat: list[tuple[str, list[Row]]] = []
    for cluster in clusters:
        found = members.tree(members.rows(cluster)) if wish.tree else members.rows(cluster)
        pretty.append(members.table(members.title(cluster), found, extended=wish.extended, is_tree=wish.tree))
        pretty.extend(footer(cluster))
        value.extend(members.values(cluster.scope, found, facts(cluster)))
        flat.append((cluster.scope, list(found)))
    return Shown(tuple(pretty), _flat(flat, wish.extended), value)


def text(cluster: Cluster) -> str:
    """The table of members, for people who are about to be asked; without a line end."""
    return output.text(render((cluster,)), Format.PRETTY).rstrip("\n")


def _flat(found: Sequence[tuple[str, list[Row]]], extended: bool) -> Table:
    """One header for all clusters."""
    everyone = [row for _, rows in found for row in rows]
    names = [scope for scope, rows in found for _ in rows]
    table = members.flat("", everyone, extended=extended)
    return table._replace(rows=tuple((name, *row[1:]) for name, row in zip(names, table.rows, strict=True)))


def facts(cluster: Cluster) -> dict[str, object]:
    """What is true of the whole cluster, for programs."""
    found: dict[str, object] = {"system_identifier": cluster.known_identifier, "paused": cluster.settings.pause}
    if cluster.history.known:
        found["cluster_timeline"] = cluster.history.timeline
    intent = cluster.intent
    if intent is not None and intent.scheduled_at is not None:
        wish = {"at": intent.scheduled_at.isoformat(), "from": intent.leader, "to": intent.candidate}
        found["scheduled_switchover"] = {key: text for key, text in wish.items() if text}
    found["problems"] = list(health.problems(cluster))
    return found


def footer(cluster: Cluster) -> tuple[str, ...]:
    """Lines below the table: maintenance mode, and what is scheduled or under way."""
    lines = [" Maintenance mode: on"] if cluster.settings.pause else []
    intent = cluster.intent
    if intent is None:
        return tuple(lines)
    if intent.scheduled_at is not None or intent.schedule_fault:
        at = intent.scheduled_at.isoformat() if intent.scheduled_at else intent.schedule_fault
        lines.append(f" Switchover scheduled at: {at}")
    else:
        lines.append(f" {'Switchover' if intent.switchover else 'Failover'} under way")
    pairs = (("from", intent.leader), ("to", intent.candidate))
    return (*lines, *(f"{label:>24}: {name}" for label, name in pairs if name))
