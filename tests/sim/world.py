"""The simulated world: virtual time, one seed, an ordered list of events; members, links, a client that writes.

Nothing here reads a clock or sleeps. The same seed gives the same history, event by event.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from pgctl.dcs.inproc import Universe
from pgctl.units import Instant, Seconds, Wall
from tests.sim.postgres_model import Server

STREAM_EVERY = 0.01
WRITE_EVERY = 0.03


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
    """All there is. `story` is the recorded history, a line an event that matters; `faults` what the checkers found."""

    seed: int
    clock: VirtualClock = field(default_factory=VirtualClock)
    story: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    servers: dict[str, Server] = field(default_factory=dict)
    cut_links: set[frozenset[str]] = field(default_factory=set)
    acknowledged: list[tuple[int, str]] = field(default_factory=list)
    next_record: int = 1

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.universe = Universe(self.clock)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    @property
    def now(self) -> float:
        return self.clock.time

    def at(self, delay: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + max(0.0, delay), self._count, call))

    def run(self, until: float) -> None:
        """Runs events in order up to `until`, looking for violations after each."""
        while self._heap and self._heap[0][0] <= until:
            when, _, call = heapq.heappop(self._heap)
            self.clock.time = when
            call()
            self.check()
        self.clock.time = until

    def tell(self, line: str) -> None:
        self.story.append(f"{self.now:9.3f}  {line}")

    def violation(self, line: str) -> None:
        if line not in self.violations:
            self.violations.append(line)
            self.tell(f"VIOLATION  {line}")

    def check(self) -> None:
        writable = sorted(name for name, server in self.servers.items() if server.writable)
        if len(writable) > 1:
            self.violation(f"INV5 two writable servers: {', '.join(writable)}")

    def linked(self, one: str, other: str) -> bool:
        return frozenset((one, other)) not in self.cut_links

    # --- replication and the client: background of every history ---

    def begin(self) -> None:
        self.at(STREAM_EVERY, self._stream)
        self.at(WRITE_EVERY, self._write)

    def _stream(self) -> None:
        for server in self.servers.values():
            self._stream_one(server)
        self.at(STREAM_EVERY, self._stream)

    def _stream_one(self, server: Server, limit: int = 1 << 30) -> None:
        upstream = self.servers.get(server.upstream or "")
        server_up = server.running and not server.writable
        if not server_up or upstream is None or not upstream.running or not self.linked(server.name, upstream.name):
            server.streams = False
            return
        prefix = server.wal == upstream.wal[: len(server.wal)]
        if server.may_follow(upstream) and not prefix and len(server.wal) <= len(upstream.wal):
            self.violation(f"INV-FOLLOW {server.name} follows {upstream.name} on a diverged timeline")
        server.stream_from(upstream, limit)

    def flush_standbys(self, server: Server) -> None:
        """A clean stop: those who stream get all of the log."""
        for other in self.servers.values():
            if other.upstream == server.name and other.streams:
                self._stream_one(other)

    def senders(self, name: str) -> tuple[str, ...]:
        return tuple(other.name for other in self.servers.values() if other.upstream == name and other.streams)

    def _write(self) -> None:
        for name, server in sorted(self.servers.items()):
            if server.writable and not server.hung:
                server.wal.append(self.next_record)
                self.acknowledged.append((self.next_record, name))
                self.next_record += 1
                break
        self.at(WRITE_EVERY, self._write)
