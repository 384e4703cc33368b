"""The kernel's watchdog over a leader: it resets the machine where agent and fence can no longer stop the server.

LAW. While the device is open, the machine is reset before the lease ends, unless the lease was prolonged in time; and it is
closed only when no server of ours can confirm a commit, or in pause.

Theory. Three guards stand behind each other: the agent, which steps down in order; the fence, which stops the server when
the agent does not; the watchdog, for a machine that is frozen or whose fence is dead, too. Each has to act before the next
one does, and all before others may lead.

* The device is pinged when the lease was prolonged (by the store or by the members), and only if the reset that this ping
  allows comes before the lease's end, which counts from before the request was sent. A reply that comes late pings nothing:
  the ping before it still counts.
* So that agent and fence act before the kernel does, the lead is believed to end `slack` before the reset: what `keep`
  answers is the deadline that lease cell and fence go by. The time-out (ttl - safety_margin) takes the ttl's place in the
  leader's rhythm and margins (`within`). Patroni's members renew in a loop, and so ask for a time-out of at least
  loop_wait; here it has to be as long as the shortest ttl, 5 s.
* Who holds the device: the agent, for it knows of renewals. When it dies the device is closed without the magic letter, and
  its clock runs on; the fence stops the server, and once that is proven gone it closes the device in the agent's place (the
  mark in the run directory names it). A new agent that finds the mark does so, too, or opens the device anew to lead.
* `required`: without an open device this member does not take the lead, and a leader steps down (core.facts.unwatched).
  `automatic`: it leads without, and says so once.

Source: ha.md 2.16 (W1 to W8), INV20, INV21; config.md 14.
"""

import logging
import os
import threading
from contextlib import suppress
from typing import Protocol

from pgctl.agent.fence_record import WATCHDOG
from pgctl.agent.watchdog_file import FileDevice
from pgctl.agent.watchdog_linux import LinuxDevice
from pgctl.clock import Clock
from pgctl.config.sections import WatchdogSection
from pgctl.units import Instant

log = logging.getLogger(__name__)

SHORTEST = 5
"""Seconds: with a shorter time-out agent and fence could not act in their turn."""


class Device(Protocol):
    """Verbs raise OSError; see `watchdog_linux`."""

    def usable(self) -> str: ...

    def open(self) -> None: ...

    def set_timeout(self, seconds: int) -> int: ...

    def ping(self) -> None: ...

    def close(self) -> bool: ...

    def abandon(self) -> None: ...


class Marked(Protocol):
    """What outlives this agent of the device that it has opened."""

    def put(self, device: str) -> None: ...

    def there(self) -> bool: ...

    def remove(self) -> None: ...


class Mark:
    """A file that names the device which a life of this agent has opened, for whoever has to close it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def put(self, device: str) -> None:
        """Raises OSError."""
        with open(self._path, "w", encoding="utf-8") as file:
            file.write(device)

    def there(self) -> bool:
        return os.path.exists(self._path)

    def remove(self) -> None:
        with suppress(OSError):
            os.unlink(self._path)


class Watchdog:
    """Used by the loop's and the heartbeat's threads."""

    def __init__(self, section: WatchdogSection, run_dir: str, clock: Clock) -> None:
        self._lock = threading.Lock()
        self._section = section
        self._device = device_of(section)
        self._mark: Marked = Mark(f"{run_dir}/{WATCHDOG}")
        self._clock = clock
        self._wanted = self._timeout = 0
        self._ends = Instant(0)
        """Until when the last ping lets the lead be believed."""
        self._told = ""

    @property
    def open(self) -> bool:
        return self._timeout > 0

    @property
    def required(self) -> bool:
        return self._section.mode == "required"

    @property
    def missing(self) -> bool:
        """It is required and does not guard."""
        return self.required and not self.open

    def fault(self, ttl: float) -> str:
        """Why a required watchdog could not be opened, as far as is known without opening it."""
        return self._why_not(ttl) if self.missing else ""

    def within(self, ttl: float) -> float:
        """Seconds that a lead lasts after it was prolonged."""
        return min(ttl, self._timeout - slack(self._timeout)) if self.open else ttl

    def arm(self, ttl: float) -> str:
        """Opens the device if it is not; empty, or why a required one cannot be opened. Its clock starts now."""
        with self._lock:
            if self._section.mode == "off" or self.open:
                return ""
            why = self._why_not(ttl) or self._open(ttl)
            if why and why != self._told:
                log.log(logging.ERROR if self.required else logging.INFO, "the watchdog is not used: %s", why)
            self._told = why
            return why if self.required else ""

    def keep(self, deadline: Instant, ttl: float) -> Instant:
        """The lease was prolonged until `deadline`: pings, where that is allowed. Until when the lead is to be believed."""
        with self._lock:
            if not self.open:
                return deadline
            try:
                if self._wanted != wanted(self._section, ttl):
                    self._set(ttl)
                elif self._clock.now() + self._timeout <= deadline:
                    self._device.ping()
                    self._ends = Instant(self._clock.now() + self._timeout - slack(self._timeout))
            except OSError as error:
                log.error("the watchdog cannot be pinged any more: %s", error.strerror)
                self._device.abandon()
                self._timeout = 0
            return min(deadline, self._ends)

    def close(self) -> None:
        """Stops the clock: nothing of ours can write, or the operator wants it so. One left by an earlier life, too."""
        with self._lock:
            if not self.open and not self._mark.there():
                return
            try:
                if not self.open:
                    self._device.open()
                if not self._device.close():
                    log.warning("this watchdog cannot be stopped: it was pinged once more, and will reset the machine")
            except OSError as error:
                log.warning("the watchdog could not be closed: %s", error.strerror)
                self._device.abandon()
            self._timeout = 0
            self._mark.remove()

    def reconfigure(self, section: WatchdogSection) -> None:
        """A new section: what is open is closed when it is another device or off, and opened anew by the next cycle."""
        if section == self._section:
            return
        if (section.mode == "off" or section.device != self._section.device) and self.open:
            self.close()
        with self._lock:
            self._device = self._device if self.open else device_of(section)
            self._section = section
            self._told = ""

    def _why_not(self, ttl: float) -> str:
        seconds = wanted(self._section, ttl)
        if seconds < SHORTEST:
            return f"its time-out would be {seconds} s, less than {SHORTEST}: lower watchdog.safety_margin or raise ttl"
        return self._device.usable()

    def _open(self, ttl: float) -> str:
        """The mark comes first: whoever finds it can close what this process leaves open."""
        try:
            self._mark.put(self._section.device)
            self._device.open()
            why = self._set(ttl)
        except OSError as error:
            why = f"{self._section.device}: {error.strerror}"
            self._device.abandon()
        if why:
            self._timeout = 0
        else:
            log.info("the watchdog guards this machine  device=%s timeout=%ds", self._section.device, self._timeout)
        return why

    def _set(self, ttl: float) -> str:
        """Sets the time-out and begins to count. Empty, or why what the device offers is not enough: then it is closed."""
        self._wanted = wanted(self._section, ttl)
        taken = self._device.set_timeout(self._wanted)
        if not SHORTEST <= taken <= self._wanted:
            self._device.close()
            self._timeout = 0
            return f"the device takes a time-out of {taken} s in place of {self._wanted} s"
        self._timeout = taken
        self._ends = Instant(self._clock.now() + taken - slack(taken))
        return ""


def slack(timeout: int) -> int:
    """Seconds before the reset at which the last other guard must be done: a sixth of the time-out, 1 to 3.

    The fence closes the device only once it has seen server and agent dead, and a busy machine takes its time for that.
    """
    return min(3, max(1, timeout // 6))


def wanted(section: WatchdogSection, ttl: float) -> int:
    """The time-out in whole seconds (W1)."""
    return int(ttl // 2 if section.safety_margin == -1 else ttl - section.safety_margin)


def device_of(section: WatchdogSection) -> Device:
    return FileDevice(section.device) if section.driver == "testing" else LinuxDevice(section.device)
