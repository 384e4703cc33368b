"""What a member says of its role, and of the checkpoint after its promotion, which pg_rewind elsewhere waits for."""

from dataclasses import replace

import pytest

from pgctl.agent.core import report
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Host, View
from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.lsn import Lsn
from pgctl.model.member import MemberName, Role
from pgctl.model.server import ControlData, Phase, ServerState
from pgctl.units import Instant, Wall

HOST = Host(MemberName("a"), "", "", "")
LED = Cluster("c", Leader(MemberName("a"), Revision(1)))


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


HUNG = ServerState(Phase.HUNG, control=ControlData("in production", "7", Lsn(1), 1))


@pytest.mark.parametrize("said", [True, False])
def test_a_server_that_hangs_has_not_got_any_further(said: bool) -> None:
    before = replace(report.member(View(Instant(1), Wall(1), HOST, ServerState(Phase.PRIMARY))), checkpoint_pending=said)
    view = View(Instant(1000), Wall(1000), HOST, HUNG, cluster=LED, memory=Memory(published=before))
    assert report.member(view).checkpoint_pending is said


def test_one_that_hangs_from_its_promotion_on_has_its_checkpoint_to_come() -> None:
    before = report.member(View(Instant(1), Wall(1), HOST, ServerState(Phase.STANDBY)))
    view = View(Instant(1000), Wall(1000), HOST, HUNG, cluster=LED, memory=Memory(published=before))
    assert report.member(view).role is Role.PRIMARY and report.member(view).checkpoint_pending
    assert report.member(replace(view, memory=Memory())).checkpoint_pending
    assert not report.member(replace(view, cluster=None)).checkpoint_pending


def control(state: str) -> ControlData:
    return ControlData(state, "7", Lsn(1), 1)


@pytest.mark.parametrize(
    ("found", "signal", "role"),
    [
        (control("in archive recovery"), True, Role.REPLICA),
        (control("in production"), False, Role.PRIMARY),
        (None, True, Role.REPLICA),
        (None, False, Role.PRIMARY),
    ],
)
def test_who_holds_the_key_and_cannot_ask_the_server_says_what_its_files_tell(
    found: ControlData | None, signal: bool, role: Role
) -> None:
    server = ServerState(Phase.HUNG, control=found, standby_signal=signal)
    view = View(Instant(1000), Wall(1000), HOST, server, cluster=LED)
    assert report.role(view) is role
