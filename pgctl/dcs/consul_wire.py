"""What is said to Consul and back, as values: operations of a transaction, rows, refusals and what they mean. Pure.

Keys here are absolute, without a leading slash. Source: developer.hashicorp.com/consul/api-docs/{kv,session,txn},
dcs.md 6.3.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pgctl.dcs import outcomes
from pgctl.dcs.outcomes import Outcome
from pgctl.errors import PgctlError
from pgctl.model.cluster import Revision
from pgctl.units import Seconds

Operation = Mapping[str, object]

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_REFUSED = ("permission denied", "acl not found", "unknown token", "rpc rate limit exceeded")
_NOT_BEGUN = ("no cluster leader", "failed to get conn", "no known consul servers")
"""With these Consul answers before it proposes anything to its log; with any other status 500 it may be after."""


class Meaning(Enum):
    """What a complete answer that says no means for the request."""

    SESSION_GONE = "the session is gone"
    BOUNDS = "the session's ttl is out of bounds"
    ELSEWHERE = "not done: it may be tried again"
    UNSURE = "it may have been done"
    REFUSED = "refused"


_BY_STATUS = {Outcome.DOWN: Meaning.ELSEWHERE, Outcome.REFUSED: Meaning.REFUSED, Outcome.UNKNOWN: Meaning.UNSURE}


class Refusal(PgctlError):
    """Consul answered that it did not do what was asked; `meaning` says what to make of it."""

    def __init__(self, text: str, meaning: Meaning) -> None:
        super().__init__("Consul refused", detail=text)
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Row:
    """One key as read; `session` is empty where none holds it."""

    key: str
    value: str
    revision: Revision
    session: str


class Reading(NamedTuple):
    """Rows below a prefix; `revision` is where a blocking query may continue."""

    rows: tuple[Row, ...]
    revision: Revision


class Bounds(NamedTuple):
    """What a session's ttl may be."""

    least: Seconds
    most: Seconds


def is_at(key: str, revision: Revision) -> Operation:
    """Check: the key is at that revision; 0: it does not exist."""
    return _kv("check-index", key, Index=revision) if revision else _kv("check-not-exists", key)


def put(key: str, value: str, mark: int) -> Operation:
    """`mark` makes two writes of one value differ: Consul leaves a key's index alone when nothing about it changes."""
    return _kv("set", key, Value=_b64(value), Flags=mark)


def lock(key: str, value: str, session: str, mark: int) -> Operation:
    return _kv("lock", key, Value=_b64(value), Session=session, Flags=mark)


def unlock(row: Row) -> Operation:
    """Takes a key off its session."""
    return _kv("unlock", row.key, Value=_b64(row.value), Session=row.session)


def delete(key: str) -> Operation:
    return _kv("delete", key)


def _kv(verb: str, key: str, **fields: object) -> Operation:
    return {"KV": {"Verb": verb, "Key": key, **fields}}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def reading(index: object, found: object) -> Reading:
    """Of what python-consul makes of a reading: values are bytes already, and None where they are empty."""
    rows = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
    return Reading(tuple(_row(row) for row in rows), Revision(number(index)))


def _row(row: Mapping[str, object]) -> Row:
    """Bytes that are no UTF-8 are replaced: a document of another program must not stop us."""
    value = row.get("Value")
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
    return Row(str(row.get("Key", "")), text, Revision(number(row.get("ModifyIndex"))), str(row.get("Session") or ""))


def number(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else 0


def renewed(found: object, session: str) -> None:
    """Of what python-consul makes of a renewal: the session itself. Raises ValueError for anything else."""
    if not isinstance(found, dict) or found.get("ID") != session:
        raise ValueError("not the session")


def changed(reply: object) -> Revision:
    """The revision that a transaction gave to the last key it wrote; 0 where it only deleted. Raises ValueError."""
    if not isinstance(reply, dict) or "Results" not in reply:
        raise ValueError("not a transaction")
    rows = [row["KV"] for row in reply["Results"] or [] if isinstance(row, dict) and isinstance(row.get("KV"), dict)]
    return Revision(number(rows[-1].get("ModifyIndex"))) if rows else Revision(0)


def failures(body: str) -> tuple[str, ...]:
    """Why a transaction was rolled back, from the body of its status 409. Raises ValueError."""
    document = json.loads(body)
    errors = document.get("Errors") if isinstance(document, dict) else None
    if not isinstance(errors, list) or not errors:
        raise ValueError("no reason given")
    return tuple(str(error.get("What", "")) for error in errors if isinstance(error, dict))


def lock_failed(reasons: Iterable[str]) -> bool:
    """Whether another session holds the key, or held it lately."""
    return any(reason.startswith("failed to lock") for reason in reasons)


def meaning(status: int, text: str) -> Meaning:
    """Of an answer that is neither what was asked for nor a transaction rolled back. Texts decide before numbers."""
    said = text.lower()
    if said.startswith("invalid session ttl"):
        return Meaning.BOUNDS
    if said.startswith("invalid session") or said.startswith("session id") and "not found" in said:
        return Meaning.SESSION_GONE
    if any(words in said for words in _NOT_BEGUN):
        return Meaning.ELSEWHERE
    if any(words in said for words in _REFUSED):
        return Meaning.REFUSED
    return _BY_STATUS[outcomes.of_status(status)]


def bounds(text: str) -> Bounds | None:
    """`Invalid Session TTL '3000000000', must be between [10s=24h0m0s]` → 10 s and a day; None when it says otherwise."""
    found = re.search(r"between \[([^=\]]+)=([^\]]+)\]", text)
    limits = (duration(found[1]), duration(found[2])) if found else (None, None)
    return Bounds(*limits) if limits[0] and limits[1] else None  # type: ignore[arg-type]


def duration(text: str) -> Seconds | None:
    """Go's spelling, such as `1m30s` or `500ms`; None for anything else. Source: pkg.go.dev/time#ParseDuration."""
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        return None
    return Seconds(sum(float(amount) * _UNITS[unit] for amount, unit in parts))
