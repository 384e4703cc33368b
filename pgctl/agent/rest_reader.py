"""What an HTTP parser finds → whole requests in line, bounded in every direction. Knows no socket and no parser's maker.

The head is counted as it comes in, also while the parser still keeps half of a header to itself; a body is refused by
its announced length before it is read, and by its real one after. The first refusal ends the reading.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from pgctl.agent import answers
from pgctl.agent.answers import Request
from pgctl.agent.inbox import Reply
from pgctl.rest import schema

_HEAD_LIMIT = 16 * 1024
_IN_LINE = 16
_HEAD_TOO_LARGE = Reply(431, "the head of the request is too large")
_BODY_TOO_LARGE = Reply(413, "the body of the request is too large")
_MALFORMED = Reply(400, "malformed request")
_TOO_LATE = Reply(408, "the request took too long to arrive")


class Parser(Protocol):
    """What a parser must tell of a whole request."""

    def get_method(self) -> bytes: ...

    def should_keep_alive(self) -> bool: ...


@dataclass(slots=True)
class Turn:
    """A request whose turn to be answered will come; or the refusal of one that was not understood, always the last."""

    asked: Request | None = None
    authorization: str = ""
    claims: str = ""
    keep: bool = False
    refusal: Reply = _MALFORMED


@dataclass(slots=True)
class _Draft:
    """A request as far as it has come. `body` None: neither a length nor chunks were announced."""

    target: bytes = b""
    authorization: str = ""
    claims: str = ""
    body: bytearray | None = None
    expects: bool = False
    head: int = 0
    head_done: bool = False


class Reader:
    """Called by the parser (`on_...`) and by the connection (the rest)."""

    parser: Parser

    def __init__(self) -> None:
        self.turns: deque[Turn] = deque()
        self.ended = False
        """Nothing more is read: the client wants no more, has no more, or was refused."""
        self.pending = 0
        """Bytes of a request that is not yet whole."""
        self._draft = _Draft()

    # --- called by the connection -------------------------------------------------------------------------------------

    def arrived(self, size: int) -> None:
        """Counts bytes before they are parsed."""
        self.pending += size

    def parsed(self) -> None:
        """After the bytes were parsed: what the parser keeps to itself counts as head."""
        if self.pending > _HEAD_LIMIT and not self._draft.head_done:
            self.refuse(_HEAD_TOO_LARGE)

    def refuse(self, reply: Reply = _MALFORMED) -> None:
        """Puts a refusal at the end of the line; the first one counts."""
        if not self.ended:
            self.ended, self.pending = True, 0
            self.turns.append(Turn(refusal=reply))

    def refuse_late(self) -> None:
        self.refuse(_TOO_LATE)

    def take_expectation(self) -> bool:
        """Whether the client waits to be told to send its body; true once."""
        waits = self._draft.expects and self._draft.head_done and not self.ended
        self._draft.expects = False
        return waits

    # --- called by the parser -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._draft = _Draft()
        self.pending = max(1, self.pending)

    def on_url(self, part: bytes) -> None:
        self._draft.target += part
        self._count(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        match name.lower():
            case b"authorization":
                self._draft.authorization = value.decode("latin-1")
            case b"from":
                self._draft.claims = value.decode("latin-1")
            case b"expect":
                self._draft.expects = value.lower() == b"100-continue"
            case b"transfer-encoding":
                self._draft.body = bytearray()
            case b"content-length":
                self._draft.body = bytearray()
                if len(value) > 10 or int(value) > schema.BODY_LIMIT:
                    self._fail(_BODY_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._draft.head_done = True

    def on_body(self, part: bytes) -> None:
        if self._draft.body is None:
            self._draft.body = bytearray()
        if len(self._draft.body) + len(part) > schema.BODY_LIMIT:
            self._fail(_BODY_TOO_LARGE)
        self._draft.body += part

    def on_message_complete(self) -> None:
        if self.ended:
            return
        if len(self.turns) >= _IN_LINE:
            self._fail(Reply(503, "too many requests in line"))
        draft, self._draft, self.pending = self._draft, _Draft(head_done=True), 0
        method, keep = self.parser.get_method().decode("latin-1"), bool(self.parser.should_keep_alive())
        body = None if draft.body is None else bytes(draft.body)
        asked = answers.request(method, draft.target.decode("latin-1"), body)
        self.turns.append(Turn(asked, draft.authorization, draft.claims, keep))
        self.ended = not keep

    def _count(self, size: int) -> None:
        self._draft.head += size
        if self._draft.head > _HEAD_LIMIT:
            self._fail(_HEAD_TOO_LARGE)

    def _fail(self, reply: Reply) -> None:
        """Refuses, and stops the parser, which turns this into an error of its own."""
        self.refuse(reply)
        raise ValueError(reply.body)
