"""A store's server whose disk fills up, and what a client is told: never a no that is none, and nothing old afterwards.

`python -m tests.contract.full_disk KIND DIRECTORY` has to run as root of a user namespace with mounts of its own:
`OWN_MOUNTS` says how. The server's files lie on a small file system in memory. Prints what it saw; ends with 1 when that
is wrong.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Seconds
from tests.contract.launchers import LAUNCHERS, Server
from tests.contract.services import wait_for

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")
SIZE = 320
"""MiB: etcd and ZooKeeper set 64 MiB aside for each file of their log."""
LARGE = "x" * 300_000
TTL, SOON = Seconds(120), Seconds(3)
AWAY = (StoreUnreachable, OutcomeUnknown)


def fill(file: Path) -> None:
    """Takes what is left of the disk."""
    with file.open("wb", buffering=0) as out:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError:
                continue


def write_until_full(store: Store) -> tuple[int, str]:
    """The number of the last value that was written for certain, and why the next one may not have been."""
    for number in count(1):
        try:
            done = store.put("config", f"{number} {LARGE}", budget=SOON)
        except AWAY as error:
            return number - 1, str(error)
        assert isinstance(done, Applied), done
        assert number < 4 * SIZE, "it never was full"
    raise AssertionError


def answer(call: Callable[[], Applied | Rejected]) -> str:
    try:
        return type(call()).__name__
    except AWAY as error:
        return str(error)


def come_back(server: Server) -> None:
    """Some stand still until there is room again, some have ended and are started by whoever looks after them."""
    until = time.monotonic() + 5
    while time.monotonic() < until and not server.healthy():
        time.sleep(0.1)
    if not server.healthy():
        say("it is started again")
        server.kill()
        server.start()
    wait_for(server.healthy, within=60, what="the server to be well again")


def number_of(store: Store) -> int:
    return int(store.snapshot(budget=Seconds(20)).items["config"].value.split()[0])


def play(kind: str, directory: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "none", str(directory)], check=True, timeout=10)
    launcher = LAUNCHERS[kind]
    with launcher.serve(directory) as server:
        section = StoreSection(kind, dict(launcher.options(server, server.port)), "full", "prod")
        store = factory.open_store(section, SystemClock())
        assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Applied)
        assert isinstance(store.put("config", f"0 {LARGE}", budget=SOON), Applied)
        filler = directory / "filler"
        fill(filler)
        last, why = write_until_full(store)
        say(f"value {last} was written, then: {why}")
        told = {answer(lambda: store.renew(ttl=TTL, budget=Seconds(1))) for _ in range(5)}
        say(f"renewals: {', '.join(sorted(told))}")
        assert "Rejected" not in told
        filler.unlink()
        come_back(server)
        found = number_of(store)
        say(f"value {found} is there")
        assert found in (last, last + 1)
        wait_for(lambda: answer(lambda: store.put("config", "-1", budget=SOON)) == "Applied", within=30, what="a write")
        assert number_of(store) == -1
        assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
        store.close()


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    play(sys.argv[1], Path(sys.argv[2]))
