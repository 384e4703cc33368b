"""What a member says of the checkpoint after its promotion, which pg_rewind elsewhere waits for."""

from dataclasses import replace

import pytest

from pgctl.agent.core import report
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Host, View
from pgctl.model.member import MemberName
from pgctl.model.server import Phase, ServerState
from pgctl.units import Instant, Wall

HOST = Host(MemberName("a"), "", "", "")


@pytest.mark.parametrize(
    ("phase", "timeline", "checkpointed", "pending"),
    [
        (Phase.PRIMARY, 2, 1, True),
        (Phase.PRIMARY, 2, 2, False),
        (Phase.PRIMARY, 2, None, False),
        (Phase.STANDBY, 2, 1, False),
        (Phase.DOWN, None, None, False),
    ],
)
def test_a_checkpoint_is_pending_until_pg_control_has_the_timeline(
    phase: Phase, timeline: int | None, checkpointed: int | None, pending: bool
) -> None:
    server = ServerState(phase, timeline=timeline, checkpoint_timeline=checkpointed)
    view = View(Instant(1000), Wall(1000), HOST, server)
    assert report.member(view).checkpoint_pending is pending


@pytest.mark.parametrize("said", [True, False])
def test_a_server_that_hangs_has_not_got_any_further(said: bool) -> None:
    before = replace(report.member(View(Instant(1), Wall(1), HOST, ServerState(Phase.PRIMARY))), checkpoint_pending=said)
    view = View(Instant(1000), Wall(1000), HOST, ServerState(Phase.HUNG), memory=Memory(published=before))
    assert report.member(view).checkpoint_pending is said
