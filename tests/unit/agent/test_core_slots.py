"""Slots to keep and to report: the leader has none of its own, and names it all the same for its successor."""

from dataclasses import replace

from pgctl.agent.core import slots
from pgctl.agent.core.view import View
from pgctl.model import tags
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.server import Slot
from pgctl.model.settings import Settings
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
    assert list(slots.wanted(_view(), leading=True)) == ["b_1"]


def test_without_member_slots_ttl_only_permanent_positions_are_told() -> None:
    view = _view()
    assert view.cluster is not None
    settings = Settings(member_slots_ttl=0, slots={"spare": None})
    found = tuple(Slot(name, "physical", False, Lsn(0x5000000)) for name in ("b_1", "spare"))
    view = replace(view, cluster=replace(view.cluster, settings=settings), server=replace(view.server, slots=found))
    assert slots.positions(view) == {"spare": 0x5000000, "a": 0x5000060}


def test_a_logical_slot_is_not_for_those_who_will_never_lead_in_their_own_right() -> None:
    """O8: nofailover, nostream, and what cascades from one without streaming."""
    view = _view()
    assert slots.keeps_logical(view)
    for written in ({"nofailover": True}, {"nostream": True}, {"replicatefrom": "c"}):
        assert not slots.keeps_logical(replace(view, host=boards.host(**written)))
    assert slots.keeps_logical(replace(view, host=boards.host(replicatefrom="b-1")))
