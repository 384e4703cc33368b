"""Laws of replication slots, over any slots beside any cluster: what is never dropped, and how far one is moved."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pgctl.agent.core import logical_slots, slot_plan, slots
from pgctl.agent.core.view import View
from pgctl.model.conf import LogicalPlan, Upstream
from pgctl.model.lsn import Lsn
from pgctl.model.member import slot_name
from pgctl.model.server import Phase, Slot
from tests.laws.views import lsns, views

NAMES = ("a", "b", "c", "gone", "feed", "spare", "stray")
FEED = {"type": "logical", "database": "app", "plugin": "pgoutput"}


@st.composite
def found(draw: st.DrawFn) -> Slot:
    logical = draw(st.booleans())
    at = draw(st.none() | lsns)
    return Slot(
        draw(st.sampled_from(NAMES)),
        "logical" if logical else "physical",
        draw(st.booleans()),
        at,
        at if logical else None,
        draw(st.sampled_from(("app", "other"))) if logical else None,
        draw(st.sampled_from(("pgoutput", "test_decoding"))) if logical else None,
        has_xmin=draw(st.booleans()),
        wal_status=draw(st.sampled_from((None, "reserved", "lost"))),
        failover=draw(st.booleans()),
        synced=draw(st.booleans()),
        temporary=draw(st.booleans()),
    )


MATCHERS: tuple[dict[str, object], ...] = (
    {"name": "stray"}, {"plugin": "pgoutput"}, {"type": "physical", "name": "a"}, {"unknown": 1}, {}
)


@st.composite
def slot_views(draw: st.DrawFn) -> View:
    """A view with slots on its server, in its settings and in `/status`."""
    view = draw(views())
    have = draw(st.lists(found(), max_size=5, unique_by=lambda slot: slot.name))
    version = draw(st.sampled_from((0, 150000, 160000, 170000)))
    view = replace(view, server=replace(view.server, slots=tuple(have), version=version))
    if view.cluster is None:
        return view
    changed = replace(
        view.cluster.settings,
        slots=draw(st.sampled_from(({}, {"spare": None}, {"feed": FEED, "spare": {}}, {"feed": {"type": "odd"}}))),
        ignore_slots=tuple(draw(st.lists(st.sampled_from(MATCHERS), max_size=2))),
        member_slots_ttl=draw(st.sampled_from((0.0, 1800.0))),
        postgresql=draw(st.sampled_from(({}, {"use_slots": False}))),
    )
    told = {name: int(draw(lsns)) for name in draw(st.sets(st.sampled_from(NAMES)))}
    status = replace(view.cluster.status, slots=told, retain_slots=draw(st.sampled_from(((), ("gone", "a")))))
    return replace(view, cluster=replace(view.cluster, settings=changed, status=status))


def matched(view: View, slot: Slot) -> bool:
    """`ignore_slots`, a second time and dumbly."""
    for matcher in view.settings.ignore_slots:
        given_ = [key for key in ("name", "type", "database", "plugin") if key in matcher]
        if matcher and all(matcher[key] == getattr(slot, key) for key in given_):
            return True
    return False


@given(slot_views(), st.booleans())
def test_what_must_stay_is_in_no_plan(view: View, leading: bool) -> None:
    """INV29, WK55: nothing in pause, in use, passing, or matched by ignore_slots; and no server's own failover slot."""
    have = {slot.name: slot for slot in view.server.slots}
    plan = slot_plan.plan(view, leading=leading)
    for name in plan.drop:
        slot = have[name]
        assert not (view.settings.pause or slot.active or slot.temporary or matched(view, slot))
    for name, _ in plan.advance:
        assert not matched(view, have[name]) and not have[name].active
    for want in plan.create:
        assert want.name not in have or want.name in plan.drop


@given(slot_views(), st.booleans())
def test_a_wanted_slot_that_is_sound_is_never_dropped(view: View, leading: bool) -> None:
    """Only one that is another, is lost, or is frozen goes, and then it is made again at once, where that is possible."""
    want = slots.wanted(view, leading=leading)
    plan = slot_plan.plan(view, leading=leading)
    again = {slot.name for slot in plan.create}
    for slot in view.server.slots:
        if slot.name in plan.drop and slot.name in want:
            same = (slot.type, slot.database, slot.plugin) == (
                want[slot.name].type, want[slot.name].database, want[slot.name].plugin)
            in_the_way = view.server.version >= 170000 and slot.type == "logical" and not slot.synced
            assert not same or slot.wal_status == "lost" or slot.has_xmin or slot.restart_lsn is None or in_the_way
            assert slot.name in again or want[slot.name].type == "logical"


@given(slot_views(), st.booleans())
def test_a_slot_is_moved_forward_and_not_past_what_the_server_has(view: View, leading: bool) -> None:
    """INV30: a standby's not past its own replay."""
    have = {slot.name: slot for slot in view.server.slots}
    server = view.server
    limit = server.lsn if server.phase is Phase.PRIMARY else server.replay_lsn
    for name, at in slot_plan.plan(view, leading=leading).advance:
        assert have[name].type == "physical" and Lsn(have[name].restart_lsn or 0) < at <= (limit or 0)


@given(slot_views(), st.booleans())
def test_every_other_member_has_a_slot_and_i_have_none(view: View, leading: bool) -> None:
    """O2, on whoever may lead some day."""
    if view.cluster is None or view.settings.postgresql or not view.settings.member_slots_ttl:
        return
    names = set(slots.wanted(view, leading=leading))
    assert slot_name(view.me) not in names
    if not view.host.tags.nofailover:
        others = {slot_name(member.name) for member in view.cluster.members if not member.tags.nostream}
        assert others - {slot_name(view.me)} <= names


@given(slot_views(), st.booleans())
def test_done_once_there_is_nothing_more_to_do(view: View, leading: bool) -> None:
    """A plan carried out leads to a view without another: no slot is made and dropped in turns."""
    plan = slot_plan.plan(view, leading=leading)
    moved = dict(plan.advance)
    left = [replace(slot, restart_lsn=moved.get(slot.name, slot.restart_lsn)) for slot in view.server.slots
            if slot.name not in plan.drop]
    at = slot_plan.own_position(view)
    made = [Slot(want.name, want.type, False, at, at if want.database else None, want.database, want.plugin)
            for want in plan.create]
    after = replace(view, server=replace(view.server, slots=(*left, *made)))
    if at:
        again = slot_plan.plan(after, leading=leading)
        assert (again.drop, again.create, again.advance) == ((), (), ())


@given(slot_views())
def test_a_logical_slot_on_a_standby_is_not_moved_past_replay_or_its_consumer(view: View) -> None:
    """INV30; and work on logical slots leaves alone what ignore_slots matches, what is in use, and PostgreSQL's own."""
    have = {slot.name: slot for slot in view.server.slots}
    plan = logical_slots.plan(view, Upstream("a", "10.0.0.1", 5432))
    if plan.advance:
        assert view.server.phase is Phase.STANDBY and view.cluster is not None
    for want, at in plan.advance:
        slot, told = have[want.name], view.cluster.status.slots[want.name] if view.cluster else 0
        assert (slot.confirmed_flush_lsn or 0) < at <= min(told, view.server.replay_lsn or 0)
        assert not (slot.active or slot.temporary or slot.synced or matched(view, slot))
    assert not [want for want in plan.create if want.name in have]
    assert not [name for name in plan.mark if matched(view, have[name]) or have[name].active]


@given(slot_views())
def test_a_member_that_never_leads_has_no_logical_slots(view: View) -> None:
    """O8."""
    if view.host.tags.nofailover or view.host.tags.nostream:
        assert logical_slots.plan(view, None) in (LogicalPlan(),)
        assert logical_slots.to_copy(view) == ()
