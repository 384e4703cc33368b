"""Orders to this member: put by the REST server's thread, taken by the loop. One of the three cells threads share.

It judges nothing: the server has already validated an order as far as the board allowed.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pgctl.agent.bell import Bell
from pgctl.units import Instant

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
FULL = 64
"""Orders that may wait; more means that the loop is stuck, and then taking another would only hide it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered. Bodies are text; the server adds its own headers and Content-Length."""

    status: int
    body: str = ""
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A request that changes something, validated. `path` is its first segment with a slash, such as `/restart`.

    `reply` may be called from any thread, at any time, at most once counts: the asker has been answered 503 at
    `deadline`, and what comes later is dropped. `query` holds the first value of each parameter. `by`: who asks, in words.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, object] | None
    reply: Callable[[Reply], None]
    received: Instant
    deadline: Instant = Instant(0)
    by: str = ""


class Inbox:
    """A queue of orders that rings a bell."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._orders: deque[Order] = deque()

    def put(self, order: Order) -> bool:
        """Adds an order and rings. False: the inbox is full and the order was not taken."""
        if len(self._orders) >= FULL:
            return False
        self._orders.append(order)
        self._bell.ring()
        return True

    def take(self) -> tuple[Order, ...]:
        """All orders that wait, oldest first; they are then the caller's."""
        taken: list[Order] = []
        while self._orders:
            taken.append(self._orders.popleft())
        return tuple(taken)
