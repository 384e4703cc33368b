"""The kernel's watchdog of one simulated host, below the real `Watchdog`: it resets a machine that is not pinged in time.

Who dies with the device open leaves its clock running: the kernel closes the file without the magic letter. As in
`fence_process.close_watchdog`, the fence closes it for a dead agent once nothing can write.
"""

from typing import Any

from pgctl.agent.watchdog import Watchdog
from pgctl.config.sections import WatchdogSection
from tests.sim.record_agents import Watched

BOOTS_IN = 5.0
EIO = 5


class DeviceModel:
    """`node` is the host. `broken` is a fault: nobody can open or ping it. `running`: its clock runs."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self.broken = self.running = False
        self._timeout, self._pings = 60, 0

    # --- as `pgctl.agent.watchdog.Device` ---------------------------------------------------------------------------

    def usable(self) -> str:
        return "the device does not work" if self.broken else ""

    def open(self) -> None:
        self._check()
        self._count(running=True)

    def set_timeout(self, seconds: int) -> int:
        self._timeout = seconds
        self.ping()
        return seconds

    def ping(self) -> None:
        self._check()
        self._count(running=self.running)

    def close(self) -> bool:
        self._check()
        self._count(running=False)
        return True

    def abandon(self) -> None:
        """The clock runs on."""

    # --- the kernel -------------------------------------------------------------------------------------------------

    def lose(self) -> None:
        """With its machine."""
        self._count(running=False)

    def _check(self) -> None:
        if self.broken:
            raise OSError(EIO, "Input/output error")

    def _count(self, *, running: bool) -> None:
        node, world = self._node, self._node.world
        self._pings += 1
        number = self._pings
        if running is not self.running:
            paused = node.alive and node.agent.settings.pause
            world.note(Watched(world.now, node.name, running, node.server.writable, paused))
        self.running = running
        if running:
            world.at(self._timeout, lambda: self._reset() if self._pings == number else None)

    def _reset(self) -> None:
        node = self._node
        if node.mutation.deaf:
            return
        node.world.tell(f"{node.name}: the watchdog resets the machine")
        node.lose_host()
        node.world.at(BOOTS_IN, node.boot)


class MarkModel:
    """As `pgctl.agent.watchdog.Mark`: what the run directory keeps of it, until the machine is lost."""

    def __init__(self) -> None:
        self._there = False

    def put(self, device: str) -> None:
        self._there = True

    def there(self) -> bool:
        return self._there

    def remove(self) -> None:
        self._there = False


class HostWatchdog(Watchdog):
    """The real one, of one life of a simulated agent."""

    def __init__(self, node: Any) -> None:
        super().__init__(WatchdogSection(mode=node.watchdog_mode), "", node.clock)
        self._device, self._mark = node.device, node.mark
