"""When the store does not answer: what this host's agent read last, and what each member says of itself now.

The first tells who belongs to the cluster, and may be old; so every member is asked, and what it says goes over what was
read. A command that shows this ends with the store's exit code all the same.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing

from pgctl.cli import members, output
from pgctl.cli.context import Call
from pgctl.cli.members import Position, Row
from pgctl.cli.output import Shown
from pgctl.errors import ExitCode, PgctlError, StoreUnreachable
from pgctl.model import document
from pgctl.model import lsn as lsns
from pgctl.model.lsn import Lsn
from pgctl.rest import schema
from pgctl.rest.client import Client
from pgctl.rest.schema import PeerStatus
from pgctl.units import Seconds

_ROLES = {"leader": "Leader", "standby_leader": "Standby Leader", "sync_standby": "Sync Standby",
          "quorum_standby": "Quorum Standby"}
BUDGET = Seconds(2.0)
"""For the agent, and again for the members: what --timeout had is spent on the store by now."""


def recall(call: Call, scope: str, path: str = schema.CLUSTER) -> str | None:
    """What this host's agent read last of the cluster; None without an agent, an answer or a reading.

    It says 503 with the document while it cannot read the store either.
    """
    api_url = call.configuration().api_url
    if not api_url or scope != call.configuration().scope:
        return None
    with closing(Client(call.configuration().ctl, clock=call.clock)) as client:
        try:
            answer = client.get(api_url, path, budget=BUDGET)
        except PgctlError:
            return None
    return answer.text if answer.status in (200, 503) and document.load(answer.text) is not None else None


def ask(call: Call, scope: str) -> Mapping[str, object] | None:
    """The cluster's document of this host's agent, with all members; None as in `recall`."""
    found = document.mapping(document.load(recall(call, scope) or ""))
    return found if found is not None and "members" in found else None


def addresses(found: Mapping[str, object]) -> dict[str, str]:
    """Name → API URL of the members in it."""
    return {str(value.get("name")): str(value.get("api_url") or "") for value in _listed(found)}


def look(call: Call, found: Mapping[str, object]) -> tuple[PeerStatus, ...]:
    """What each member in it says of itself, all asked at once."""
    with closing(Client(call.configuration().ctl, clock=call.clock)) as client:
        return client.status(tuple(addresses(found).items()), budget=BUDGET)


def end(call: Call, error: StoreUnreachable, *remarks: str) -> ExitCode:
    """Says where the answer came from, and that the store does not answer."""
    call.warn(f"the store does not answer: this is from the agent at {call.configuration().api_url}")
    for remark in remarks:
        call.warn(remark)
    output.error(error.message, detail=error.detail, hint=error.hint)
    return error.exit_code


def remarks(asked: Sequence[PeerStatus]) -> tuple[str, ...]:
    """Whom the table of `render` is from."""
    silent = [status for status in asked if not status.body]
    spoke = ", ".join(status.name for status in asked if status.body)
    first = f"members asked directly: {spoke}" if spoke else "members were asked directly, and none answers"
    return (first, *(f"{status.name} does not answer ({status.problem}): what is shown of it may be old"
                     for status in silent))


def render(found: Mapping[str, object], source: str, asked: Sequence[PeerStatus]) -> Shown:
    """The same table as ever: an agent's last reading, under what members say now. Source: rest.md 6."""
    scope = str(found.get("scope") or "")
    said = {status.name: status for status in asked}
    end = max((status.lsn for status in asked if status.primary), default=Lsn(0))
    rows = tuple(_now(_row(value), said.get(str(value.get("name"))), end) for value in _listed(found))
    facts = {"paused": bool(found.get("pause")), "source": source}
    return Shown((members.table(f" Cluster: {scope} ", rows),), members.flat(scope, rows),
                 members.values(scope, rows, facts))


def _listed(found: Mapping[str, object]) -> list[Mapping[str, object]]:
    listed = found.get("members")
    return [value for value in listed if isinstance(value, Mapping)] if isinstance(listed, list) else []


def _now(row: Row, status: PeerStatus | None, end: Lsn) -> Row:
    """A row of the last reading as the member itself puts it; `end` is where the primary is, 0 if nobody is one."""
    if status is None or not status.body:
        return row._replace(state=members.SILENT)
    leads = status.primary or status.role == "standby_leader"
    return row._replace(
        role=_role(row, status),
        state=document.text(status.body.get("replication_state")) or status.state,
        timeline=status.timeline or row.timeline,
        receive=Position() if leads else _behind(status.received, end),
        replay=Position() if leads else _behind(status.replayed, end),
        leader=leads,
    )


def _role(row: Row, status: PeerStatus) -> str:
    """Who says that it leads does; who no longer says it is a replica, for what else it would be is in the store alone."""
    if status.role == "standby_leader":
        return _ROLES[status.role]
    if status.primary:
        return _ROLES["leader"]
    return "Replica" if row.leader else row.role


def _behind(at: int | None, end: Lsn) -> Position:
    return Position(Lsn(at), lsns.lag(end, Lsn(at)) if end else None) if at else Position()


def _row(value: Mapping[str, object]) -> Row:
    role = str(value.get("role"))
    return Row(
        name=str(value.get("name")),
        role=_ROLES.get(role, "Replica"),
        state=str(value.get("state") or ""),
        host=document.text(value.get("host")) or "",
        port=document.integer(value.get("port")) or 5432,
        api_url=document.text(value.get("api_url")) or "",
        timeline=document.timeline(value.get("timeline")),
        receive=_position(value, "receive_"),
        replay=_position(value, "replay_"),
        pending=value.get("pending_restart") is True,
        tags=document.mapping(value.get("tags")),
        leader=role in ("leader", "standby_leader"),
    )


def _position(value: Mapping[str, object], prefix: str) -> Position:
    try:
        at = lsns.parse(str(value.get(f"{prefix}lsn")))
    except ValueError:
        return Position()
    return Position(at, document.integer(value.get(f"{prefix}lag")))
