"""The simulator's model of PostgreSQL and the real one, under one contract: the same deeds, and the same seen afterwards.

Where the two differ, the real one is right, and the model is to be mended.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgctl.agent.core.job import Bootstrap, Clone, Job, Promote, Rebuild, Restart, Rewind, StartPrimary, StartStandby, Stop
from pgctl.agent.core.view import JobState
from pgctl.model.conf import SlotPlan, SlotWanted, StopMode
from pgctl.model.server import Phase, Slot
from tests.contract.lab import Commit, Fate, Lab
from tests.contract.lab_model import ModelLab
from tests.contract.lab_real import RealLab

pytestmark = pytest.mark.contract


@pytest.fixture(params=["model", pytest.param("postgresql", marks=pytest.mark.pg(">= 13"))])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    real = request.param == "postgresql"
    found: Lab = RealLab(tmp_path, request.getfixturevalue("pg_bindir")) if real else ModelLab()
    yield found
    found.close()


@pytest.fixture(params=["model", pytest.param("postgresql", marks=pytest.mark.pg(">= 13"))])
def small(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """On a disk of its own, which may be filled: scripts/run.sh mounts one where it can."""
    if request.param == "model":
        found: Lab = ModelLab()
    elif place := os.environ.get("PGCTL_SMALL_DISK"):
        found = RealLab(Path(place), request.getfixturevalue("pg_bindir"))
    else:
        pytest.skip("needs a small disk to fill: root may mount one")
    yield found
    found.close()


def done(lab: Lab, member: str, job: Job) -> JobState:
    """A deed, to its end."""
    lab.begin(member, job)
    return comes_to_its_end(lab, member)


def comes_to_its_end(lab: Lab, member: str) -> JobState:
    """The deed under way; a server may be down a moment before the deed knows."""

    def ended() -> bool:
        found = lab.deed(member)
        return found is not None and found.ended

    assert lab.until(ended, 60.0)
    found = lab.deed(member)
    assert found is not None
    return found


def do(lab: Lab, member: str, job: Job) -> None:
    found = done(lab, member, job)
    assert found.ok, found.message


def refused(lab: Lab, member: str, job: Job) -> None:
    assert not done(lab, member, job).ok


def made(lab: Lab) -> None:
    """a is a primary with one row."""
    do(lab, "a", Bootstrap(conf=lab.conf("a")))
    assert lab.until(lambda: lab.look("a").phase is Phase.PRIMARY)
    written(lab, "a")


def joins(lab: Lab, member: str, of: str = "a") -> None:
    conf = lab.conf(member, follows=of)
    do(lab, member, Clone(source=conf.upstream, conf=conf))
    streams(lab, member)


def streams(lab: Lab, member: str) -> None:
    assert lab.until(lambda: lab.look(member).replication_state == "streaming")


def follows(lab: Lab, member: str, of: str) -> None:
    """It is started again, as a standby of another."""
    do(lab, member, StartStandby(conf=lab.conf(member, follows=of)))


def stops(lab: Lab, member: str) -> None:
    do(lab, member, Stop(checkpoint=True, timeout=30))


def written(lab: Lab, member: str) -> int:
    """The number of a row that was acknowledged."""
    commit = lab.commit(member)
    becomes(lab, commit, Fate.ACKNOWLEDGED)
    return commit.row


def becomes(lab: Lab, commit: Commit, fate: Fate) -> None:
    assert lab.until(lambda: commit.fate is fate), commit.fate


def has(lab: Lab, member: str, *rows: int) -> None:
    assert lab.until(lambda: lab.rows(member) >= {*rows})


def stays(lab: Lab, commit: Commit, fate: Fate, seconds: float = 1.0) -> None:
    assert not lab.until(lambda: commit.fate is not fate, seconds)


def names(lab: Lab, text: str) -> None:
    """a is given other synchronous_standby_names, and has them in force."""
    lab.configure("a", lab.conf("a", names=text))
    assert lab.until(lambda: lab.look("a").sync_names == text)


def roles(lab: Lab, member: str = "a") -> dict[str, tuple[str, int]]:
    """(sync_state, sync_priority) of who streams."""
    return {one.application_name: (one.sync_state, one.sync_priority) for one in lab.look(member).senders
            if one.state == "streaming"}  # fmt: skip


def control(lab: Lab, member: str) -> str:
    found = lab.look(member)
    assert found.phase is Phase.DOWN and found.control is not None
    return found.control.state


def slot(lab: Lab, member: str, name: str) -> Slot | None:
    return next((one for one in lab.look(member).slots if one.name == name), None)


# --- a life -----------------------------------------------------------------------------------------------------------


def test_a_new_cluster_and_a_copy_of_it(lab: Lab) -> None:
    assert lab.look("a").phase is Phase.EMPTY
    made(lab)
    found = lab.look("a")
    assert (found.timeline, found.checkpoint_timeline, found.senders, found.can_rewind) == (1, 1, (), True)
    joins(lab, "b")
    copy = lab.look("b")
    assert (copy.phase, copy.timeline, copy.standby_signal) == (Phase.STANDBY, 1, True)
    assert copy.system_identifier == found.system_identifier
    assert lab.until(lambda: roles(lab) == {"b": ("async", 0)})
    has(lab, "b", written(lab, "a"))


def test_a_stop_sends_all_and_a_crash_says_so(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    last = written(lab, "a")
    stops(lab, "a")
    assert control(lab, "a") == "shut down"
    has(lab, "b", last)
    assert lab.until(lambda: lab.look("b").replication_state != "streaming")
    do(lab, "a", StartPrimary(conf=lab.conf("a")))
    assert lab.look("a").timeline == 1
    streams(lab, "b")
    stops(lab, "b")
    assert control(lab, "b") == "shut down in recovery"
    follows(lab, "b", "a")
    streams(lab, "b")
    for member in "ab":
        lab.crash(member)
    assert (control(lab, "a"), control(lab, "b")) == ("in production", "in archive recovery")
    do(lab, "a", StartPrimary(conf=lab.conf("a")))
    assert lab.until(lambda: last in lab.rows("a"))


def test_a_restart_keeps_timeline_role_and_rows(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    before = lab.look("a").postmaster
    do(lab, "a", Restart(conf=lab.conf("a")))
    do(lab, "b", Restart(conf=lab.conf("b", follows="a")))
    after = lab.look("a")
    assert (after.phase, after.timeline) == (Phase.PRIMARY, 1) and after.postmaster != before
    assert lab.look("b").phase is Phase.STANDBY
    streams(lab, "b")
    has(lab, "b", written(lab, "a"))


def test_an_immediate_stop_is_a_crash(lab: Lab) -> None:
    made(lab)
    do(lab, "a", Stop(mode=StopMode.IMMEDIATE, timeout=30))
    assert control(lab, "a") == "in production"


def test_what_cannot_be_done_changes_nothing(lab: Lab) -> None:
    made(lab)
    conf = lab.conf("b", follows="a")
    refused(lab, "b", Promote())
    refused(lab, "b", StartStandby(conf=conf))
    refused(lab, "b", Rewind(source=conf.upstream, conf=conf))
    assert lab.look("b").phase is Phase.EMPTY
    joins(lab, "b")
    refused(lab, "a", Promote())
    refused(lab, "a", StartPrimary(conf=lab.conf("a")))
    refused(lab, "b", Clone(source=conf.upstream, conf=conf))
    refused(lab, "a", Bootstrap(conf=lab.conf("a")))
    assert (lab.look("a").phase, lab.look("b").phase) == (Phase.PRIMARY, Phase.STANDBY)


def test_a_copy_of_who_does_not_answer_leaves_nothing(lab: Lab) -> None:
    made(lab)
    stops(lab, "a")
    conf = lab.conf("b", follows="a")
    refused(lab, "b", Clone(source=conf.upstream, conf=conf))
    assert lab.look("b").phase is Phase.EMPTY


def test_a_copy_made_anew(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    last, conf = written(lab, "a"), lab.conf("b", follows="a")
    do(lab, "b", Rebuild(source=conf.upstream, conf=conf, why="a test"))
    streams(lab, "b")
    has(lab, "b", last)


def test_who_may_not_write_is_not_made_to(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    for member in "ab":
        lab.lease(member, good=False)
    refused(lab, "b", Promote())
    assert (lab.look("b").phase, lab.look("b").timeline) == (Phase.STANDBY, 1)
    stops(lab, "a")
    refused(lab, "a", StartPrimary(conf=lab.conf("a")))
    assert lab.look("a").phase is Phase.DOWN


def test_a_killed_backend_takes_all_sessions_along_and_not_the_server(lab: Lab) -> None:
    """The postmaster starts its server over, as what it was."""
    made(lab)
    joins(lab, "b")
    last = written(lab, "a")
    for member, phase in (("a", Phase.PRIMARY), ("b", Phase.STANDBY)):
        before = lab.look(member)
        lab.kill_backend(member)
        has(lab, member, last)
        assert lab.until(lambda member=member, phase=phase: lab.look(member).phase is phase)  # type: ignore[misc]
        after = lab.look(member)
        assert after.postmaster is not None and before.postmaster is not None
        assert (after.postmaster.pid, after.timeline) == (before.postmaster.pid, 1)
    streams(lab, "b")
    has(lab, "b", written(lab, "a"))


# --- another leads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "given"), [(0, 2), (4, 4)])
def test_after_a_planned_change_the_old_primary_follows(lab: Lab, asked: int, given: int) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    stops(lab, "a")
    do(lab, "b", Promote(timeline=asked))
    found = lab.look("b")
    assert (found.phase, found.timeline) == (Phase.PRIMARY, given)
    assert lab.until(lambda: lab.look("b").checkpoint_timeline == given)
    last = written(lab, "b")
    follows(lab, "a", "b")
    lab.configure("c", lab.conf("c", follows="b"))
    for member in "ac":
        streams(lab, member)
        has(lab, member, last)
        assert lab.look(member).timeline == given
    assert lab.until(lambda: set(roles(lab, "b")) == {"a", "c"})
    stops(lab, "a")
    assert control(lab, "a") == "shut down in recovery"


def test_who_went_another_way_does_not_stream_until_it_is_rewound(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    common = written(lab, "a")
    has(lab, "b", common)
    stops(lab, "b")
    lost = written(lab, "a")
    lab.crash("a")
    follows(lab, "b", "a")
    do(lab, "b", Promote())
    won = written(lab, "b")
    follows(lab, "a", "b")
    assert not lab.until(lambda: lab.look("a").replication_state == "streaming", 2.0)
    assert lab.look("a").timeline == 1
    has(lab, "a", common, lost)
    conf = lab.conf("a", follows="b")
    do(lab, "a", Rewind(source=conf.upstream, conf=conf))
    streams(lab, "a")
    has(lab, "a", common, won)
    assert lab.look("a").timeline == 2 and lost not in lab.rows("a")


def test_a_rewind_wants_a_source_that_leads_and_leaves_a_standby(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    stops(lab, "b")
    stops(lab, "c")
    conf = lab.conf("c", follows="b")
    refused(lab, "c", Rewind(source=conf.upstream, conf=conf))
    assert lab.look("c").phase is Phase.DOWN
    follows(lab, "c", "a")
    streams(lab, "c")


# --- cascades -----------------------------------------------------------------------------------------------------------


def test_a_cascade_streams_and_follows_its_upstream_to_another_timeline(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c", of="b")
    assert (set(roles(lab)), set(roles(lab, "b"))) == ({"b"}, {"c"})
    has(lab, "c", written(lab, "a"))
    stops(lab, "a")
    do(lab, "b", Promote())
    streams(lab, "c")
    has(lab, "c", written(lab, "b"))
    assert lab.until(lambda: lab.look("c").timeline == 2)


def test_a_new_upstream_is_taken_without_a_restart(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    before = lab.look("c").postmaster
    lab.configure("c", lab.conf("c", follows="b"))
    assert lab.until(lambda: (set(roles(lab)), set(roles(lab, "b"))) == ({"b"}, {"c"}))
    assert lab.look("c").postmaster == before
    has(lab, "c", written(lab, "a"))


# --- slots --------------------------------------------------------------------------------------------------------------


def test_a_slot_keeps_the_log_from_where_its_standby_is(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    assert lab.until(lambda: (found := slot(lab, "a", "b")) is not None and found.active)
    has(lab, "b", written(lab, "a"))
    end = lab.look("a").lsn or 0
    assert lab.until(lambda: ((found := slot(lab, "a", "b")) and found.restart_lsn or 0) >= end)
    stops(lab, "b")
    assert lab.until(lambda: (found := slot(lab, "a", "b")) is not None and not found.active)
    kept = slot(lab, "a", "b")
    written(lab, "a")
    assert slot(lab, "a", "b") == kept and kept is not None and (kept.restart_lsn or 0) < (lab.look("a").lsn or 0)
    stops(lab, "a")
    do(lab, "a", StartPrimary(conf=lab.conf("a")))
    assert slot(lab, "a", "b") == kept


def test_slots_are_not_copied_and_a_standby_has_its_own(lab: Lab) -> None:
    """Which is moved no further than it has got, and never back."""
    made(lab)
    lab.slots("a", SlotPlan(create=(SlotWanted("kept"),)))
    joins(lab, "b")
    assert slot(lab, "b", "kept") is None
    lab.slots("b", SlotPlan(create=(SlotWanted("c"),)))
    has(lab, "b", written(lab, "a"))
    before = slot(lab, "b", "c")
    assert before is not None and before.restart_lsn is not None and not before.active
    end = lab.look("b").replay_lsn
    assert end is not None
    lab.slots("b", SlotPlan(advance=(("c", end),)))
    moved = slot(lab, "b", "c")
    assert moved is not None and moved.restart_lsn is not None and before.restart_lsn < moved.restart_lsn <= end
    assert lab.until(lambda: (lab.look("b").replay_lsn or 0) >= end)
    lab.slots("b", SlotPlan(drop=("c",)))
    assert slot(lab, "b", "c") is None
    assert slot(lab, "a", "kept") is not None


# --- synchronous commits ------------------------------------------------------------------------------------------------


LISTED = {
    "b": {"b": ("sync", 1), "c": ("async", 0)},
    "1 (c,b)": {"b": ("potential", 2), "c": ("sync", 1)},
    "2 (b,c)": {"b": ("sync", 1), "c": ("sync", 2)},
    "ANY 1 (b,c)": {"b": ("quorum", 1), "c": ("quorum", 1)},
    "*": {"b": ("sync", 1), "c": ("potential", 1)},
    "": {"b": ("async", 0), "c": ("async", 0)},
}


def test_who_is_synchronous(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    for text, shown in LISTED.items():
        names(lab, text)
        assert lab.until(lambda shown=shown: roles(lab) == shown), (text, roles(lab))  # type: ignore[misc]
        has(lab, "b", written(lab, "a"))


@pytest.mark.parametrize("text", ["b", "2 (b,c)"])
def test_a_commit_waits_for_whom_it_needs(lab: Lab, text: str) -> None:
    """Written all the same: who streams has it, and it is acknowledged as soon as the missing one is back."""
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    names(lab, text)
    stops(lab, "b")
    waiting = lab.commit("a")
    becomes(lab, waiting, Fate.WAITING)
    has(lab, "c", waiting.row)
    stays(lab, waiting, Fate.WAITING)
    assert waiting.row not in lab.rows("a")
    follows(lab, "b", "a")
    becomes(lab, waiting, Fate.ACKNOWLEDGED)
    has(lab, "b", waiting.row)


def test_any_standby_of_a_quorum_is_enough(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    names(lab, "ANY 1 (b,c)")
    lab.crash("b")
    written(lab, "a")
    lab.crash("c")
    becomes(lab, lab.commit("a"), Fate.WAITING)


def test_other_names_set_waiting_commits_free(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    joins(lab, "c")
    names(lab, "b")
    stops(lab, "b")
    waiting = [lab.commit("a"), lab.commit("a")]
    for commit in waiting:
        becomes(lab, commit, Fate.WAITING)
    names(lab, "c")
    for commit in waiting:
        becomes(lab, commit, Fate.ACKNOWLEDGED)
    stops(lab, "c")
    last = lab.commit("a")
    becomes(lab, last, Fate.WAITING)
    names(lab, "")
    becomes(lab, last, Fate.ACKNOWLEDGED)


def test_a_client_that_gives_up_leaves_its_row(lab: Lab) -> None:
    """A commit is made before anybody waits: cancelling ends the wait, and nothing else."""
    made(lab)
    joins(lab, "b")
    names(lab, "b")
    stops(lab, "b")
    given_up, patient = lab.commit("a"), lab.commit("a")
    for commit in (given_up, patient):
        becomes(lab, commit, Fate.WAITING)
    lab.cancel(given_up)
    becomes(lab, given_up, Fate.UNHEARD)
    assert lab.until(lambda: given_up.row in lab.rows("a"))
    stays(lab, patient, Fate.WAITING)
    follows(lab, "b", "a")
    has(lab, "b", given_up.row, patient.row)


@pytest.mark.parametrize("clean", [True, False])
def test_a_server_that_ends_leaves_waiting_clients_without_a_word(lab: Lab, clean: bool) -> None:
    """And with their rows, which the next start shows, whoever is synchronous then."""
    made(lab)
    joins(lab, "b")
    names(lab, "b")
    stops(lab, "b")
    waiting = lab.commit("a")
    becomes(lab, waiting, Fate.WAITING)
    if clean:
        stops(lab, "a")
    else:
        lab.crash("a")
    becomes(lab, waiting, Fate.UNHEARD)
    do(lab, "a", StartPrimary(conf=lab.conf("a", names="b")))
    assert lab.until(lambda: waiting.row in lab.rows("a"))


# --- what does not answer, and what cannot write ------------------------------------------------------------------------


def test_a_server_that_hangs_is_seen_to_hang_and_goes_on(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    lab.look("a")
    lab.hang("a")
    found = lab.look("a")
    assert (found.phase, found.timeline) == (Phase.HUNG, None) and found.postmaster is not None
    assert not lab.until(lambda: lab.look("b").replication_state != "streaming", 1.0), "nobody has told it"
    lab.resume("a")
    assert lab.until(lambda: lab.look("a").phase is Phase.PRIMARY)
    streams(lab, "b")
    has(lab, "b", written(lab, "a"))


def test_a_server_that_hangs_can_be_stopped_by_force(lab: Lab) -> None:
    made(lab)
    lab.look("a")
    lab.hang("a")
    done(lab, "a", Stop(timeout=1))
    assert control(lab, "a") == "in production"


def test_a_hung_standby_keeps_commits_waiting(lab: Lab) -> None:
    made(lab)
    joins(lab, "b")
    names(lab, "b")
    written(lab, "a")
    lab.hang("b")
    waiting = lab.commit("a")
    becomes(lab, waiting, Fate.WAITING)
    stays(lab, waiting, Fate.WAITING)
    assert roles(lab) == {"b": ("sync", 1)}
    lab.resume("b")
    becomes(lab, waiting, Fate.ACKNOWLEDGED)


def test_a_stop_waits_for_a_silent_standby_and_is_clean_when_that_takes_too_long(lab: Lab) -> None:
    """All of it is written by then; but nobody else has it."""
    made(lab)
    joins(lab, "b")
    written(lab, "a")
    lab.hang("b")
    last = written(lab, "a")
    lab.begin("a", Stop(checkpoint=True, timeout=3))
    assert not lab.until(lambda: lab.look("a").phase is Phase.DOWN, 2.0)
    assert lab.until(lambda: lab.look("a").phase is Phase.DOWN)
    comes_to_its_end(lab, "a")
    assert control(lab, "a") == "shut down"
    lab.resume("b")
    do(lab, "a", StartPrimary(conf=lab.conf("a")))
    streams(lab, "b")
    has(lab, "b", last)


def test_a_full_disk_ends_the_server(small: Lab) -> None:
    """Nothing that was acknowledged is lost of it; nor does it come up again before there is room."""
    made(small)
    first = written(small, "a")
    small.fill_disk("a")
    assert small.until(lambda: small.look("a").phase is Phase.DOWN)
    assert control(small, "a") in ("in production", "in crash recovery")
    refused(small, "a", StartPrimary(conf=small.conf("a")))
    small.empty_disk("a")
    do(small, "a", StartPrimary(conf=small.conf("a")))
    assert small.until(lambda: first in small.rows("a"))
