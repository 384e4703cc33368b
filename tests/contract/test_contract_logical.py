"""Logical slots on real servers: how each version lets a standby have one, and that it gives what its consumer lacks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgctl.errors import ServerError
from pgctl.model.conf import Conf, LogicalFound, LogicalPlan, SlotPlan, SlotWanted, StopMode
from pgctl.model.server import Slot
from pgctl.postgresql import logical_slots
from pgctl.units import Seconds
from tests.contract.pg_fixtures import CLOCK, DYNAMIC, Member, member, soon

pytestmark = [pytest.mark.contract, pytest.mark.pg(">= 13")]

FEED = SlotWanted("feed", "logical", "postgres", "test_decoding")
LOGICAL = {**DYNAMIC, "parameters": {"max_connections": 50, "shared_buffers": "16MB", "wal_level": "logical"}}


def conf_of(one: Member, leader: Member | None = None, **changes: object) -> Conf:
    if leader is None:
        return one.primary_conf(postgresql=LOGICAL, **changes)
    conf = replace(one.standby_conf(leader), postgresql=LOGICAL, hot_standby_feedback=True)
    return replace(conf, copy_slots=("feed",), leader=leader.upstream(), **changes)  # type: ignore[arg-type]


@pytest.fixture
def pair(tmp_path: Path, pg_bindir: Path) -> Iterator[tuple[Member, Member]]:
    """A primary with wal_level logical and the slot `feed`, and a standby that streams with feedback."""
    with member(tmp_path, "alpha", pg_bindir) as alpha, member(tmp_path, "beta", pg_bindir) as beta:
        alpha.bootstrap()
        alpha.server.restart(conf_of(alpha), deadline=soon())
        alpha.sql("CREATE TABLE public.t (n int)")
        beta.server.clone(alpha.upstream(beta), conf_of(beta, alpha), progress=beta.said.append)
        beta.server.start(conf_of(beta, alpha), deadline=soon())
        yield alpha, beta


def keep(one: Member, plan: LogicalPlan) -> LogicalFound:
    found, failed = one.server.keep_logical(plan, lambda: False)
    assert failed == ()
    return found


def slot_of(one: Member, name: str = "feed") -> Slot:
    return next(slot for slot in one.look().slots if slot.name == name)


def changes(one: Member) -> list[str]:
    """Rows inserted, as the consumer of `feed` gets and confirms them."""
    rows = one.sql("SELECT data FROM pg_logical_slot_get_changes('feed', NULL, NULL) WHERE data LIKE 'table%'")
    return [text.rpartition(":")[2] for (text,) in rows]


def fail_over(alpha: Member, beta: Member) -> None:
    assert beta.caught_up(alpha)
    alpha.server.kill()
    beta.server.promote(deadline=soon(), point_of_no_return=lambda: True)


def follow(alpha: Member, beta: Member) -> None:
    """Moves the standby's slot to where the consumer is, as the core would have it."""
    told = slot_of(alpha).confirmed_flush_lsn
    assert told is not None and beta.caught_up(alpha)
    keep(beta, LogicalPlan(advance=((FEED, told),)))
    assert slot_of(beta).confirmed_flush_lsn == told


def test_a_slot_is_made_on_the_primary(pair: tuple[Member, Member]) -> None:
    alpha, _ = pair
    keep(alpha, LogicalPlan(create=(FEED,)))
    keep(alpha, LogicalPlan(create=(FEED,)))
    found = slot_of(alpha)
    assert (found.type, found.database, found.plugin, found.failover) == ("logical", "postgres", "test_decoding", False)
    _, failed = alpha.server.keep_logical(LogicalPlan(create=(replace(FEED, name="odd", plugin="odd"),)), lambda: False)
    assert len(failed) == 1 and "odd" in failed[0]


@pytest.mark.pg("< 16")
def test_a_slot_is_copied_with_a_restart_and_survives_a_failover(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    conf = conf_of(beta, alpha)
    with pytest.raises(ServerError, match="no logical slot can be copied"):
        beta.server.rehearse(conf, copying=True)
    keep(alpha, LogicalPlan(create=(FEED,)))
    assert beta.caught_up(alpha)
    beta.server.rehearse(conf, copying=True)
    beta.server.restart(conf, deadline=soon())
    assert slot_of(beta).restart_lsn == slot_of(alpha).restart_lsn
    alpha.sql("INSERT INTO public.t VALUES (1)")
    assert changes(alpha) == ["1"]
    follow(alpha, beta)
    alpha.sql("INSERT INTO public.t VALUES (2)")
    fail_over(alpha, beta)
    beta.sql("INSERT INTO public.t VALUES (3)")
    assert changes(beta) == ["2", "3"]


@pytest.mark.pg("< 16")
def test_the_leader_tells_how_far_back_its_catalogs_go(pair: tuple[Member, Member]) -> None:
    """A copy is good once the feedback of its standby has reached the leader's physical slot."""
    alpha, beta = pair
    keep(alpha, LogicalPlan(create=(FEED,)))
    assert beta.caught_up(alpha)
    beta.server.restart(conf_of(beta, alpha), deadline=soon())
    until, ask = soon(), LogicalPlan(ask=("feed", "beta"), leader=alpha.upstream())
    while len(xmins := dict(keep(beta, ask).xmins)) < 2 and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.1))
    own = slot_of(beta).catalog_xmin
    assert own is not None and xmins["feed"] <= xmins["beta"] <= own


@pytest.mark.pg("< 16")
def test_a_slot_whose_wal_is_gone_is_beyond_use_and_is_not_copied(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    keep(alpha, LogicalPlan(create=(FEED,)))
    conf = conf_of(beta, alpha)
    assert beta.caught_up(alpha)
    beta.server.restart(conf, deadline=soon())
    before = slot_of(beta)
    alpha.sql("SELECT pg_switch_wal()")
    alpha.sql("INSERT INTO public.t VALUES (1)")
    assert beta.caught_up(alpha)
    wal = Path(beta.section.data_dir) / "pg_wal"
    assert before.restart_lsn is not None
    first = f"00000001{0:08X}{before.restart_lsn >> 24:08X}"
    for path in sorted(wal.iterdir()):
        if len(path.name) == 24 and path.name <= first:
            path.unlink()
    goal = alpha.look().lsn
    assert goal is not None
    found, failed = beta.server.keep_logical(LogicalPlan(advance=((FEED, goal),)), lambda: False)
    assert found.broken == (("feed", before.confirmed_flush_lsn),) and len(failed) == 1
    beta.sql("SELECT pg_drop_replication_slot('feed')")
    with pytest.raises(ServerError, match="no logical slot can be copied"):
        beta.server.rehearse(conf, copying=True)


@pytest.mark.pg(">= 16")
def test_a_standby_makes_a_slot_of_its_own_without_a_restart(pair: tuple[Member, Member]) -> None:
    """At once: the primary is asked to say which transactions run."""
    alpha, beta = pair
    keep(alpha, LogicalPlan(create=(FEED,)))
    assert beta.caught_up(alpha)
    before, begun = beta.look().postmaster, CLOCK.now()
    keep(beta, LogicalPlan(create=(FEED,), leader=alpha.upstream()))
    assert CLOCK.now() - begun < 10 and beta.look().postmaster == before
    alpha.sql("INSERT INTO public.t VALUES (1)")
    assert changes(alpha) == ["1"]
    follow(alpha, beta)
    alpha.sql("INSERT INTO public.t VALUES (2)")
    fail_over(alpha, beta)
    beta.sql("INSERT INTO public.t VALUES (3)")
    assert changes(beta) == ["2", "3"]


@pytest.mark.pg(">= 17")
def test_postgresql_keeps_a_failover_slot_and_no_consumer_is_ahead_of_a_standby(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    keep(alpha, LogicalPlan(create=(FEED,)))
    assert not slot_of(alpha).failover
    keep(alpha, LogicalPlan(mark=("feed",)))
    assert slot_of(alpha).failover
    alpha.server.write_conf(conf_of(alpha, confirm_slots=("beta",)), reload=True)
    beta.server.write_conf(conf_of(beta, alpha, sync_slots=True), reload=True)
    until = soon()
    while not (any(slot.synced and not slot.temporary for slot in beta.look().slots)) and CLOCK.now() < until:
        alpha.sql("INSERT INTO public.t VALUES (0)")
        alpha.sql("SELECT pg_log_standby_snapshot()")
        changes(alpha)
        CLOCK.sleep(Seconds(0.2))
    assert slot_of(beta).synced and alpha.sql("SHOW synchronized_standby_slots") == [("beta",)]
    alpha.sql("INSERT INTO public.t VALUES (2)")
    fail_over(alpha, beta)
    beta.sql("INSERT INTO public.t VALUES (3)")
    assert changes(beta)[-2:] == ["2", "3"]


def test_what_a_killed_copy_left_is_swept_away(pair: tuple[Member, Member]) -> None:
    """A directory NAME.tmp is no slot to a server that starts."""
    _, beta = pair
    beta.server.stop(StopMode.FAST, checkpoint=False, deadline=soon())
    part = Path(beta.section.data_dir) / "pg_replslot" / "feed.tmp"
    part.mkdir(mode=0o700)
    (part / "state").write_bytes(b"half")
    beta.server.start(replace(conf_of(beta), standby=True), deadline=soon())
    assert not part.exists() and [slot.name for slot in beta.look().slots] == []


def test_a_slot_far_behind_gets_there_in_steps(pair: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that is cut off has moved nothing, so no step may be long; told to stop, it stops between two."""
    alpha, _ = pair
    keep(alpha, LogicalPlan(create=(FEED,)))
    begin = slot_of(alpha).confirmed_flush_lsn
    alpha.sql("INSERT INTO public.t SELECT generate_series(1, 20000)")
    goal = alpha.look().lsn
    assert begin is not None and goal is not None
    monkeypatch.setattr(logical_slots, "_ADVANCE_BY", 256 * 1024)
    asked = iter((False, False, False))
    alpha.server.keep_logical(LogicalPlan(advance=((FEED, goal),)), lambda: next(asked, True))
    assert begin < (slot_of(alpha).confirmed_flush_lsn or 0) < goal
    keep(alpha, LogicalPlan(advance=((FEED, goal),)))
    assert (slot_of(alpha).confirmed_flush_lsn or 0) >= goal


def test_when_all_slots_are_in_use_it_is_said_what_to_do(pair: tuple[Member, Member]) -> None:
    alpha, _ = pair
    names = tuple(SlotWanted(f"s{number}") for number in range(12))
    with pytest.raises(ServerError) as caught:
        alpha.server.set_slots(SlotPlan(create=names))
    assert "raise max_replication_slots" in caught.value.detail
    assert len(alpha.look().slots) == 10
    _, failed = alpha.server.keep_logical(LogicalPlan(create=(FEED,)), lambda: False)
    assert len(failed) == 1 and "raise max_replication_slots" in failed[0]


@pytest.mark.pg(">= 17")
def test_the_leader_tells_of_which_kind_its_slots_are(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    keep(alpha, LogicalPlan(create=(FEED, replace(FEED, name="other", failover=True))))
    found = keep(beta, LogicalPlan(sort=("feed", "other", "none"), leader=alpha.upstream()))
    assert (found.marked, found.plain) == (("other",), ("feed",))
