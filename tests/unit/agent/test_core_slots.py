"""Slots to keep and to report: the leader has none of its own, and names it all the same for its successor."""

from pgctl.agent.core import slots
from pgctl.agent.core.view import View
from pgctl.model import tags
from pgctl.model.member import Member, MemberName
from pgctl.units import Instant, Wall
from tests.unit.agent import boards


def _view() -> View:
    """I, a, lead; c does not stream."""
    still = Member(MemberName("c"), tags=tags.read({"nostream": True}))
    members = (Member(MemberName("a")), Member(MemberName("b-1")), still)
    return View(Instant(100.0), Wall(0.0), boards.host(), boards.primary(), boards.cluster("a", members=members))


def test_the_leader_retains_its_own_name_for_its_successor() -> None:
    assert slots.retained(_view()).names == ("a", "b_1")


def test_the_leader_has_no_slot_of_its_own() -> None:
    assert [slot.name for slot in slots.wanted(_view(), leading=True)] == ["b_1"]
