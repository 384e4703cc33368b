"""Tells systemd what the agent is at. Source: sd_notify(3)."""

import socket
from collections.abc import Mapping

from pgctl.units import Instant

READY = "READY=1"
STOPPING = "STOPPING=1"


def reloading(now: Instant) -> str:
    """What a service of Type=notify-reload says when it begins to reload; READY ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={int(now * 1_000_000)}"


def notify(environment: Mapping[str, str], state: str) -> None:
    """Sends `state` to the service manager, if there is one. A manager that does not listen is no error."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.connect(address)
            wire.send(state.encode())
    except OSError:
        pass
