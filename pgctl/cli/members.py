"""The members of a cluster as rows: for the table, the tree, and for programs. Pure. Source: cli.md 3.

Beyond the old tool's columns: members that are known and silent, lag in bytes, and in structured formats the facts about
the cluster, repeated in each row so that the document stays one list of members. Rows are named tuples, for a dataclass
takes eight times as long to make, which is felt at the prompt.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pgctl.cli.tables import Table
from pgctl.model import addresses
from pgctl.model import lsn as lsns
from pgctl.model.cluster import Cluster
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, PendingParameter, ScheduledRestart, slot_name
from pgctl.model.settings import SyncMode
from pgctl.units import show_bytes

SILENT = "silent"
"""The state of a member that is known, and whose key is gone."""
_UNKNOWN = "unknown"
_LONGEST = 50


class Position(NamedTuple):
    """A place in the WAL and how far it is behind the cluster's last known one, in bytes; None: not reported."""

    lsn: Lsn | None = None
    lag: int | None = None


class Row(NamedTuple):
    """One member. `depth` counts levels of replication below the leader, for the tree."""

    name: str
    role: str = "Replica"
    state: str = ""
    host: str = ""
    port: int = 5432
    api_url: str = ""
    timeline: int | None = None
    receive: Position = Position()
    replay: Position = Position()
    pending: bool = False
    reasons: tuple[PendingParameter, ...] = ()
    restart: ScheduledRestart | None = None
    tags: Mapping[str, object] | None = None
    leader: bool = False
    upstream: str | None = None
    depth: int = 0


def rows(cluster: Cluster) -> tuple[Row, ...]:
    """Members by name, and those that are known from elsewhere and silent."""
    found = [_row(cluster, member) for member in cluster.members]
    found += [
        Row(name, role(cluster, name), SILENT, api_url=url, leader=name == cluster.leader_name)
        for name, url in silent(cluster).items()
    ]
    return tuple(sorted(found, key=lambda row: row.name))


def role(cluster: Cluster, name: str) -> str:
    """Leader, Standby Leader, Sync Standby, Quorum Standby or Replica."""
    if name == cluster.leader_name:
        return "Leader" if cluster.settings.standby_cluster is None else "Standby Leader"
    if cluster.settings.synchronous and cluster.sync.active and cluster.sync.is_standby(name):
        return "Quorum Standby" if cluster.settings.synchronous_mode is SyncMode.QUORUM else "Sync Standby"
    return "Replica"


def silent(cluster: Cluster) -> dict[str, str]:
    """Name → API URL (or "") of members that hold the leader key, are synchronous, in the failsafe topology, or have a

    retained slot, but have no key. Old leaders count only as long as their slot is kept: others left on purpose.
    """
    registered = {member.name.lower() for member in cluster.members}
    failsafe = cluster.failsafe or {} if cluster.settings.failsafe_mode else {}
    synchronous = (cluster.sync.leader or "", *cluster.sync.standbys) if cluster.settings.synchronous else ()
    urls = dict.fromkeys((cluster.leader_name or "", *synchronous), "") | dict(failsafe)
    past = {slot_name(name): name for name in (*urls, *(line.leader for line in cluster.history.lines)) if name}
    slots = {slot_name(member.name) for member in cluster.members}
    for slot in cluster.status.retain_slots:
        if slot not in slots:
            urls.setdefault(past.get(slot, slot), "")
    return {name: url for name, url in urls.items() if name and name.lower() not in registered}


def _row(cluster: Cluster, member: Member) -> Row:
    leads = member.name == cluster.leader_name
    place = addresses.host_port(member.conn_url or "")
    receive, replay = _positions(member)
    optime = cluster.status.optime
    return Row(
        name=member.name,
        role=role(cluster, member.name),
        state=member.state if leads else member.replication_state or member.state,
        host=place[0] if place else "",
        port=place[1] if place else 5432,
        api_url=member.api_url or "",
        timeline=member.timeline,
        receive=Position() if leads else _position(optime, receive),
        replay=Position() if leads else _position(optime, replay),
        pending=member.pending_restart,
        reasons=member.pending_restart_reason,
        restart=member.scheduled_restart,
        tags=member.tags.published or None,
        leader=leads,
        upstream=member.tags.replicatefrom,
    )


def _positions(member: Member) -> tuple[Lsn | None, Lsn | None]:
    """Received and replayed. Old members publish one position: what it is depends on whether they stream."""
    if member.receive_lsn is None and member.replay_lsn is None and member.xlog_location:
        streams = member.replication_state == "streaming"
        return (member.xlog_location, None) if streams else (None, member.xlog_location)
    return member.receive_lsn, member.replay_lsn


def _position(optime: Lsn, at: Lsn | None) -> Position:
    return Position(at, lsns.lag(optime, at) if optime else None) if at else Position()


def tree(found: Sequence[Row]) -> tuple[Row, ...]:
    """The same rows, leaders first, each followed by those that replicate from it; nobody is ever left out."""
    names = {row.name for row in found}
    leader = next((row.name for row in found if row.leader), None)
    below: dict[str | None, list[Row]] = {}
    for row in found:
        upstream = row.upstream if row.upstream in names and row.upstream != row.name else leader
        below.setdefault(None if row.leader else upstream, []).append(row)
    out: list[Row] = []
    _descend(below, None, 0, out)
    placed = {row.name for row in out}
    # members that name each other hang on nobody
    out += [row._replace(depth=1 if leader else 0) for row in found if row.name not in placed]
    return tuple(out)


def _descend(below: Mapping[str | None, Iterable[Row]], parent: str | None, depth: int, out: list[Row]) -> None:
    for row in below.get(parent, ()):
        out.append(row._replace(depth=depth))
        _descend(below, row.name, depth + 1, out)


def title(cluster: Cluster) -> str:
    identifier = "uninitialized" if cluster.initialize is None else cluster.initialize or "initializing"
    return f" Cluster: {cluster.scope} ({identifier}) "


def table(heading: str, found: Sequence[Row], *, extended: bool = False, is_tree: bool = False) -> Table:
    """For people: lag with its unit; columns on restarts and tags only where a member has any, or `extended`."""
    extra = extended or any(row.pending for row in found), extended or any(row.restart for row in found), \
        extended or any(row.tags for row in found)
    columns = ["Member", "Host", "Role", "State", "TL", "Receive LSN", "Lag", "Replay LSN", "Lag"]
    more = [(extra[0], "Pending restart"), (extra[0], "Pending restart reason"), (extra[1], "Scheduled restart"),
            (extra[2], "Tags")]
    show_ports = ports_needed(found)
    cells = [
        (
            "  " * row.depth + f"+ {row.name}" if is_tree else row.name,
            _host(row, show_ports), row.role, row.state, str(row.timeline or ""),
            *_cells(row, row.receive), *_cells(row, row.replay),
            *(cell for shown, cell in zip((on for on, _ in more), _more(row, is_tree), strict=True) if shown),
        )
        for row in found
    ]
    names = (*columns, *(name for shown, name in more if shown))
    return Table(names, tuple(cells), frozenset(range(4, 9)), heading)


def ports_needed(found: Iterable[Row]) -> bool:
    """Whether hosts are shown with their ports: one is unusual, or two members share a host."""
    placed = [row for row in found if row.host]
    return any(row.port != 5432 for row in placed) or len({row.host for row in placed}) < len(placed)


def _host(row: Row, with_port: bool) -> str:
    return addresses.join(row.host, row.port) if with_port and row.host else row.host


def _cells(row: Row, position: Position) -> tuple[str, str]:
    if row.leader:
        return "", ""
    if not position.lsn:
        return "" if row.state == SILENT else _UNKNOWN, ""
    lag = "" if position.lag is None else "0" if position.lag == 0 else show_bytes(position.lag)
    return lsns.show(position.lsn), lag


def _more(row: Row, flow: bool) -> tuple[str, str, str, str]:
    lines = [f"{reason.name}: {reason.old}->{reason.new}" for reason in row.reasons]
    short = [line if len(line) <= _LONGEST else f"{line.split(':')[0]}: [hidden, too long]" for line in lines]
    tags = [f"{name}: {_scalar(value)}" for name, value in sorted((row.tags or {}).items())]
    shown_tags = "{" + ", ".join(tags) + "}" if flow and tags else "\n".join(tags)
    return "*" if row.pending else "", "\n".join(short), _restart(row.restart), shown_tags


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _restart(restart: ScheduledRestart | None) -> str:
    if restart is None:
        return ""
    return restart.schedule + (f" if version < {restart.postgres_version}" if restart.postgres_version else "")


# --- for programs -----------------------------------------------------------------------------------------------------


def values(cluster: str, found: Sequence[Row], facts: Mapping[str, object]) -> list[dict[str, object]]:
    """Objects under the old tool's column titles (empty ones left out), and ours in lower case: bytes, URLs, `facts`."""
    show_ports = ports_needed(found)
    return [_value(cluster, row, show_ports) | dict(facts) for row in found]


def _value(cluster: str, row: Row, show_ports: bool) -> dict[str, object]:
    value = {name: cell for name, cell in zip(_TITLES, _plain(cluster, row, show_ports), strict=True) if cell != ""}
    more = {
        "port": row.port if row.host else None,
        "api_url": row.api_url or None,
        "receive_lag_bytes": row.receive.lag,
        "replay_lag_bytes": row.replay.lag,
        "silent": row.state == SILENT or None,
        "pending_restart_parameters": {
            reason.name: {"old_value": reason.old, "new_value": reason.new} for reason in row.reasons
        } or None,
        "replicatefrom": row.upstream,
    }
    return value | {name: cell for name, cell in more.items() if cell is not None}


_TITLES = ("Cluster", "Member", "Host", "Role", "State", "TL", "Receive LSN", "Receive Lag", "Replay LSN", "Replay Lag",
           "Pending restart", "Pending restart reason", "Scheduled restart", "Tags")


def _plain(cluster: str, row: Row, show_ports: bool) -> tuple[object, ...]:
    """Cells as the old tool has them: lag in whole MB."""
    reasons = "\n".join(f"{reason.name}: {reason.old}->{reason.new}" for reason in row.reasons)
    positions = [_megabytes(row, position) for position in (row.receive, row.replay)]
    return (cluster, row.name, _host(row, show_ports), row.role, row.state,
            "" if row.timeline is None else row.timeline, *positions[0], *positions[1], "*" if row.pending else "", reasons,
            _restart(row.restart), dict(row.tags) if row.tags else "")


def _megabytes(row: Row, position: Position) -> tuple[object, object]:
    if row.leader:
        return "", ""
    if not position.lsn:
        return "" if row.state == SILENT else _UNKNOWN, ""
    return lsns.show(position.lsn), "" if position.lag is None else round(position.lag / 1048576)


def flat(cluster: str, found: Sequence[Row], *, extended: bool = False) -> Table:
    """For TSV: the old columns; those on restarts and tags only where a member has any, or `extended`."""
    kept = [True] * 10 + [
        extended or any(row.pending for row in found), extended or any(row.pending for row in found),
        extended or any(row.restart for row in found), extended or any(row.tags for row in found),
    ]
    show_ports = ports_needed(found)
    cells = []
    for row in found:
        *plain, reasons, restart, _ = _plain(cluster, row, show_ports)
        all_cells = (*plain, str(reasons).replace("\n", ", "), restart, _more(row, True)[3])
        cells.append(tuple(str(cell) for cell, shown in zip(all_cells, kept, strict=True) if shown))
    return Table(tuple(name for name, shown in zip(_TITLES, kept, strict=True) if shown), tuple(cells))
