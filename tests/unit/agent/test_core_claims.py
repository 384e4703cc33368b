"""The claim to a timeline's number: higher than every one that anybody is known to have used."""

import pytest
from hypothesis import given

from pgctl.agent.core import claims
from pgctl.agent.core.effects import Peer, StartJob
from pgctl.agent.core.job import Promote
from pgctl.agent.core.own_keys import ClaimTimeline
from pgctl.agent.core.view import Host, View
from pgctl.model.cluster import Cluster, Revision
from pgctl.model.history import SKIPPED, Claim, History, HistoryLine, brought_up
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.server import Phase, ServerState
from pgctl.model.timeline import Switch, TimelineHistory
from pgctl.units import Instant, Wall
from tests.laws.views import views


def view(own: int | None = 1, claimed: Claim = Claim(), history: History = History((), True),
         member: int | None = None, peer: int | None = None) -> View:
    cluster = Cluster("c", members=(Member(MemberName("b"), timeline=member),), history=history, claim=claimed,
                      revisions={"promotion": Revision(8)})
    server = ServerState(Phase.STANDBY, timeline=own, lsn=Lsn(1))
    return View(Instant(1), Wall(1), Host(MemberName("me"), "", "", ""), server, cluster,
                peers=(Peer("b", True, timeline=peer),))


@pytest.mark.parametrize(("seen", "number"), [
    (view(), 2),
    (view(claimed=Claim(2, "b")), 3),
    (view(claimed=Claim(2, "me")), 3),
    (view(own=4, claimed=Claim(2, "b")), 5),
    (view(history=History((HistoryLine(6, Lsn(1), ""),), True)), 8),
    (view(member=3), 4),
    (view(peer=5), 6),
    (view(own=None), 0),
])
def test_the_number(seen: View, number: int) -> None:
    assert claims.following(seen) == number


def test_the_claim_comes_before_the_promotion_and_compares() -> None:
    claim, started = claims.promotion(view(claimed=Claim(2, "b")))
    assert claim == ClaimTimeline(Claim(3, "me"), Revision(8))
    assert isinstance(started, StartJob) and started.job == Promote(timeline=3)


def test_a_server_of_unknown_timeline_claims_nothing() -> None:
    (started,) = claims.promotion(view(own=None))
    assert isinstance(started, StartJob) and started.job == Promote()


@given(views())
def test_no_number_that_anybody_is_known_to_have_used(seen: View) -> None:
    number = claims.following(seen)
    assert seen.cluster is not None or number == 0
    if number and seen.cluster is not None:
        used = {member.timeline for member in seen.cluster.members} | {peer.timeline for peer in seen.peers or ()}
        assert number not in used and number > seen.cluster.history.timeline


def test_the_history_has_a_line_for_each_number_that_was_skipped() -> None:
    """Peers count the last line's timeline plus one as the cluster's."""
    stored = History((HistoryLine(1, Lsn(16), "why", "then", "a"),), True)
    own = TimelineHistory(5, (Switch(1, Lsn(16), "why"), Switch(2, Lsn(32), "because")))
    found = brought_up(stored, own, "c", "now")
    assert found.timeline == 5
    assert [(line.timeline, line.lsn) for line in found.lines] == [(1, 16), (2, 32), (3, 32), (4, 32)]
    assert [line.leader for line in found.lines] == ["a", "", "", "c"]
    assert [line.reason for line in found.lines] == ["why", "because", SKIPPED, SKIPPED]
    assert brought_up(found, own, "d", "later") == found
    assert brought_up(stored, own._replace(timeline=3), "c", "now").timeline == 3
