"""What one real PostgreSQL server does under the façade `Server`: a whole life, and what goes wrong in it."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgctl.config.sections import BootstrapSection, Credentials
from pgctl.errors import ServerError
from pgctl.model import timeline as timelines
from pgctl.model.conf import SlotPlan, SlotWanted, StopMode
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData, Phase
from pgctl.postgresql import skipped
from pgctl.units import Seconds
from tests.contract.pg_fixtures import CLOCK, DYNAMIC, PASSWORDS, Member, member, soon, stop_fast

pytestmark = [pytest.mark.contract, pytest.mark.pg(">= 13")]


@pytest.fixture
def pair(tmp_path: Path, pg_bindir: Path) -> Iterator[tuple[Member, Member]]:
    """A primary, and a standby that streams from it through its slot."""
    with member(tmp_path, "alpha", pg_bindir) as alpha, member(tmp_path, "beta-1", pg_bindir) as beta:
        alpha.bootstrap()
        beta.clone_of(alpha)
        yield alpha, beta


@pytest.fixture
def alpha(tmp_path: Path, pg_bindir: Path) -> Iterator[Member]:
    with member(tmp_path, "alpha", pg_bindir) as one:
        yield one.bootstrap()


def rows_match(one: Member, other: Member, query: str) -> bool:
    return one.sql(query) == other.sql(query)


def test_a_new_cluster(alpha: Member) -> None:
    state = alpha.look()
    assert state.phase is Phase.PRIMARY
    assert (state.timeline, state.checkpoint_timeline, state.can_rewind, state.problem) == (1, 1, True, "")
    assert state.system_identifier is not None and len(state.system_identifier) >= 10
    assert state.postmaster is not None and state.postmaster.start_time is not None
    roles = alpha.sql("SELECT rolname, rolreplication FROM pg_roles WHERE rolname LIKE 're%' ORDER BY 1")
    assert roles == [("replicator", True), ("rewinder", False)]
    assert alpha.sql("SHOW max_connections") == [("50",)]
    assert alpha.sql("SHOW cluster_name") == [("test",)]


def test_no_secret_leaks(pair: tuple[Member, Member]) -> None:
    """Not in a configuration file, not in the server's log, not on the command line, not in what one look finds."""
    for one in pair:
        data = Path(one.section.data_dir)
        state = one.look()
        assert state.postmaster is not None
        command_line = Path(f"/proc/{state.postmaster.pid}/cmdline").read_bytes().decode()
        environment = Path(f"/proc/{state.postmaster.pid}/environ").read_bytes().decode()
        places = [data / "postgresql.conf", data / "pg_hba.conf", data / "log" / "server.log"]
        texts = [path.read_text() for path in places] + [command_line, environment, repr(state), *one.said]
        for secret in (*PASSWORDS.values(), "PATRONI_SECRET"):
            assert not [text for text in texts if secret in text]
    passfile = Path(pair[1].section.pgpass)
    assert passfile.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in passfile.parent.iterdir()) == ["data", "pgpass", "sockets"]


def test_a_standby_streams_through_its_slot(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    alpha.sql("CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS n")
    assert beta.caught_up(alpha)
    state, above = beta.look(), alpha.look()
    assert (state.phase, state.replication_state, state.timeline) == (Phase.STANDBY, "streaming", 1)
    assert state.receiver is not None and state.receiver.slot == "beta_1"
    assert [(sender.application_name, sender.state) for sender in above.senders] == [("beta-1", "streaming")]
    assert [(slot.name, slot.active) for slot in above.slots] == [("beta_1", True)]
    assert rows_match(alpha, beta, "SELECT sum(n) FROM public.t")


def test_looking_is_quick_and_keeps_one_connection(alpha: Member) -> None:
    alpha.look()
    begun = CLOCK.now()
    for _ in range(20):
        alpha.look()
    assert (CLOCK.now() - begun) / 20 < 0.1
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgctl heartbeat'"
    assert alpha.sql(query) == [(1,)]


def test_a_planned_change_and_the_way_back(pair: tuple[Member, Member]) -> None:
    """The old primary, stopped cleanly, needs no rewind and follows the new one's timeline."""
    alpha, beta = pair
    alpha.sql("CREATE TABLE public.t AS SELECT 1 AS n")
    assert beta.caught_up(alpha)
    seen: list[ControlData] = []
    control = alpha.server.stop(StopMode.FAST, checkpoint=True, deadline=soon(), on_safe=seen.append)
    assert control is not None and control.cleanly_stopped
    assert alpha.look().phase is Phase.DOWN
    assert beta.server.promote(deadline=soon(), point_of_no_return=lambda: True) == 2
    assert beta.look().phase is Phase.PRIMARY
    history = beta.server.timeline_history(2)
    assert history is not None and history == alpha.server.upstream_history(beta.upstream(), Seconds(5.0))
    assert timelines.can_follow(history, 1, type(control.checkpoint_lsn)(control.checkpoint_lsn + 1))
    alpha.server.start(alpha.standby_conf(beta), deadline=soon())
    beta.sql("INSERT INTO public.t VALUES (2)")
    assert alpha.caught_up(beta)
    assert rows_match(alpha, beta, "SELECT sum(n) FROM public.t")


def test_a_crashed_primary_rewinds_and_rejoins(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    alpha.sql("CREATE TABLE public.t AS SELECT 1 AS n")
    assert beta.caught_up(alpha)
    stop_fast(beta)
    alpha.sql("INSERT INTO public.t SELECT generate_series(10, 5000)")
    alpha.server.kill()
    assert alpha.look().control is not None
    beta.server.start(beta.standby_conf(alpha), deadline=soon())
    assert beta.server.promote(deadline=soon(), point_of_no_return=lambda: True) == 2
    beta.sql("INSERT INTO public.t VALUES (2)")
    alpha.server.rewind(beta.upstream(), alpha.standby_conf(beta), progress=alpha.said.append)
    assert alpha.look().standby_signal
    log = Path(alpha.section.data_dir) / "log" / "server.log"
    assert str(alpha.section.port) in log.read_text() and str(beta.section.port) not in log.read_text()
    alpha.server.start(alpha.standby_conf(beta), deadline=soon())
    assert alpha.caught_up(beta)
    assert alpha.look_until(Phase.STANDBY).timeline == 2
    assert alpha.sql("SELECT sum(n) FROM public.t") == [(3,)]


def test_a_timeline_that_another_member_claimed_is_passed_over(pair: tuple[Member, Member]) -> None:
    """beta opens timeline 2 and dies; alpha, which never heard of it, opens 3, and beta finds back to it."""
    alpha, beta = pair
    alpha.sql("CREATE TABLE public.t AS SELECT 1 AS n")
    assert beta.caught_up(alpha)
    alpha.server.stop(StopMode.FAST, checkpoint=True, deadline=soon())
    assert beta.server.promote(timeline=2, deadline=soon(), point_of_no_return=lambda: True) == 2
    beta.sql("INSERT INTO public.t VALUES (20)")
    beta.server.kill()
    alpha.server.start(alpha.standby_conf(beta), deadline=soon())
    assert alpha.server.promote(timeline=3, deadline=soon(), point_of_no_return=lambda: True) == 3
    alpha.sql("INSERT INTO public.t VALUES (3)")
    own = alpha.server.timeline_history(3)
    assert own is not None and [switch.timeline for switch in own.switches] == [1]
    assert beta.look().control is not None
    beta.server.rewind(alpha.upstream(), beta.standby_conf(alpha), progress=beta.said.append)
    beta.server.start(beta.standby_conf(alpha), deadline=soon())
    assert beta.caught_up(alpha)
    assert beta.look_until(Phase.STANDBY).timeline == 3
    assert beta.sql("SELECT sum(n) FROM public.t") == [(4,)]


def test_a_standby_follows_over_a_timeline_that_was_passed_over(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    alpha.sql("CREATE TABLE public.t AS SELECT 1 AS n")
    alpha.server.stop(StopMode.FAST, checkpoint=True, deadline=soon())
    assert beta.server.promote(timeline=4, deadline=soon(), point_of_no_return=lambda: True) == 4
    beta.sql("INSERT INTO public.t VALUES (2)")
    alpha.server.start(alpha.standby_conf(beta), deadline=soon())
    assert alpha.caught_up(beta)
    assert alpha.look_until(Phase.STANDBY).timeline == 4
    assert rows_match(alpha, beta, "SELECT sum(n) FROM public.t")


@pytest.mark.parametrize("there", [False, True])
def test_a_timeline_that_is_passed_over_is_archived_where_it_is_missing(
    pair: tuple[Member, Member], tmp_path: Path, there: bool
) -> None:
    """Who follows by the archive alone must find every number; a real file that is there must not meet ours."""
    alpha, beta = pair
    settings = {"archive_mode": "on", "archive_command": f"test ! -f {tmp_path}/%f && cp %p {tmp_path}/%f"}
    dynamic = {**beta.standby_conf(alpha).postgresql, "parameters": settings,
               "recovery_conf": {"restore_command": f"cp {tmp_path}/%f %p"}}
    beta.server.restart(replace(beta.standby_conf(alpha), postgresql=dynamic), deadline=soon())
    alpha.server.stop(StopMode.FAST, checkpoint=True, deadline=soon())
    if there:
        (tmp_path / "00000002.history").write_text("# real\n")
    assert beta.server.promote(timeline=3, deadline=soon(), point_of_no_return=lambda: True) == 3
    until = soon(15)
    while not (tmp_path / "00000003.history").exists() and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.1))
    assert (tmp_path / "00000003.history").exists()
    assert (tmp_path / "00000002.history").read_text() == ("# real\n" if there else skipped.TEXT)


def test_a_timeline_that_turns_out_to_be_real_is_followed(pair: tuple[Member, Member]) -> None:
    """beta was to pass timeline 2 over, and was not promoted; then alpha leads on it."""
    alpha, beta = pair
    assert beta.caught_up(alpha)
    stop_fast(beta)
    left = Path(beta.section.data_dir) / "pg_wal" / "00000002.history"
    left.write_text(skipped.TEXT)
    alpha.server.stop(StopMode.FAST, checkpoint=True, deadline=soon())
    alpha.server.start(alpha.standby_conf(beta), deadline=soon())
    assert alpha.server.promote(timeline=2, deadline=soon(), point_of_no_return=lambda: True) == 2
    beta.server.start(beta.standby_conf(alpha), deadline=soon())
    assert beta.caught_up(alpha)
    assert beta.look_until(Phase.STANDBY).timeline == 2
    assert left.read_text() != skipped.TEXT


def test_the_first_checkpoint_after_promotion_hurries(pair: tuple[Member, Member]) -> None:
    """PostgreSQL itself would take up to 4.5 minutes for it, and whoever is to be rewound would wait."""
    alpha, beta = pair
    alpha.sql("CREATE TABLE public.t AS SELECT n, repeat('x', 500) FROM generate_series(1, 60000) n")
    assert beta.caught_up(alpha)
    alpha.server.kill()
    beta.server.promote(deadline=soon(), point_of_no_return=lambda: True)
    until = soon(5)
    while beta.look().checkpoint_timeline != 2 and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.02))
    assert beta.look().checkpoint_timeline == 2


@pytest.mark.pg(">= 17")
def test_failover_slots_are_synchronized_and_survive_a_promotion(pair: tuple[Member, Member]) -> None:
    """PostgreSQL's own way for logical slots: it asks for dbname in primary_conninfo, and our slots are left to it."""
    alpha, beta = pair
    wanted = {"max_connections": 50, "wal_level": "logical", "sync_replication_slots": True}
    dynamic = {**DYNAMIC, "parameters": wanted}
    for one, conf in ((alpha, alpha.primary_conf()), (beta, beta.standby_conf(alpha))):
        one.server.restart(replace(conf, postgresql=dynamic, hot_standby_feedback=True), deadline=soon())
    alpha.sql("SELECT pg_create_logical_replication_slot('feed', 'pgoutput', false, false, true)")
    until = soon()
    while not (found := [slot for slot in beta.look().slots if slot.synced and not slot.temporary]) and CLOCK.now() < until:
        alpha.sql("SELECT pg_log_standby_snapshot()")
        CLOCK.sleep(Seconds(0.1))
    assert [(slot.name, slot.type, slot.failover) for slot in found] == [("feed", "logical", True)]
    alpha.server.kill()
    beta.server.promote(deadline=soon(), point_of_no_return=lambda: True)
    assert [slot.name for slot in beta.look().slots if slot.failover] == ["feed"]
    assert beta.sql("SELECT slot_name FROM pg_replication_slot_advance('feed', pg_current_wal_lsn())") == [("feed",)]


def test_a_killed_postmaster_is_seen_and_starts_again(alpha: Member) -> None:
    """The pidfd tells at once; backends that outlive the postmaster do not keep the new one from starting."""
    fd, state = alpha.server.postmaster_fd(), alpha.look()
    assert fd is not None and state.postmaster is not None
    assert alpha.server.postmaster_fd() == fd
    os.kill(state.postmaster.pid, signal.SIGKILL)
    down = alpha.look_until(Phase.DOWN)
    assert down.control is not None and down.control.state == "in production"
    alpha.server.start(alpha.primary_conf(), deadline=soon())
    assert alpha.look().phase is Phase.PRIMARY
    assert alpha.server.postmaster_fd() is not None


def test_a_frozen_server_hangs_and_the_look_does_not(alpha: Member) -> None:
    state = alpha.look()
    assert state.postmaster is not None
    (backend,) = alpha.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgctl heartbeat'")[0]
    for pid in (backend, state.postmaster.pid):
        os.kill(pid, signal.SIGSTOP)
    begun = CLOCK.now()
    hung = alpha.server.probe(Seconds(1.0))
    again = alpha.server.probe(Seconds(1.0))
    assert (hung.phase, again.phase) == (Phase.HUNG, Phase.HUNG)
    assert CLOCK.now() - begun < 3.0
    assert "in time" in hung.problem
    for pid in (backend, state.postmaster.pid):
        os.kill(pid, signal.SIGCONT)
    assert alpha.look_until(Phase.PRIMARY).phase is Phase.PRIMARY


def test_a_stop_escalates_when_its_time_is_over(alpha: Member) -> None:
    """A smart stop waits for sessions for ever, unless it is given a deadline."""
    alpha.look()
    begun = CLOCK.now()
    control = alpha.server.stop(StopMode.SMART, checkpoint=False, deadline=soon(0.5))
    assert 0.4 < CLOCK.now() - begun < 5.0
    assert control is not None and control.state == "in production"
    assert alpha.look().phase is Phase.DOWN


def test_a_stop_can_be_called_off(alpha: Member) -> None:
    alpha.look()
    until = soon(0.3)
    with pytest.raises(ServerError, match="cancelled"):
        alpha.server.stop(StopMode.SMART, checkpoint=False, deadline=None, cancelled=lambda: CLOCK.now() > until)
    assert alpha.look().phase is Phase.STOPPING


def test_the_shutdown_checkpoint_is_told_while_the_archiver_still_works(alpha: Member, tmp_path: Path) -> None:
    archive = {"parameters": {"archive_mode": "on", "archive_command": "sleep 1"}}
    conf = alpha.primary_conf(postgresql={**alpha.primary_conf().postgresql, **archive})
    alpha.server.restart(conf, deadline=soon())
    alpha.sql("CREATE TABLE public.t AS SELECT 1 AS n")
    told: list[tuple[float, ControlData]] = []
    alpha.server.stop(
        StopMode.FAST, checkpoint=True, deadline=soon(), on_safe=lambda control: told.append((CLOCK.now(), control))
    )
    assert len(told) == 1 and told[0][1].cleanly_stopped
    assert CLOCK.now() - told[0][0] > 0.5


def failed_start(one: Member, **changes: object) -> ServerError:
    with pytest.raises(ServerError) as caught:
        one.server.start(one.primary_conf(**changes), deadline=soon())
    return caught.value


def test_a_port_in_use_is_named(alpha: Member) -> None:
    stop_fast(alpha)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", alpha.section.port))
        taken.listen()
        begun = CLOCK.now()
        error = failed_start(alpha)
    assert f"port {alpha.section.port} is in use" in error.message
    assert "postgresql.listen" in error.hint
    assert CLOCK.now() - begun < 5.0
    assert str(alpha.section.port) in alpha.look().problem


def test_a_bad_parameter_is_named(alpha: Member) -> None:
    stop_fast(alpha)
    error = failed_start(alpha, postgresql={"parameters": {"work_mem": "a lot"}})
    assert "configuration is wrong" in error.message
    assert "work_mem" in error.detail
    alpha.server.start(alpha.primary_conf(), deadline=soon())
    assert alpha.look().problem == ""


def test_wrong_permissions_are_named(alpha: Member) -> None:
    stop_fast(alpha)
    Path(alpha.section.data_dir).chmod(0o755)
    error = failed_start(alpha)
    assert "permissions" in error.message and "0700" in error.hint


def test_another_versions_data_is_refused(alpha: Member) -> None:
    stop_fast(alpha)
    (Path(alpha.section.data_dir) / "PG_VERSION").write_text("99\n")
    assert "another version" in failed_start(alpha).message


def test_verbs_are_refused_from_the_wrong_phase(alpha: Member) -> None:
    for verb in (
        lambda: alpha.server.start(alpha.primary_conf(), deadline=soon()),
        lambda: alpha.server.promote(deadline=soon(), point_of_no_return=lambda: True),
        lambda: alpha.server.remove_data("test"),
        lambda: alpha.bootstrap(),
    ):
        with pytest.raises(ServerError, match="cannot"):
            verb()
    assert alpha.look().phase is Phase.PRIMARY


def test_a_refused_or_failed_promotion_changes_nothing(pair: tuple[Member, Member]) -> None:
    _, beta = pair
    with pytest.raises(ServerError, match="refused"):
        beta.server.promote(deadline=soon(), point_of_no_return=lambda: False)
    beta.server.use_dynamic({"pre_promote": "false"})
    with pytest.raises(ServerError, match="pre_promote"):
        beta.server.promote(deadline=soon(), point_of_no_return=lambda: True)
    assert beta.look().phase is Phase.STANDBY


def test_configuration_applies_and_shows_what_waits_for_a_restart(alpha: Member) -> None:
    changed = {"parameters": {"max_connections": 60, "work_mem": "5MB"}}
    conf = alpha.primary_conf(postgresql={**alpha.primary_conf().postgresql, **changed})
    assert alpha.server.write_conf(conf, reload=True)
    assert not alpha.server.write_conf(conf, reload=True)
    until = soon(5)
    while not alpha.look().pending_restart and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.02))
    pending = {one.name: (one.old, one.new) for one in alpha.look().pending_restart}
    assert pending == {"max_connections": ("50", "60"), "shared_buffers": ("16MB", "128MB")}
    assert alpha.sql("SHOW work_mem") == [("5MB",)]
    alpha.server.restart(conf, deadline=soon())
    assert alpha.look().pending_restart == ()


@pytest.mark.parametrize("fault, said", [
    ({"parameters": {"work_men": "5MB"}}, 'unrecognized configuration parameter "work_men"'),
    ({"parameters": {"work_mem": "5MBB"}}, 'invalid value for parameter "work_mem"'),
    ({"pg_hba": ["hst all all all trust"]}, 'invalid connection type "hst"'),
])
def test_a_server_that_could_not_start_again_is_not_stopped(
    alpha: Member, fault: dict[str, object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And is told of as soon as it is written, for PostgreSQL itself would only say it at the next start."""
    before = alpha.look().postmaster
    conf = alpha.primary_conf(postgresql={**alpha.primary_conf().postgresql, **fault})
    alpha.server.write_conf(conf, reload=True)
    assert said in caplog.text
    with pytest.raises(ServerError, match="could not start again") as caught:
        alpha.server.restart(conf, deadline=soon())
    assert said in caught.value.detail and caught.value.hint
    assert alpha.look().postmaster == before
    alpha.server.restart(alpha.primary_conf(), deadline=soon())
    assert alpha.look().phase is Phase.PRIMARY


def test_synchronous_names(pair: tuple[Member, Member]) -> None:
    alpha, _ = pair
    alpha.server.write_conf(alpha.primary_conf(sync_names='"beta-1"'), reload=True)
    until = soon(5)
    while not any(sender.sync_state == "sync" for sender in alpha.look().senders) and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.02))
    state = alpha.look()
    assert state.sync_names == '"beta-1"'
    assert [sender.sync_state for sender in state.senders] == ["sync"]


def test_a_standby_keeps_slots_and_moves_them_as_far_as_it_replays(pair: tuple[Member, Member]) -> None:
    """What the core relies on: a standby's own slots can be made, moved and dropped in recovery."""
    alpha, beta = pair
    beta.server.set_slots(SlotPlan(create=(SlotWanted("alpha"), SlotWanted("gamma"))))
    before = {slot.name: slot.restart_lsn for slot in beta.look().slots}
    assert None not in before.values()
    alpha.sql("CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS n")
    assert beta.caught_up(alpha)
    replayed = beta.look().replay_lsn
    assert replayed is not None
    beta.server.set_slots(SlotPlan(advance=(("alpha", replayed), ("gamma", Lsn(replayed + 0x1000000)))))
    after = {slot.name: slot.restart_lsn for slot in beta.look().slots}
    assert after["alpha"] == replayed and replayed <= (after["gamma"] or 0) <= (beta.look().replay_lsn or 0)
    beta.server.set_slots(SlotPlan(drop=("gamma",)))
    assert [slot.name for slot in beta.look().slots] == ["alpha"]


def test_a_slot_that_feedback_went_through_holds_an_xmin_until_it_is_made_anew(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    beta.server.write_conf(replace(beta.standby_conf(alpha), hot_standby_feedback=True), reload=True)
    until = soon()
    while not alpha.look().slots[0].has_xmin and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.05))
    stop_fast(beta)
    (slot,) = alpha.look().slots
    assert slot.has_xmin and not slot.active
    alpha.server.set_slots(SlotPlan(drop=("beta_1",), create=(SlotWanted("beta_1"),)))
    (slot,) = alpha.look().slots
    assert not slot.has_xmin and slot.restart_lsn is not None


def test_slots_are_made_moved_and_dropped(alpha: Member) -> None:
    plan = SlotPlan(create=(SlotWanted("one"), SlotWanted("two")))
    for _ in range(2):
        alpha.server.set_slots(plan)
    position = alpha.look().lsn
    assert position is not None
    alpha.sql("SELECT pg_switch_wal()")
    alpha.server.set_slots(SlotPlan(drop=("one",), advance=(("two", position),)))
    (slot,) = alpha.look().slots
    assert (slot.name, slot.restart_lsn) == ("two", position)
    with pytest.raises(ServerError, match="missing"):
        alpha.server.set_slots(SlotPlan(advance=(("missing", position),), drop=("two",), create=(SlotWanted("three"),)))
    assert [slot.name for slot in alpha.look().slots] == ["three"]


def test_a_failed_clone_leaves_the_directory_as_it_was(alpha: Member, tmp_path: Path, pg_bindir: Path) -> None:
    wrong = Credentials("replicator", "wrong")
    with member(tmp_path, "gamma", pg_bindir, replication=wrong) as gamma:
        data = Path(gamma.section.data_dir)
        data.mkdir(mode=0o700)
        (data / ".keep").touch()
        with pytest.raises(ServerError) as caught:
            gamma.server.clone(alpha.upstream(), gamma.standby_conf(alpha), progress=gamma.said.append)
        assert os.listdir(data) == [".keep"]
        assert "could not clone" in str(caught.value) and "wrong" not in str(caught.value)
        assert gamma.look().phase is Phase.EMPTY


def test_a_failed_bootstrap_sets_its_data_aside(tmp_path: Path, pg_bindir: Path) -> None:
    with member(tmp_path, "delta", pg_bindir) as delta:
        section = BootstrapSection(post_bootstrap="false", initdb=({"locale": "C"}, {"auth": "scram-sha-256"}))
        with pytest.raises(ServerError, match="post_bootstrap"):
            delta.server.bootstrap(section, delta.primary_conf(), progress=delta.said.append)
        assert delta.look().phase is Phase.EMPTY
        assert (tmp_path / "delta" / "data.failed" / "PG_VERSION").exists()
        assert not delta.server.is_running()


@pytest.mark.pg("13")
def test_md5_passwords_by_default_are_explained(tmp_path: Path, pg_bindir: Path) -> None:
    with member(tmp_path, "delta", pg_bindir) as delta:
        section = BootstrapSection(initdb=({"locale": "C"},))
        with pytest.raises(ServerError, match="could not connect") as caught:
            delta.server.bootstrap(section, delta.primary_conf(), progress=delta.said.append)
        assert "password authentication failed" in caught.value.detail
        assert "auth: scram-sha-256" in caught.value.hint


def test_removal_follows_symlinks_of_its_own(alpha: Member, tmp_path: Path) -> None:
    stop_fast(alpha)
    data, wal, space = Path(alpha.section.data_dir), tmp_path / "wal", tmp_path / "space"
    (data / "pg_wal").rename(wal)
    (data / "pg_wal").symlink_to(wal)
    (space / "PG_15_1").mkdir(parents=True)
    (space / "not ours").touch()
    (data / "pg_tblspc" / "16384").symlink_to(space)
    alpha.server.remove_data("a test")
    assert (os.listdir(data), os.listdir(wal), os.listdir(space)) == ([], [], ["not ours"])
    assert alpha.look().phase is Phase.EMPTY


def test_an_unreadable_directory_says_why(alpha: Member) -> None:
    stop_fast(alpha)
    control = Path(alpha.section.data_dir) / "global" / "pg_control"
    control.rename(control.with_name("elsewhere"))
    state = alpha.look()
    assert state.phase is Phase.UNREADABLE and "pg_control" in state.problem
    control.write_bytes(b"")
    assert alpha.look().phase is Phase.UNREADABLE


def test_a_wrong_password_is_a_problem_and_not_an_exception(alpha: Member) -> None:
    alpha.sql("SELECT 1")
    section = replace(alpha.section, superuser=Credentials("postgres", "no"))
    other = type(alpha.server)(section, "test", CLOCK, name="alpha", environment={})
    state = other.probe(Seconds(3.0))
    other.close()
    assert state.phase is Phase.HUNG and "password authentication failed" in state.problem


def test_a_custom_clone_method(alpha: Member, tmp_path: Path, pg_bindir: Path) -> None:
    """The first method fails and leaves nothing, the second copies; no password is among its arguments."""
    script = tmp_path / "copy"
    script.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/told\nfor each; do case $each in --datadir=*) to=${{each#*=}};; '
        f"--connstring=*) from=${{each#*=}};; esac; done\n"
        f'exec {pg_bindir}/pg_basebackup -D "$to" -d "$from" --checkpoint=fast\n'
    )
    script.chmod(0o755)
    methods = {"create_replica_methods": ["bad", "copy"], "bad": {"command": "false"}, "copy": {"command": str(script)}}
    with member(tmp_path, "gamma", pg_bindir) as gamma:
        conf = replace(gamma.standby_conf(alpha), postgresql={**gamma.standby_conf(alpha).postgresql, **methods})
        gamma.server.clone(alpha.upstream(gamma), conf, progress=gamma.said.append)
        assert gamma.look().standby_signal
        gamma.server.start(conf, deadline=soon())
        assert gamma.caught_up(alpha)
    told = (tmp_path / "told").read_text()
    assert "--role=replica" in told and not [word for word in PASSWORDS.values() if word in told]


def test_a_custom_bootstrap_with_recovery(alpha: Member, tmp_path: Path, pg_bindir: Path) -> None:
    """A copy of another server is recovered to its end, and becomes a cluster with the roles and passwords of ours."""
    alpha.sql("CREATE TABLE public.t AS SELECT 7 AS n")
    alpha.sql("ALTER ROLE rewinder PASSWORD NULL")
    stop_fast(alpha)
    with member(tmp_path, "delta", pg_bindir) as delta:
        own = {
            "command": f"cp -a {alpha.section.data_dir} {delta.section.data_dir}",
            "no_params": True,
            "recovery_conf": {"restore_command": "false", "recovery_target_action": "promote"},
        }
        section = BootstrapSection(method="mine", methods={"mine": own})
        delta.server.bootstrap(section, delta.primary_conf(), progress=delta.said.append)
        state = delta.look()
        assert (state.phase, state.timeline) == (Phase.PRIMARY, 2)
        assert delta.sql("SELECT n FROM public.t") == [(7,)]
        assert delta.sql("SELECT rolpassword LIKE 'SCRAM%%' FROM pg_authid WHERE rolname = 'rewinder'") == [(True,)]
        hba = (Path(delta.section.data_dir) / "pg_hba.conf").read_text()
        assert "scram-sha-256" in hba and "host all all ::1/128 trust" not in hba


def test_a_standby_without_upstream_knows_its_timeline(pair: tuple[Member, Member]) -> None:
    alpha, beta = pair
    stop_fast(alpha)
    until = soon(5)
    while beta.look().replication_state is not None and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.02))
    state = beta.look()
    assert (state.phase, state.timeline, state.replication_state) == (Phase.STANDBY, 1, None)
    assert state.lsn is not None and state.lsn == max(state.receive_lsn or 0, state.replay_lsn or 0)


def test_callbacks_and_scripts(alpha: Member, tmp_path: Path) -> None:
    said = tmp_path / "said"
    hook = f"sh -c 'echo $1 $2 $3 >> {said}' --"
    alpha.server.use_dynamic({"callbacks": {"on_start": hook}, "before_stop": f"sh -c 'echo before_stop >> {said}'"})
    alpha.server.run_callback("on_start", "primary")
    until = soon(5)
    while not said.exists() and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.02))
    stop_fast(alpha)
    assert said.read_text() == "on_start primary test\nbefore_stop\n"


@pytest.mark.slow
def test_stops_starts_and_restarts_are_quick(alpha: Member) -> None:
    """Ours to add is next to nothing: what remains is the server's own time."""
    took: dict[str, list[float]] = {"stop": [], "start": [], "restart": []}
    for _ in range(10):
        times = [CLOCK.now()]
        stop_fast(alpha)
        times.append(CLOCK.now())
        alpha.server.start(alpha.primary_conf(), deadline=soon())
        times.append(CLOCK.now())
        alpha.server.restart(alpha.primary_conf(), deadline=soon())
        times.append(CLOCK.now())
        for name, begun, ended in zip(took, times, times[1:], strict=False):
            took[name].append(ended - begun)
    for name, seconds in took.items():
        sys.stdout.write(f"{name} took {' '.join(f'{one:.3f}' for one in seconds)}\n")
    assert sorted(took["restart"])[5] < 1.0


@pytest.mark.slow
def test_twenty_promotions_in_a_row_are_each_quick(pair: tuple[Member, Member]) -> None:
    """Each after a fast stop of the primary, when a startup process may sleep through the order (see `promotion`)."""
    primary, standby = pair
    took = []
    for turn in range(20):
        primary.sql(f"CREATE TABLE public.t{turn} AS SELECT 1")
        assert standby.caught_up(primary)
        stop_fast(primary)
        begun = CLOCK.now()
        standby.server.promote(deadline=soon(), point_of_no_return=lambda: True)
        took.append(CLOCK.now() - begun)
        primary.server.start(primary.standby_conf(standby), deadline=soon())
        primary, standby = standby, primary
        until = soon(10)
        while standby.look().replication_state != "streaming" and CLOCK.now() < until:
            CLOCK.sleep(Seconds(0.02))
    sys.stdout.write(f"promotions took {' '.join(f'{seconds:.3f}' for seconds in took)}\n")
    assert max(took) < 0.5
