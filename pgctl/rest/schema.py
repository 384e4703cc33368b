"""The wire between members, and from the command line: paths, orders, documents; for both ends. Knows no socket.

What a member says of itself is read forgivingly, for the other end may be a Patroni 4.1. Source: rest.md 2, 5 and 18.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from pgctl.model import document, tags
from pgctl.model.lsn import Lsn
from pgctl.model.member import Tags, nothing

COMPATIBLE_VERSION: Final = "4.1.0"
"""The Patroni version whose keys and wire we speak: what peers and tools that compare versions are told."""

STATUS: Final = "/patroni"
LIVENESS: Final = "/liveness"
READINESS: Final = "/readiness"
CLUSTER: Final = "/cluster"
HISTORY: Final = "/history"
METRICS: Final = "/metrics"
CONFIG: Final = "/config"
FAILSAFE: Final = "/failsafe"
EXPLAIN: Final = "/explain"
RESTART: Final = "/restart"
RELOAD: Final = "/reload"
REINITIALIZE: Final = "/reinitialize"
SWITCHOVER: Final = "/switchover"
FAILOVER: Final = "/failover"
CITUS: Final = "/citus"
MPP: Final = "/mpp"
SIGTERM: Final = "/sigterm"

ACCEPTED: Final = "Accepted"
"""The body of the only answer to `POST /failsafe` that is consent."""
POSITION: Final = "lsn"
"""The header of that answer with the member's position in bytes."""

CHANGES: Final = frozenset({
    ("PATCH", CONFIG), ("PUT", CONFIG), ("POST", RESTART), ("DELETE", RESTART), ("POST", RELOAD),
    ("POST", REINITIALIZE), ("POST", SWITCHOVER), ("DELETE", SWITCHOVER), ("POST", FAILOVER), ("POST", FAILSAFE),
    ("POST", CITUS), ("POST", MPP), ("POST", SIGTERM),
})  # fmt: skip
"""Requests that change something: access is checked. Every other method but GET, HEAD and OPTIONS is answered 501."""

READS: Final = ("GET", "HEAD", "OPTIONS")

BODY_LIMIT: Final = 1024 * 1024
"""Bytes of a request's body; more is answered 413."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A member's answer to a status request. Positions in bytes; `lsn` is what a race compares.

    `reachable`: it answered with positions, as a race needs; a member whose server is down answers without, and then
    `body` is not empty. `primary`: it says that a primary is alive there. `looked` False: a pgctl member that has not
    yet seen that the leader is gone, so its positions may be stale. `failsafe`: it leads without the store, or has
    promised such a leader not to stand. `live`: its positions were asked of its server for this answer, as by Patroni;
    pgctl's are of its last look. `version` is the server's, as a number; `software` what the member says of itself.
    """

    name: str
    reachable: bool
    role: str = ""
    state: str = ""
    primary: bool = False
    lsn: Lsn = Lsn(0)
    received: Lsn | None = None
    replayed: Lsn | None = None
    timeline: int | None = None
    tags: Tags = Tags()
    watchdog_failed: bool = False
    looked: bool = True
    failsafe: bool = False
    live: bool = True
    version: int = 0
    software: str = ""
    problem: str = ""
    body: Mapping[str, object] = field(default_factory=nothing)


def endpoint(api_url: str, path: str) -> str:
    """`api_url` with its path replaced. Source: dcs.md 3.4."""
    parts = urlsplit(api_url)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def read_status(name: str, text: str) -> PeerStatus:
    """What a body of `/patroni` says; never raises. Source: rest.md 18.1."""
    body = document.mapping(document.load(text))
    if body is None:
        return PeerStatus(name, False, problem="the answer is not a JSON object")
    software = document.mapping(body.get("patroni")) or {}
    role = document.text(body.get("role")) or ""
    wal = document.mapping(body.get("wal")) or document.mapping(body.get("xlog"))
    problem = _fault(wal)
    places = wal or {}
    written, received, replayed = (document.position(places.get(key))
                                   for key in ("location", "received_location", "replayed_location"))
    return PeerStatus(
        name,
        reachable=problem == "",
        role="primary" if role == "master" else role,
        state=document.text(body.get("state")) or "",
        primary=bool(written) or role in ("primary", "master"),
        lsn=Lsn(max(written or 0, received or 0, replayed or 0)),
        received=received,
        replayed=replayed,
        timeline=document.timeline(body.get("timeline")),
        tags=tags.read(document.mapping(body.get("tags")) or {}),
        watchdog_failed=document.flag(body.get("watchdog_failed")),
        looked="pgctl" not in body or document.flag(body.get("cluster_unlocked")),
        failsafe=document.flag(body.get("failsafe_mode_is_active")),
        live="pgctl" not in body,
        version=document.integer(body.get("server_version")) or 0,
        software=document.text(software.get("version")) or "",
        problem=problem,
        body=body,
    )


def _fault(wal: Mapping[str, object] | None) -> str:
    """Why these positions cannot be compared in a race. A null is not a zero: it may hide the most advanced member."""
    if wal is None:
        return "its server does not answer"
    hidden = next((key for key, value in wal.items() if key.endswith("_location") and value is None), None)
    return f"{hidden} is not known" if hidden else ""
