"""The simulated world: virtual time, one seed, an ordered list of events; servers, links, a client that writes.

Nothing here reads a clock or sleeps. The same seed gives the same history, event by event.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pgctl.dcs.inproc import Universe
from pgctl.units import Instant, Seconds, Wall
from tests.sim.postgres_model import Server
from tests.sim.record import Event, Followed, Record

WRITE_EVERY = 0.05
STREAM_AFTER = 0.015


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
    next_record: int = 1
    effects_left: int = 0
    """After so many effects more, whoever does the last of them dies; 0: nobody does."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.universe = Universe(self.clock)
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
        """Runs events in order up to `until`."""
        heap, clock = self._heap, self.clock
        while heap and heap[0][0] <= until:
            clock.time, _, call = heapq.heappop(heap)
            call()
        clock.time = until

    def tell(self, line: str) -> None:
        self.story.append(f"{self.now:9.3f}  {line}")

    def note(self, event: Event) -> None:
        self.record.events.append(event)

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

    # --- replication and the client: background of every history ---

    def begin(self) -> None:
        self.at(WRITE_EVERY, self._write)

    def _write(self) -> None:
        """A client finds a server that takes writes; what it writes is acknowledged at once (asynchronous)."""
        writable = [server for server in self.servers.values() if server.writable and not server.hung]
        if writable:
            server = writable[0] if len(writable) == 1 else self.random.choice(writable)
            server.wal.append(self.next_record)
            self.record.acknowledged.append((self.clock.time, self.next_record, server.name))
            self.next_record += 1
        self.at(STREAM_AFTER, self._stream)
        self.at(WRITE_EVERY, self._write)

    def _stream(self) -> None:
        for server in self.servers.values():
            self.stream(server)

    def stream(self, server: Server) -> None:
        """One step of replication."""
        if not server.standby:
            return
        upstream = self.servers.get(server.upstream or "")
        if upstream is None or not upstream.serves or server.hung or not self.linked(server.name, upstream.name):
            server.streams = False
            return
        if not server.may_follow(upstream):
            server.streams = False
        elif not server.stream_from(upstream) and len(server.wal) <= len(upstream.wal):
            self.note(Followed(self.now, server.name, upstream.name))

    def followers(self, name: str) -> Iterable[Server]:
        return (other for other in self.servers.values() if other.upstream == name and other.streams)

    def flush(self, server: Server) -> None:
        """The end of a clean stop: those who stream get all of the log."""
        for other in list(self.followers(server.name)):
            self.stream(other)

    def senders(self, name: str) -> tuple[str, ...]:
        return tuple(other.name for other in self.followers(name))
