"""Documents ↔ values, one pair of functions a document: forgiving in reading, exact (compact JSON) in writing.

No function here raises on any text. Knows no key: `dcs.cluster_store` joins keys and these. Members are read next
door, in `codec_member`, and offered here too. Source: dcs.md 3 and 4.
"""

import re
from collections.abc import Mapping

from pgctl.model import document, events
from pgctl.model.addresses import host_port, postgres_url
from pgctl.model.cluster import Status
from pgctl.model.codec_member import read_member, write_member
from pgctl.model.events import Journal
from pgctl.model.history import Claim, History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import MemberName
from pgctl.model.sync import SyncState
from pgctl.model.tags import read as read_tags

__all__ = [
    "host_port", "is_identifier", "is_intent", "is_list", "is_object", "is_status", "postgres_url",
    "read_config", "read_failsafe", "read_history", "read_initialize",
    "read_intent", "read_journal", "read_leader", "read_member", "read_optime", "read_status", "read_sync", "read_tags",
    "write_config", "write_failsafe", "write_history", "write_intent", "write_journal", "write_member",
    "write_status", "write_sync",
]

_LEGACY_INTENT = re.compile(r'([^:{}\[\]"]*):([^:{}\[\]"]*)\Z')


def read_leader(text: str) -> MemberName | None:
    """The holder's name, byte for byte; None for an empty value."""
    return MemberName(text) if text else None


def read_initialize(text: str) -> str:
    """Empty: bootstrap in progress; else the system identifier, or something invalid that the leader overwrites."""
    return text.strip()


@document.remembered
def read_config(text: str) -> Mapping[str, object] | None:
    """The stored settings as written; None when it is no JSON object."""
    return document.mapping(document.load(text))


def write_config(config: Mapping[str, object]) -> str:
    return document.dump(dict(config))


@document.remembered
def read_status(text: str) -> Status:
    """Also a bare integer (the position alone); what has a wrong type counts as absent, a slot's position as 0."""
    value = document.load(text)
    if isinstance(value, int):
        return Status(optime=document.position(value) or Lsn(0))
    found = document.mapping(value) or {}
    slots = document.mapping(document.nested(found.get("slots"))) or {}
    retain = document.nested(found.get("retain_slots"))
    return Status(
        optime=document.position(found.get("optime")) or Lsn(0),
        slots={name: document.position(lsn) or 0 for name, lsn in slots.items()},
        retain_slots=tuple(name for name in _items(retain) if isinstance(name, str)),
    )


def read_optime(text: str) -> Status:
    """The key `optime/leader`, which stands in for an absent `status`: decimal text."""
    return Status(optime=document.position(text) or Lsn(0))


def write_status(status: Status) -> str:
    written: dict[str, object] = {"optime": status.optime}
    if status.slots:
        written["slots"] = dict(status.slots)
    if status.retain_slots:
        written["retain_slots"] = sorted(status.retain_slots)
    return document.dump(written)


@document.remembered
def read_sync(text: str) -> SyncState:
    """Not active when unreadable, without leader, or with a quorum that is no number (dcs.md 4)."""
    found = document.mapping(document.load(text)) or {}
    leader = document.text(found.get("leader"))
    quorum = document.integer(found["quorum"]) if found.get("quorum") is not None else 0
    if leader is None or quorum is None:
        return SyncState()
    names = found.get("sync_standby")
    listed = names.split(",") if isinstance(names, str) else [name for name in _items(names) if isinstance(name, str)]
    return SyncState(leader, tuple(name.strip() for name in listed if name.strip()), max(0, quorum))


def write_sync(sync: SyncState) -> str:
    """The object that peers write; `{}` when not active."""
    if not sync.active:
        return "{}"
    standbys = ",".join(sorted(sync.standbys)) or None
    return document.dump({"leader": sync.leader, "sync_standby": standbys, "quorum": sync.quorum})


@document.remembered
def read_history(text: str) -> History:
    """Known only when it is an array whose last line is usable, or empty; other lines that are not are left out."""
    value = document.load(text)
    if not isinstance(value, list):
        return History()
    lines = [_history_line(row) for row in value]
    known = not lines or lines[-1] is not None
    return History(tuple(line for line in lines if line is not None), known)


def write_history(history: History) -> str:
    return document.dump([_history_row(line) for line in history.lines])


def _history_line(row: object) -> HistoryLine | None:
    if not isinstance(row, list) or not 3 <= len(row) <= 5:
        return None
    timeline, lsn = document.timeline(row[0]), document.position(row[1])
    if timeline is None or lsn is None:
        return None
    reason, timestamp, leader = [value if isinstance(value, str) else "" for value in [*row[2:], "", ""]][:3]
    return HistoryLine(timeline, lsn, reason, timestamp, leader, len(row))


def _history_row(line: HistoryLine) -> list[object]:
    """As many fields as it had, and more where there is more to say."""
    row: list[object] = [line.timeline, line.lsn, line.reason, line.timestamp, line.leader]
    needed = 5 if line.leader else 4 if line.timestamp else 3
    return row[: min(5, max(needed, line.fields))]


@document.remembered
def read_claim(text: str) -> Claim:
    found = document.mapping(document.load(text)) or {}
    return Claim(document.timeline(found.get("timeline")) or 0, document.text(found.get("member")) or "")


def write_claim(claim: Claim) -> str:
    return document.dump({"timeline": claim.timeline, "member": claim.member})


def read_intent(text: str) -> Intent | None:
    """The wish in `failover`, None when there is none. A time that cannot be read becomes `schedule_fault`.

    Also the old form `leader:candidate`; a broken JSON text is not taken for it.
    """
    value = document.load(text)
    if isinstance(value, document.Unreadable):
        old = _LEGACY_INTENT.match(text)
        value = {"leader": old[1].strip(), "member": old[2].strip()} if old else None
    found = document.mapping(value) or {}
    leader, candidate = document.name(found.get("leader")), document.name(found.get("member"))
    if leader is None and candidate is None:
        return None
    scheduled_at, fault = document.moment(found.get("scheduled_at"))
    return Intent(leader, candidate, scheduled_at, fault, document.text(found.get("by")) or "")


def write_intent(intent: Intent | None) -> str:
    """Fields without value left out; `{}` is the idle key."""
    if intent is None:
        return "{}"
    at = intent.scheduled_at.isoformat() if intent.scheduled_at else None
    written = {"leader": intent.leader, "member": intent.candidate, "scheduled_at": at, "by": intent.by}
    return document.dump({key: value for key, value in written.items() if value})


@document.remembered
def read_failsafe(text: str) -> Mapping[str, str] | None:
    """Member name → API URL; a URL of a wrong type is empty: its member counts, and cannot be asked."""
    found = document.mapping(document.load(text))
    return None if found is None else {name: document.text(url) or "" for name, url in found.items()}


def write_failsafe(failsafe: Mapping[str, str]) -> str:
    return document.dump(dict(failsafe))


@document.remembered
def read_journal(text: str) -> Journal:
    """The event journal. It is read with every snapshot and seldom changes, so the last readings are kept."""
    return events.read(text)


def write_journal(journal: Journal) -> str:
    return events.write(journal)


# --- is it one at all: for those who tell ---


@document.remembered
def is_object(text: str) -> bool:
    """An object; nothing and null stand for an absent one."""
    return text in ("", "null") or document.mapping(document.load(text)) is not None


@document.remembered
def is_list(text: str) -> bool:
    return isinstance(document.load(text), list)


@document.remembered
def is_status(text: str) -> bool:
    """An object or a bare position."""
    return document.integer(document.load(text)) is not None or bool(text) and is_object(text)


@document.remembered
def is_intent(text: str) -> bool:
    """An object or the old form `leader:candidate`."""
    return is_object(text) or _LEGACY_INTENT.match(text) is not None


def is_identifier(text: str) -> bool:
    """Empty while the cluster is being made, else ten digits or more."""
    value = read_initialize(text)
    return not value or (value.isdigit() and len(value) >= 10)


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
