"""`members/<name>`: text ↔ `Member`. Forgiving in reading, exact in writing; fields that are not ours survive.

No function here raises on any text. Callers use these names through `codec`. Source: dcs.md 3.4, 3.5 and 4.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pgctl.model import addresses, document, events, tags
from pgctl.model.member import Member, MemberName, PendingParameter, Role, ScheduledRestart

OURS = "pgctl"
"""Our own object in the document; peers keep it and look away (dcs.md 4)."""

_KNOWN = frozenset({
    "conn_url", "api_url", "state", "role", "version", "timeline", "xlog_location", "receive_lsn", "replay_lsn",
    "replication_state", "tags", "pending_restart", "pending_restart_reason", "scheduled_restart", "pause",
    "checkpoint_after_promote", "proxy_url", "conn_kwargs", OURS,
})


@document.remembered
def read_member(name: str, text: str) -> Member:
    """The member of key `members/<name>`; a text that cannot be used gives one of which nothing is known."""
    if text.startswith("postgres"):
        return _legacy(name, text)
    return from_mapping(name, document.mapping(document.load(text)) or {})


def from_mapping(name: str, found: Mapping[str, object]) -> Member:
    """A member of the plain value of its document."""
    return Member(
        name=MemberName(name),
        conn_url=document.text(found.get("conn_url")) or _from_kwargs(found.get("conn_kwargs")),
        api_url=document.text(found.get("api_url")),
        state=document.text(found.get("state")) or "unknown",
        role=_role(found.get("role")),
        version=document.text(found.get("version")),
        timeline=document.timeline(found.get("timeline")),
        xlog_location=document.position(found.get("xlog_location")),
        receive_lsn=document.position(found.get("receive_lsn")),
        replay_lsn=document.position(found.get("replay_lsn")),
        replication_state=document.text(found.get("replication_state")),
        tags=tags.read(document.mapping(found.get("tags")) or {}),
        pending_restart=document.flag(found.get("pending_restart")),
        pending_restart_reason=_read_reasons(found.get("pending_restart_reason")),
        scheduled_restart=_read_restart(found.get("scheduled_restart")),
        pause=document.flag(found.get("pause")),
        checkpoint_pending="checkpoint_after_promote" in found,
        proxy_url=document.text(found.get("proxy_url")),
        deeds=events.read_list((document.mapping(found.get(OURS)) or {}).get("deeds")),
        unknown={key: value for key, value in found.items() if key not in _KNOWN},
    )


def write_member(member: Member) -> str:
    """The document of `member`: compact, absent fields left out."""
    return document.dump(to_mapping(member))


def to_mapping(member: Member) -> dict[str, object]:
    """The plain value of a member's document, in the order that peers write it."""
    written: dict[str, object] = {
        "conn_url": member.conn_url,
        "api_url": member.api_url,
        "state": member.state,
        "role": member.role or None,
        "version": member.version,
        "proxy_url": member.proxy_url,
        "tags": dict(member.tags.published) or None,
        "pending_restart": member.pending_restart or None,
        "pending_restart_reason": _write_reasons(member.pending_restart_reason) or None,
        "xlog_location": member.xlog_location,
        "receive_lsn": member.receive_lsn,
        "replay_lsn": member.replay_lsn,
        "replication_state": member.replication_state,
        "timeline": member.timeline,
        "scheduled_restart": write_restart(member.scheduled_restart),
        "pause": member.pause or None,
        OURS: {"deeds": [events.to_mapping(deed) for deed in member.deeds]} if member.deeds else None,
    }
    written = {key: value for key, value in written.items() if value is not None}
    if member.checkpoint_pending:
        written["checkpoint_after_promote"] = False
    return written | {key: value for key, value in member.unknown.items() if key not in _KNOWN}


def write_restart(restart: ScheduledRestart | None) -> dict[str, object] | None:
    """The `scheduled_restart` object; `postmaster_start_time` may be null, the filters are left out when unset."""
    if restart is None:
        return None
    written: dict[str, object] = {
        "schedule": restart.schedule, "postmaster_start_time": restart.postmaster_start_time,
    }
    filters = {
        "role": restart.role,
        "postgres_version": restart.postgres_version,
        "restart_pending": restart.restart_pending or None,
        "timeout": restart.timeout,
    }
    return written | {key: value for key, value in filters.items() if value is not None}


def _legacy(name: str, text: str) -> Member:
    """A bare connection URL whose `application_name` is the API's URL."""
    try:
        parts = urlsplit(text)
        api_url = dict(parse_qsl(parts.query)).get("application_name")
    except ValueError:
        return Member(MemberName(name))
    conn_url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return Member(MemberName(name), conn_url=document.text(conn_url), api_url=document.text(api_url))


def _role(value: object) -> str:
    role = document.text(value) or ""
    return str(Role.PRIMARY) if role == "master" else role


def _from_kwargs(value: object) -> str | None:
    kwargs = document.mapping(value) or {}
    host, port = document.text(kwargs.get("host")), document.integer(kwargs.get("port"))
    return addresses.postgres_url(host, port or 5432) if host else None


def _read_reasons(value: object) -> tuple[PendingParameter, ...]:
    return tuple(
        PendingParameter(name, _shown(change.get("old_value")), _shown(change.get("new_value")))
        for name, change in (document.mapping(value) or {}).items()
        if isinstance(change, Mapping)
    )


def _write_reasons(reasons: tuple[PendingParameter, ...]) -> dict[str, object]:
    return {reason.name: {"old_value": reason.old, "new_value": reason.new} for reason in reasons}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else document.dump(value)


def _read_restart(value: object) -> ScheduledRestart | None:
    found = document.mapping(value) or {}
    schedule = document.text(found.get("schedule"))
    if schedule is None:
        return None
    return ScheduledRestart(
        schedule=schedule,
        postmaster_start_time=document.text(found.get("postmaster_start_time")),
        role=document.text(found.get("role")),
        postgres_version=document.name(found.get("postgres_version")),
        restart_pending=document.flag(found.get("restart_pending")),
        timeout=document.seconds(found.get("timeout")),
    )
