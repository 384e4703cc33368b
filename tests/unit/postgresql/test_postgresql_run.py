"""`run`: deadlines, lines, cancellation, what becomes of children; `callbacks` on top of it."""

import os
import sys
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import PostgresSection
from pgctl.errors import ServerError
from pgctl.postgresql import options, run
from pgctl.postgresql.callbacks import Callbacks
from pgctl.postgresql.run import Finished
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant, Seconds

CLOCK = SystemClock()
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def soon(seconds: float = 10.0) -> Instant:
    return Instant(CLOCK.now() + seconds)


def sh(script: str, **changes: object) -> Finished:
    given: dict[str, object] = {"clock": CLOCK, "environment": ENVIRONMENT, "deadline": soon()}
    return run.run(["/bin/sh", "-c", script], **(given | changes))  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """A zombie that nobody reaps is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    until = soon(5)
    while alive(pid) and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.01))
    return not alive(pid)


def test_status_and_lines_of_both_streams() -> None:
    said: list[str] = []
    done = sh(r"echo one; echo two >&2; printf '10%%\r20%%\rlast'; exit 3", on_line=said.append)
    assert (done.status, done.ok) == (3, False)
    assert said == list(done.lines) == ["one", "two", "10%", "20%", "last"]


def test_children_see_the_c_locale_unless_they_are_to_see_ours() -> None:
    environment = ENVIRONMENT | {"LC_ALL": "en_US.UTF-8"}
    assert sh("echo $LC_ALL", environment=environment).lines == ("C",)
    assert sh("echo $LC_ALL", environment=environment, own_locale=True).lines == ("en_US.UTF-8",)


def test_a_deadline_ends_the_whole_group(tmp_path: Path) -> None:
    begun = CLOCK.now()
    with pytest.raises(ServerError, match="in time"):
        sh(f"sleep 60 & echo $! > {tmp_path}/pid; wait", deadline=soon(0.3))
    assert CLOCK.now() - begun < 5
    assert gone(int((tmp_path / "pid").read_text()))


def test_cancellation_ends_it_too() -> None:
    until = soon(0.2)
    with pytest.raises(ServerError, match="cancelled"):
        sh("sleep 60", deadline=None, cancelled=lambda: CLOCK.now() > until)


def test_a_child_that_ignores_the_request_is_killed() -> None:
    begun = CLOCK.now()
    with pytest.raises(ServerError, match="in time"):
        sh("trap '' TERM; while :; do sleep 0.1; done", deadline=soon(0.2))
    assert CLOCK.now() - begun < 10


def test_a_grandchild_that_keeps_the_stream_open_is_not_waited_for(tmp_path: Path) -> None:
    begun = CLOCK.now()
    assert sh(f"sleep 5 & echo $! > {tmp_path}/pid; echo done").lines == ("done",)
    assert CLOCK.now() - begun < 3
    os.kill(int((tmp_path / "pid").read_text()), 9)


@pytest.mark.parametrize("program", ["/nowhere/initdb", "no-such-program"])
def test_what_cannot_be_executed_is_named(program: str) -> None:
    with pytest.raises(ServerError) as caught:
        run.run([program], clock=CLOCK, environment=ENVIRONMENT, deadline=soon())
    assert program in caught.value.message and "bin_dir" in caught.value.hint


def test_a_detached_program_is_not_our_child(tmp_path: Path) -> None:
    output = tmp_path / "out file"
    command = [sys.executable, "-c", "import os, sys; print(os.getppid(), sys.argv[1], flush=True); sys.stdin.read()", "a b"]
    pid = run.detach(command, output, environment=ENVIRONMENT, within=Seconds(5.0))
    until = soon(5)
    while not (output.exists() and output.read_text().endswith("a b\n")) and CLOCK.now() < until:
        CLOCK.sleep(Seconds(0.01))
    assert output.read_text().endswith("a b\n")
    assert gone(pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_detached_program_needs_its_output(tmp_path: Path) -> None:
    pid = run.detach(["/bin/sleep", "60"], tmp_path / "missing" / "out", environment=ENVIRONMENT, within=Seconds(5.0))
    assert gone(pid)


def test_what_children_may_see() -> None:
    seen = child_environment(
        {
            "PATRONI_X": "1",
            "PGCTL_Y": "2",
            "NOTIFY_SOCKET": "3",
            "PG_MALLOC_ARENA_MAX": "4",
            "HOME": "5",
            "KUBERNETES_Z": "6",
        }
    )
    assert seen == {"HOME": "5", "MALLOC_ARENA_MAX": "4"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(PostgresSection(str(tmp_path / "data")), "main", "alpha", CLOCK, ENVIRONMENT)


def ended(callbacks: Callbacks, seconds: float = 5.0) -> bool:
    until = soon(seconds)
    while callbacks.running and CLOCK.now() < until:
        callbacks.reap()
        CLOCK.sleep(Seconds(0.01))
    return not callbacks.running


def test_a_callback_is_told_action_role_and_scope(site: Site, tmp_path: Path) -> None:
    script = f"sh -c 'echo \"$@\" > {tmp_path}/said' --"
    callbacks = Callbacks(site)
    callbacks.run(options.merge({"callbacks": {"on_start": script}}, {}), "on_start", "replica")
    callbacks.run(options.merge({}, {}), "on_stop", "replica")
    assert ended(callbacks)
    assert (tmp_path / "said").read_text() == "on_start replica main\n"


def test_a_new_callback_ends_the_one_that_runs_but_a_reload_has_its_own_place(site: Site, tmp_path: Path) -> None:
    slow = {name: f"sh -c 'echo $$ > {tmp_path}/{name}; exec sleep 60'" for name in ("on_start", "on_reload", "on_stop")}
    found, callbacks = options.merge({"callbacks": slow}, {}), Callbacks(site)
    pids = {}
    for name in ("on_start", "on_reload", "on_stop"):
        callbacks.run(found, name, "primary")
        until = soon(5)
        while not ((tmp_path / name).exists() and (tmp_path / name).read_text()) and CLOCK.now() < until:
            CLOCK.sleep(Seconds(0.01))
        pids[name] = int((tmp_path / name).read_text())
    assert gone(pids["on_start"]) and alive(pids["on_reload"]) and alive(pids["on_stop"])
    assert set(callbacks.running) == {"on_reload", "on_stop"}
    for name in ("on_reload", "on_stop"):
        os.kill(pids[name], 9)
    assert ended(callbacks)


@pytest.mark.parametrize(
    ("command", "well"), [("", True), ("true", True), ("false", False), ("/nowhere", False), ("'", False)]
)
def test_pre_promote_says_whether_to_go_on(site: Site, command: str, well: bool) -> None:
    assert Callbacks(site).run_and_wait(options.merge({"pre_promote": command}, {}), "pre_promote", soon()) is well


def test_before_stop_has_a_deadline(site: Site) -> None:
    begun = CLOCK.now()
    assert not Callbacks(site).run_and_wait(options.merge({"before_stop": "sleep 60"}, {}), "before_stop", soon(0.2))
    assert CLOCK.now() - begun < 5
