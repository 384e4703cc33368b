"""The fence against a real server: nothing commits at the deadline, however the server takes its signals."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pgctl.agent import fence_aim, fence_record
from pgctl.agent.fence import Fence
from pgctl.errors import ServerError
from pgctl.model.server import Phase
from pgctl.units import Instant, Seconds
from tests.contract.pg_fixtures import CLOCK, Member, member, soon

pytestmark = [pytest.mark.contract, pytest.mark.pg(">= 13")]

MARGIN = Seconds(1.5)


@pytest.fixture
def primary(tmp_path: Path, pg_bindir: Path) -> Iterator[Member]:
    with member(tmp_path, "a", pg_bindir) as one:
        one.bootstrap()
        yield one


@pytest.fixture
def fence(primary: Member, tmp_path: Path) -> Iterator[Fence]:
    run_dir = tmp_path / "run"
    run_dir.mkdir(mode=0o700)
    fence = Fence(str(run_dir), primary.section.data_dir)
    fence.start()
    ended = threading.Event()
    alive = threading.Thread(target=_show_life, args=(fence, ended))
    alive.start()
    yield fence
    fence.disarm()
    ended.set()
    alive.join()
    with open(run_dir / "fence", "rb") as file:
        pid = fence_record.read_mark(file.fileno())[1]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _show_life(fence: Fence, ended: threading.Event) -> None:
    """The agent here is the test: without a sign of life the fence would end it at the deadline."""
    while not ended.wait(0.1):
        fence.tick()


def postmaster(primary: Member) -> int:
    return fence_aim.postmaster(primary.section.data_dir)


def family(primary: Member) -> list[int]:
    """All processes of the server, orphans too."""
    parent = postmaster(primary)
    return [pid for pid in (parent, *fence_aim.family(primary.section.data_dir, parent, "")) if pid]


def wait_until(instant: Instant) -> None:
    CLOCK.sleep(Seconds(instant - CLOCK.now()))


class Writer(threading.Thread):
    """Commits one row after the other; `last` is when the last commit was acknowledged."""

    def __init__(self, primary: Member) -> None:
        super().__init__(daemon=True)
        self.primary, self.last, self.count = primary, Instant(0), 0
        primary.sql("CREATE TABLE public.t (i int)")

    def run(self) -> None:
        with suppress(ServerError):
            while True:
                self.primary.sql("INSERT INTO public.t VALUES (1)")
                self.last, self.count = CLOCK.now(), self.count + 1


def test_a_lease_that_is_not_renewed_ends_the_writing_in_order(primary: Member, fence: Fence) -> None:
    writer = Writer(primary)
    writer.start()
    deadline = soon(2.5)
    fence.arm(deadline, MARGIN)
    writer.join(10)
    assert writer.count > 0
    assert deadline - MARGIN - 0.5 < writer.last < deadline
    found = primary.look_until(Phase.DOWN)
    assert CLOCK.now() < deadline
    assert found.control is not None and found.control.state == "shut down"


def test_a_postmaster_that_is_frozen_is_dead_with_all_its_children_at_the_deadline(primary: Member, fence: Fence) -> None:
    """Its backends go on committing while it cannot take the order to stop."""
    writer = Writer(primary)
    writer.start()
    os.kill(postmaster(primary), signal.SIGSTOP)
    deadline = soon(2.5)
    fence.arm(deadline, MARGIN)
    wait_until(deadline)
    assert family(primary) == []
    assert writer.last < deadline


def test_an_orphan_that_does_not_notice_is_killed_too(primary: Member, fence: Fence) -> None:
    """A backend in a busy loop never looks whether its postmaster lives."""
    busy = threading.Thread(target=_loop, args=(primary,), daemon=True)
    busy.start()
    CLOCK.sleep(Seconds(1.2))  # the fence has looked meanwhile, and knows the program
    deadline = soon(2.5)
    fence.arm(deadline, MARGIN)
    os.kill(postmaster(primary), signal.SIGKILL)
    CLOCK.sleep(Seconds(0.5))
    assert len(family(primary)) >= 1
    wait_until(deadline)
    assert family(primary) == []
    busy.join(10)


def _loop(primary: Member) -> None:
    with suppress(ServerError):
        primary.sql("DO $$ BEGIN LOOP END LOOP; END $$")


def test_a_fence_that_is_not_armed_or_is_moved_in_time_leaves_the_server_alone(primary: Member, fence: Fence) -> None:
    before = postmaster(primary)
    fence.arm(soon(1.6), MARGIN)
    for _ in range(10):
        fence.move(soon(2.5), MARGIN)
        CLOCK.sleep(Seconds(0.2))
    fence.disarm()
    CLOCK.sleep(Seconds(1.5))
    assert postmaster(primary) == before
