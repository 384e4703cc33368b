"""What the service manager hears."""

import socket
from pathlib import Path

from pgctl.agent import notify
from pgctl.units import Instant


def test_it_hears_each_state_and_a_reload_with_its_time(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(2)
        notify.notify({"NOTIFY_SOCKET": path}, notify.READY)
        notify.notify({"NOTIFY_SOCKET": path}, notify.reloading(Instant(12.5)))
        assert manager.recv(99) == b"READY=1"
        assert manager.recv(99) == b"RELOADING=1\nMONOTONIC_USEC=12500000"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    notify.notify({}, notify.READY)
    notify.notify({"NOTIFY_SOCKET": "nonsense"}, notify.READY)
    notify.notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, notify.READY)
