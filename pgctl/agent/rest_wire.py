"""Replies as bytes: status line, headers in the contract's order, body. Pure. Source: RFC 9110, rest.md 1 and 17."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pgctl
from pgctl.agent.inbox import Reply
from pgctl.config.sections import RestSection
from pgctl.units import Wall

_REASONS = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    408: "Request Timeout", 409: "Conflict", 411: "Length Required", 412: "Precondition Failed",
    413: "Content Too Large", 422: "Unprocessable Content", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Style:
    """What the configuration adds to every reply."""

    server: str
    extra: Mapping[str, str]


def style(section: RestSection) -> Style:
    """`server_tokens` says how much of us is told; https headers come on top when TLS is on."""
    tokens = section.server_tokens.lower()
    server = "pgctl" if tokens == "productonly" else f"pgctl/{pgctl.__version__}"
    extra = {**section.http_extra_headers, **(section.https_extra_headers if section.certfile else {})}
    return Style(server, extra)


def encode(reply: Reply, wall: Wall, style: Style, *, method: str = "GET", keep: bool = False) -> bytes:
    """The whole reply. HEAD gets the headers of GET; OPTIONS an empty body; `keep` says whether we listen on."""
    body = b"" if method == "OPTIONS" else reply.body.encode()
    headers = {"Server": style.server, "Date": date(wall), **reply.headers}
    if body:
        headers["Content-Type"] = reply.content_type
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "keep-alive" if keep else "close"
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{_clean(name)}: {_clean(value)}" for name, value in {**headers, **style.extra}.items()]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (b"" if method == "HEAD" else body)


def date(wall: Wall) -> str:
    """`Sat, 31 Jan 2026 12:00:00 GMT`, whatever the locale."""
    at = datetime.fromtimestamp(wall, UTC)
    return f"{_DAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M:%S} GMT"


def _clean(value: object) -> str:
    """No line break may end a header."""
    return str(value).replace("\r", " ").replace("\n", " ")
