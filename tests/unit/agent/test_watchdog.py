"""The watchdog: pinged only where the reset comes before the lease's end, closed only when told."""

from pathlib import Path

import pytest

from pgctl.agent import watchdog as watchdogs
from pgctl.agent.watchdog import Watchdog
from pgctl.agent.watchdog_file import FileDevice
from pgctl.agent.watchdog_linux import LinuxDevice
from pgctl.config.sections import WatchdogSection
from pgctl.units import Instant
from tests.unit.agent.stand_ins import NotedDevice, NotedWatchdog, SetClock, watched

TTL = 30.0


class Stand:
    def __init__(self, tmp_path: Path, mode: str = "automatic", margin: int = 5) -> None:
        self.clock, self.device, self.mark = SetClock(), NotedDevice(), tmp_path / "watchdog"
        self.watchdog: NotedWatchdog = watched(self.device, self.clock, mode, str(tmp_path), margin)

    def keep(self, left: float, ttl: float = TTL) -> float:
        """Seconds for which the lead is believed, of a lease with so many left."""
        return self.watchdog.keep(Instant(self.clock.now() + left), ttl) - self.clock.now()


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_it_is_opened_once_and_the_mark_names_it(stand: Stand) -> None:
    assert stand.watchdog.arm(TTL) == "" and stand.watchdog.arm(TTL) == ""
    assert stand.device.told == ["open", "timeout 25"]
    assert stand.mark.read_text() == "/dev/noted"
    assert stand.watchdog.within(TTL) == 22


def test_a_ping_only_where_the_reset_comes_before_the_end_of_the_lease(stand: Stand) -> None:
    """A reply that took six seconds leaves 24 s of the lease: the ping before it still counts."""
    stand.watchdog.arm(TTL)
    stand.clock.time += 8
    assert stand.keep(29.9) == 22 and stand.device.told[-1] == "ping"
    stand.clock.time += 8
    assert stand.keep(24) == 14 and stand.device.told.count("ping") == 1
    stand.clock.time += 1
    assert stand.keep(30) == 22 and stand.device.told.count("ping") == 2


def test_a_changed_ttl_changes_the_time_out(stand: Stand) -> None:
    stand.watchdog.arm(TTL)
    assert stand.keep(15, ttl=15) == 9 and stand.device.told[-1] == "timeout 10"
    assert stand.watchdog.within(15) == 9


@pytest.mark.parametrize(("mode", "margin", "ttl", "seconds"), [
    ("automatic", 5, 30.0, 25), ("required", -1, 30.0, 15), ("automatic", 0, 30.0, 30),
])
def test_the_time_out(tmp_path: Path, mode: str, margin: int, ttl: float, seconds: int) -> None:
    found = Stand(tmp_path, mode, margin)
    found.watchdog.arm(ttl)
    assert f"timeout {seconds}" in found.device.told


def test_off_opens_nothing(tmp_path: Path) -> None:
    found = Stand(tmp_path, "off")
    assert found.watchdog.arm(TTL) == "" and not found.watchdog.missing and found.watchdog.fault(TTL) == ""
    assert found.keep(30) == 30 and found.watchdog.within(TTL) == TTL
    found.watchdog.close()
    assert found.device.told == []


@pytest.mark.parametrize(("fault", "ttl", "word"), [("it does not exist", 30.0, "not exist"), ("", 8.0, "less than 5")])
@pytest.mark.parametrize("mode", ["automatic", "required"])
def test_one_that_cannot_be_used(tmp_path: Path, mode: str, fault: str, ttl: float, word: str) -> None:
    """Automatic goes on without; required says why."""
    found = Stand(tmp_path, mode)
    found.device.fault = fault
    required = mode == "required"
    assert (word in found.watchdog.arm(ttl)) is required
    assert (word in found.watchdog.fault(ttl)) is required
    assert found.watchdog.missing is required and not found.watchdog.open
    assert found.device.told == []


@pytest.mark.parametrize("takes", [3, 60])
def test_a_device_that_takes_another_time_out_is_closed_again(tmp_path: Path, takes: int) -> None:
    """Shorter than agent and fence need, or so long that others may lead before the reset."""
    found = Stand(tmp_path, "required")
    found.device.takes = takes
    assert f"{takes} s in place of 25 s" in found.watchdog.arm(TTL)
    assert found.device.told == ["open", "timeout 25", "close"] and found.watchdog.missing


def test_a_device_that_takes_a_little_less_will_do(stand: Stand) -> None:
    stand.device.takes = 20
    assert stand.watchdog.arm(TTL) == "" and stand.watchdog.within(TTL) == 17


def test_a_ping_that_fails_is_no_ping(tmp_path: Path) -> None:
    found = Stand(tmp_path, "required")
    found.watchdog.arm(TTL)
    found.clock.time += 8
    found.device.broken = True
    assert found.keep(30) == 25 - 8 - 3
    assert found.watchdog.missing and found.device.told[-1] == "abandon"
    found.device.broken = False
    assert found.watchdog.arm(TTL) == "" and not found.watchdog.missing


def test_closing_takes_the_mark_away_also_of_an_earlier_life(stand: Stand, tmp_path: Path) -> None:
    stand.watchdog.arm(TTL)
    again = Stand(tmp_path)
    again.watchdog.close()
    assert again.device.told == ["open", "close"] and not stand.mark.exists()
    stand.watchdog.close()
    assert stand.device.told[-1] == "close" and stand.watchdog.within(TTL) == TTL


def test_a_reload_closes_what_is_off(stand: Stand) -> None:
    stand.watchdog.arm(TTL)
    stand.watchdog.reconfigure(WatchdogSection("off", "/dev/noted"))
    assert stand.device.told[-1] == "close"
    assert stand.watchdog.arm(TTL) == "" and not stand.watchdog.open


def test_the_testing_driver_notes_what_a_device_would_be_told(tmp_path: Path) -> None:
    path = tmp_path / "device"
    clock = SetClock()
    section = WatchdogSection("required", str(path), "testing")
    assert "does not exist" in Watchdog(section, str(tmp_path), clock).arm(TTL)
    path.touch()
    own = Watchdog(section, str(tmp_path), clock)
    assert own.arm(TTL) == ""
    own.keep(Instant(clock.now() + 30), TTL)
    own.close()
    assert path.read_text() == "open\ntimeout 25\nping\nV"


def test_what_is_no_device_is_not_used(tmp_path: Path) -> None:
    """The ioctls fail, and the mode decides what that means."""
    path = tmp_path / "device"
    path.touch()
    own = Watchdog(WatchdogSection("required", str(path)), str(tmp_path), SetClock())
    assert str(path) in own.arm(TTL) and own.missing
    assert isinstance(watchdogs.device_of(WatchdogSection()), LinuxDevice)
    assert isinstance(watchdogs.device_of(WatchdogSection(driver="testing")), FileDevice)
