"""The way between one simulated agent and the store: it takes time, loses requests and replies, and delivers late ones.

Law. What was sent arrives whether or not its sender lives; a sender that waited its budget has no answer, and the request
may arrive after that.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Instant, Seconds, Wall

T = TypeVar("T")
QUICK = (0.0005, 0.01)


class SentClock:
    """The sender's clock as a backend reads it: a deadline counts from when the request was sent."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> Instant:
        return Instant(self.time)

    def wall(self) -> Wall:
        return Wall(self.time)

    def sleep(self, duration: Seconds) -> None:
        assert not duration, "nothing may sleep in the simulator"


class Post:
    """`node` has the faults of the way; `agent.later` and `agent.heart_later` bring answers, late to a frozen agent."""

    def __init__(self, agent: Any, clock: SentClock) -> None:
        self._agent = agent
        self._node = agent.node
        self._world = agent.node.world
        self._clock = clock

    def send(self, verb: Callable[[], T], reply: Callable[[T | None], None], budget: float, *, heart: bool = False) -> None:
        """`reply` gets what the verb returned, once; None when no answer came within `budget` seconds."""
        node, world, sent = self._node, self._world, self._world.now
        shown = node.clock.now()
        later = self._agent.heart_later if heart else self._agent.later
        answered: list[bool] = []

        def answer(found: T | None) -> None:
            if not answered:
                answered.append(True)
                reply(found)

        def give_up() -> None:
            later(sent + budget - world.now, lambda: answer(None))

        def arrive() -> None:
            back = world.random.uniform(*QUICK)
            if node.cut_from_store:
                give_up()
                return
            found = self._apply(verb, shown)
            lost = node.lose_replies and world.random.random() < node.lose_replies
            if lost or world.now + back - sent > budget:
                give_up()
            else:
                later(back, lambda: answer(found))

        way = world.random.uniform(*QUICK)
        if node.late_requests and world.random.random() < 0.5:
            way += world.random.uniform(0.0, node.late_requests)
        if way > budget:
            give_up()
        world.at(way, arrive)

    def _apply(self, verb: Callable[[], T], sent: float) -> T | None:
        self._clock.time = sent
        try:
            return verb()
        except (StoreUnreachable, OutcomeUnknown):
            return None
        finally:
            self._world.keep_leases()
