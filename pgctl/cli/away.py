"""When the store does not answer: what the configured member's own agent last read of it."""

from collections.abc import Mapping

from pgctl.cli import members
from pgctl.cli.context import Call
from pgctl.cli.members import Position, Row
from pgctl.cli.output import Shown
from pgctl.errors import PgctlError
from pgctl.model import document
from pgctl.model import lsn as lsns
from pgctl.rest import schema
from pgctl.rest.client import Client
from pgctl.units import Seconds

_ROLES = {"leader": "Leader", "standby_leader": "Standby Leader", "sync_standby": "Sync Standby",
          "quorum_standby": "Quorum Standby"}
BUDGET = Seconds(2.0)


def ask(call: Call) -> Mapping[str, object] | None:
    """The cluster's document from the agent whose address is in the configuration; None without one or an answer.

    An agent that cannot read the store either says 503 with what it read last.
    """
    api_url = call.configuration().api_url
    if not api_url:
        return None
    client = Client(call.configuration().ctl, clock=call.clock)
    try:
        answer = client.get(api_url, schema.CLUSTER, budget=BUDGET)
    except PgctlError:
        return None
    finally:
        client.close()
    found = answer.document
    return found if answer.status in (200, 503) and found is not None and "members" in found else None


def addresses(found: Mapping[str, object]) -> dict[str, str]:
    """Name → API URL of the members in it."""
    listed = found.get("members")
    members = [value for value in listed if isinstance(value, Mapping)] if isinstance(listed, list) else []
    return {str(value.get("name")): str(value.get("api_url") or "") for value in members}


def render(found: Mapping[str, object], source: str) -> Shown:
    """The same table as ever, of an agent's last reading. Source: rest.md 6."""
    scope = str(found.get("scope") or "")
    listed = found.get("members")
    rows = tuple(_row(value) for value in listed if isinstance(value, Mapping)) if isinstance(listed, list) else ()
    warning = f"this is what the agent at {source} read last; it may be old"
    facts = {"paused": bool(found.get("pause")), "source": source}
    return Shown((members.table(f" Cluster: {scope} ", rows),), members.flat(scope, rows),
                 members.values(scope, rows, facts), (warning,))


def _row(value: Mapping[str, object]) -> Row:
    role = str(value.get("role"))
    tags = document.mapping(value.get("tags"))
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
        tags=tags,
        leader=role in ("leader", "standby_leader"),
    )


def _position(value: Mapping[str, object], prefix: str) -> Position:
    try:
        at = lsns.parse(str(value.get(f"{prefix}lsn")))
    except ValueError:
        return Position()
    return Position(at, document.integer(value.get(f"{prefix}lag")))
