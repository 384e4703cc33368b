"""The fence process of one simulated host: the real one's decisions (`fence_process`), under virtual time.

It goes on when its agent does not. One that does not look for five seconds counts as dead, and its agent puts up another.
"""

from contextlib import suppress
from typing import Any

from pgctl.agent import fence_process
from pgctl.agent.fence_process import ASK, END, KILL, NOTHING
from pgctl.agent.fence_record import SECOND, Record

STALE = 5.0


class FenceModel:
    """`node` is the host. `frozen_until` and `late` (seconds by which each look comes too late) are faults."""

    def __init__(self, node: Any, *, broken: bool = False) -> None:
        self.node = node
        self.broken = broken
        self.frozen_until = 0.0
        self.late = 0.0
        self._record = Record()
        self._number = 0
        self._mark = 0.0
        self._stage, self._deadline = NOTHING, 0

    # --- the agent's side: as `pgctl.agent.fence` -------------------------------------------------------------------

    def start(self) -> None:
        """Puts up a fence if none shows itself."""
        if not self.alive():
            self._number += 1
            self.frozen_until = 0.0
            self._look(self._number)

    def alive(self) -> bool:
        return bool(self._number and self.node.world.now - self._mark < STALE)

    @property
    def armed(self) -> bool:
        return self._record.armed

    def arm(self, deadline: float, margin: float) -> None:
        self._record.armed = True
        self.move(deadline, margin)

    def move(self, deadline: float, margin: float) -> None:
        if self._record.armed:
            self._record.deadline, self._record.margin = int(deadline * SECOND), int(margin * SECOND)
        self.tick()

    def disarm(self) -> None:
        self._record.armed = False
        self.tick()

    def tick(self) -> None:
        self._record.alive = self._now()

    # --- the process ------------------------------------------------------------------------------------------------

    def lose(self) -> None:
        """The host is gone; after a boot the record is another boot's, and counts for nothing."""
        self._number += 1
        self._mark = -STALE
        self._record = Record()

    def die(self) -> None:
        """What it was told stays in its file, for the next one."""
        self._number += 1
        self._mark = -STALE

    def _now(self) -> int:
        return int(self.node.clock.now() * SECOND)

    def _look(self, number: int) -> None:
        if number != self._number:
            return
        world = self.node.world
        if world.now < self.frozen_until:
            world.at(self.frozen_until - world.now, lambda: self._look(number))
            return
        self._mark = world.now
        if not self.broken:
            self._act(fence_process.due(self._record, self._now()))
        rest = fence_process.look_in(self._record, self._now()) / SECOND
        late = world.random.uniform(0, self.late) if self.late else 0.0
        world.at(rest + 1e-6 + late, lambda: self._look(number))

    def _act(self, stage: int) -> None:
        record, server = self._record, self.node.server
        if record.deadline != self._deadline or not record.armed:
            self._deadline, self._stage = record.deadline, NOTHING
        if stage == ASK and self._stage < ASK and server.running:
            self.node.world.tell(f"{self.node.name}: the fence stops the server")
            self.node.stop_server("fence")
        if stage >= KILL and server.running:
            self.node.world.tell(f"{self.node.name}: the fence kills the server")
            self.node.crash_server("fence")
        if stage == END and self._stage < END and fence_process.frozen(record):
            self.node.end_frozen_agent()
        self._stage = max(self._stage, stage)
        self._close_watchdog(stage)

    def _close_watchdog(self, stage: int) -> None:
        """In a dead agent's place, once nothing can write."""
        node = self.node
        idle = not self._record.armed or (stage > NOTHING and not node.server.running)
        if node.mark.there() and not node.alive and idle:
            with suppress(OSError):
                node.device.close()
                node.mark.remove()
