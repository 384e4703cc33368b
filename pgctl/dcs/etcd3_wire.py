"""What is said to etcd's v3 JSON gateway and back, as values. Pure: opens nothing.

Keys and values are base64, 64-bit integers are decimal strings, and an absent number is 0 (proto3 JSON). Keys here are
absolute. Source: etcd.io/docs/v3.5/dev-guide/api_grpc_gateway, dcs.md 6.2.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pgctl.errors import PgctlError
from pgctl.model.cluster import Revision

Document = Mapping[str, object]

_EMPTY: Document = {}
_CERTAIN = frozenset({3, 5, 6, 7, 8, 9, 11, 12, 16})
"""gRPC codes with which etcd answers before it proposes anything to its log; others may come after."""
_ELSEWHERE = ("etcdserver: no leader", "not a primary lessor", "etcdserver: leader changed", "etcdserver: not capable")
_AUTH = ("user name is empty", "invalid auth token", "revision of auth store is old", "permission denied")


class Meaning(Enum):
    """What a complete answer that says no means for the request."""

    TOKEN = "the token is not accepted: authenticate, then ask again"
    LEASE_GONE = "the lease is gone"
    ELSEWHERE = "not done here: another node may"
    UNSURE = "it may have been done"
    REFUSED = "refused"


class Refusal(PgctlError):
    """etcd answered that it did not do what was asked; `meaning` says what to make of it."""

    def __init__(self, text: str, meaning: Meaning) -> None:
        super().__init__("etcd refused", detail=text)
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One key as read; `lease` 0: none."""

    key: str
    value: str
    revision: Revision
    lease: int


@dataclass(frozen=True, slots=True)
class WatchNews:
    """One message of a watch. `compacted`: changes were missed; `ended`: the server gave the watch up."""

    revision: Revision
    keys: tuple[tuple[str, Revision], ...] = ()
    created: bool = False
    compacted: bool = False
    ended: bool = False


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def unb64(value: object) -> str:
    """Bytes that are no UTF-8 are replaced: a document of another program must not stop us."""
    return base64.b64decode(str(value or "")).decode("utf-8", "replace")


def below(prefix: str) -> dict[str, object]:
    """The range of all keys that start with `prefix`, whose last character is ASCII."""
    return {"key": b64(prefix), "range_end": b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))}


def number(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).lstrip("-").isdigit() else 0


def mapping(value: object) -> Document:
    return value if isinstance(value, dict) else _EMPTY


def header_revision(reply: Document) -> Revision:
    return Revision(number(mapping(reply.get("header")).get("revision")))


def key_values(reply: Document) -> tuple[KeyValue, ...]:
    """Of the answer to a range."""
    found = reply.get("kvs")
    return tuple(_key_value(mapping(row)) for row in (found if isinstance(found, list) else []))


def is_at(key: str, revision: Revision) -> dict[str, object]:
    """Compare: the key is at that revision; 0: it does not exist."""
    if revision:
        return {"key": b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}
    return {"key": b64(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}


def is_on_lease(key: str, lease: int) -> dict[str, object]:
    return {"key": b64(key), "target": "LEASE", "result": "EQUAL", "lease": str(lease)}


def put_body(key: str, value: str, lease: int = 0) -> dict[str, object]:
    body: dict[str, object] = {"key": b64(key), "value": b64(value)}
    return body | {"lease": str(lease)} if lease else body


def transaction(compare: list[dict[str, object]], then: dict[str, object], key: str) -> dict[str, object]:
    """`then` if all of `compare` hold; else the key is read, to say why not."""
    return {"compare": compare, "success": [then], "failure": [{"request_range": {"key": b64(key)}}]}


def found_instead(reply: Document) -> KeyValue | None:
    """The key as it stands after a transaction that failed."""
    responses = reply.get("responses")
    first = mapping(responses[0]) if isinstance(responses, list) and responses else _EMPTY
    rows = key_values(mapping(first.get("response_range")))
    return rows[0] if rows else None


def news(result: Document) -> WatchNews:
    """One `result` of a watch stream."""
    events = result.get("events")
    rows = [mapping(mapping(event).get("kv")) for event in (events if isinstance(events, list) else [])]
    return WatchNews(
        header_revision(result),
        tuple((unb64(row.get("key")), Revision(number(row.get("mod_revision")))) for row in rows),
        created=bool(result.get("created")),
        compacted=number(result.get("compact_revision")) > 0,
        ended=bool(result.get("canceled")),
    )


def answer(status: int, body: bytes) -> Document:
    """The document of an answer; of one that is a stream, its first `result`. Raises Refusal.

    Streams carry their errors with status 200. What is no JSON, or has no header as all that etcd says, comes from something
    in between: it is UNSURE. An absent number is a zero, so `{}` would read as a lease that has ended.
    """
    try:
        document = mapping(json.loads(body.split(b"\n", 1)[0] if status == 200 else body))
    except ValueError:
        raise Refusal(f"status {status}, not JSON", Meaning.UNSURE) from None
    error = document.get("error")
    if status == 200 and error is None:
        found = mapping(document["result"]) if "result" in document else document
        if not mapping(found.get("header")):
            raise Refusal(f"status {status}, not an answer of etcd", Meaning.UNSURE)
        return found
    inner = mapping(error)
    text = str(inner.get("message") or document.get("message") or error or f"status {status}")
    code = number(inner.get("grpc_code") or inner.get("code") or document.get("code"))
    raise Refusal(text, meaning(code, text))


def meaning(code: int, text: str) -> Meaning:
    """Of a gRPC code and its text. Texts decide before codes: etcd uses some codes for several things."""
    if any(words in text for words in _AUTH):
        return Meaning.TOKEN
    if "requested lease not found" in text:
        return Meaning.LEASE_GONE
    if any(words in text for words in _ELSEWHERE):
        return Meaning.ELSEWHERE
    return Meaning.REFUSED if code in _CERTAIN else Meaning.UNSURE


def members(reply: Document) -> tuple[str, tuple[str, ...]]:
    """The cluster's id, and the client addresses its members advertise."""
    found = reply.get("members")
    rows = [mapping(row).get("clientURLs") for row in (found if isinstance(found, list) else [])]
    urls = [str(url).rstrip("/") for row in rows if isinstance(row, list) for url in row]
    return str(mapping(reply.get("header")).get("cluster_id", "")), tuple(urls)


def api_prefix(version: Document) -> str | None:
    """`/v3` or its older name, by the cluster's version; None when that is too old or not settled yet."""
    major, _, minor = str(version.get("etcdcluster", "")).partition(".")
    if not major.isdigit() or (at := (int(major), number(minor.split(".")[0]))) < (3, 3):
        return None
    return "/v3beta" if at < (3, 4) else "/v3"


def _key_value(row: Document) -> KeyValue:
    return KeyValue(unb64(row.get("key")), unb64(row.get("value")), Revision(number(row.get("mod_revision"))),
                    number(row.get("lease")))
