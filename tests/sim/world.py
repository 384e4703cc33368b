"""The simulated world: virtual time, one seed, an ordered list of events; servers, links, what clients are told.

Nothing here reads a clock or sleeps. The same seed gives the same history, event by event.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from pgctl.dcs.inproc import Universe
from pgctl.model import codec
from pgctl.units import Instant, Seconds, Wall
from tests.sim.postgres_model import Server
from tests.sim.record import Event, Record
from tests.sim.replication_model import Replication


class VirtualClock:
    """Time as the world says it is."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> Instant:
        return Instant(self.time)

    def wall(self) -> Wall:
        return Wall(1_700_000_000.0 + self.time)

    def sleep(self, duration: Seconds) -> None:
        assert not duration, "nothing may sleep in the simulator"


@dataclass
class World:
    """All there is. `record` is what the checkers see, `story` what a person reads."""

    seed: int
    clock: VirtualClock = field(default_factory=VirtualClock)
    story: list[str] = field(default_factory=list)
    record: Record = field(default_factory=Record)
    servers: dict[str, Server] = field(default_factory=dict)
    cut_links: set[frozenset[str]] = field(default_factory=set)
    cut_ways: set[tuple[str, str]] = field(default_factory=set)
    effects_left: int = 0
    """After so many effects more, whoever does the last of them dies; 0: nobody does."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.universe = Universe(self.clock)
        self.replication = Replication(self)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._expiry = 0.0

    @property
    def now(self) -> float:
        return self.clock.time

    def last_effect(self) -> bool:
        """Counts an effect; whether its doer dies of it."""
        if self.effects_left == 0:
            return False
        self.effects_left -= 1
        return self.effects_left == 0

    def at(self, delay: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.clock.time + max(0.0, delay), self._count, call))

    def run(self, until: float) -> None:
        """Runs events in order up to `until`; what clients and replication did between two of them comes first."""
        heap, clock, background = self._heap, self.clock, self.replication
        while heap and heap[0][0] <= until:
            at, _, call = heapq.heappop(heap)
            if at >= background.due:
                background.advance(at)
            clock.time = at
            call()
        background.advance(until)
        clock.time = until

    def tell(self, line: str) -> None:
        self.story.append(f"{self.now:9.3f}  {line}")

    def note(self, event: Event) -> None:
        self.record.events.append(event)

    def reaches(self, one: str, other: str) -> bool:
        """Whether what `one` sends comes to `other`; a way may be cut in one direction."""
        return self.linked(one, other) and (one, other) not in self.cut_ways

    def named_in_failsafe(self) -> frozenset[str]:
        """Whom `/failsafe` names in truth."""
        row = self.universe.rows.get("failsafe")
        return frozenset(codec.read_failsafe(row.value) or ()) if row is not None else frozenset()

    def linked(self, one: str, other: str) -> bool:
        return not self.cut_links or frozenset((one, other)) not in self.cut_links

    # --- the store's own time ---

    def keep_leases(self) -> None:
        """To be called after each verb: leases end on the instant, and not when somebody looks."""
        due = self.universe.next_deadline()
        if due is not None and not self.now < self._expiry <= due:
            self._expiry = due
            self.at(due - self.now, self._expire)

    def _expire(self) -> None:
        self.universe.values()
        self.keep_leases()
