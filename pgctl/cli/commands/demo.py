"""`pgctl demo`: a real cluster on this host, for trying things out. Needs PostgreSQL and nothing else.

Gathers what the host offers, makes or continues the plan of a directory, and hands over to `cli.demo.run`.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from pgctl.cli.demo import build, files, host, process, show
from pgctl.cli.demo import run as runs
from pgctl.cli.demo.plan import Plan
from pgctl.cli.demo.run import Run
from pgctl.cli.demo.screen import Screen
from pgctl.cli.demo.store import KINDS
from pgctl.clock import Clock, SystemClock
from pgctl.config import load
from pgctl.errors import ExitCode, ServerError, UsageError


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line; None: as it is, or the default."""

    directory: str
    nodes: int | None
    dcs: str | None
    detach: bool
    fresh: bool
    user_file: str
    path: str | None


@click.command("demo")
@click.argument("action", type=click.Choice(["start", "stop", "status"]), default="start")
@click.option("--nodes", type=click.IntRange(1, build.MOST), help="Members of the cluster.  [default: 3]")
@click.option("--dcs", type=click.Choice(["sqlite", *KINDS]),
              help="Where the cluster keeps its state: an embedded file, or a real etcd or Consul.  [default: sqlite]")
@click.option("--dir", "directory", envvar="PGCTL_DEMO_DIR", metavar="DIRECTORY",
              help="Where to keep everything.  [default: ~/.local/share/pgctl/demo]")
@click.option("--detach", is_flag=True, help="Return when the cluster is up, and leave it running.")
@click.option("--fresh", is_flag=True, help="Remove what an earlier demo left, and start anew.")
def demo(action: str, nodes: int | None, dcs: str | None, directory: str | None, detach: bool, fresh: bool) -> None:
    """Try pgctl: three members on this host, started, kept running, and shown.

    Without a word, or with `start`: builds the cluster, or continues the one that is there, and shows it until
    Ctrl-C, which stops it in order; the data stays. `stop` ends one that was left running, `status` tells what runs.
    """
    environment = load.environment()
    wish = Wish(directory or _default_directory(environment), nodes, dcs, detach, fresh,
                environment.get("PGCTL_DEMO_CONFIG", _user_file(environment)), environment.get("PATH"))
    screen = Screen(sys.stdout)
    code = {"start": start, "stop": stop, "status": status}[action](wish, SystemClock(), screen)
    click.get_current_context().exit(code)


def start(wish: Wish, clock: Clock, screen: Screen) -> ExitCode:
    """Builds or continues the demo and, unless detached, shows it until Ctrl-C."""
    host.refuse_root(os.getuid())
    files.check_directory(wish.directory)
    plan = files.read_plan(wish.directory)
    supervisor = runs.supervisor_of(plan) if plan else None
    if plan and supervisor and not wish.fresh:
        _same(plan, wish)
        screen.line(f"The demo in {plan.directory} runs already; `pgctl demo stop` stops it.")
        files.write_user_file(plan, wish.user_file)
        run = Run(plan, clock, screen)
        run.attach(supervisor)
        return ExitCode.DONE if wish.detach else _watch(run, screen)
    if plan and wish.fresh:
        _remove(plan, wish, clock, screen)
        plan = None
    plan = _prepared(plan, wish, clock, screen)
    return _work(plan, wish, clock, screen)


def _work(plan: Plan, wish: Wish, clock: Clock, screen: Screen) -> ExitCode:
    run = Run(plan, clock, screen)
    load.take_environment()  # what is meant for this program must not reach the agents
    try:
        run.begin(wish.detach)
        cluster = run.until_up()
        user_file = files.write_user_file(plan, wish.user_file)
        tips = show.to_try(plan, cluster.leader_name or plan.nodes[0].name, user_file)
        for line in ("", *tips, "", show.where(plan)):
            screen.line(line)
        if wish.detach:
            screen.line("The cluster goes on by itself; `pgctl demo stop` stops it.")
            return ExitCode.DONE
        screen.line("Ctrl-C stops everything.\n")
        run.show()
    except KeyboardInterrupt:
        screen.leave()
        screen.line("\nStopping, the standbys first")
    except ServerError:
        if not wish.detach:
            run.stop()
        raise
    finally:
        run.close()
    return _stopped(plan, run.stop(), wish, screen)


def _watch(run: Run, screen: Screen) -> ExitCode:
    """Shows a demo that is not ours to stop."""
    try:
        run.show()
    except KeyboardInterrupt:
        screen.leave()
        screen.line("\nThe demo goes on; `pgctl demo stop` stops it.")
    finally:
        run.close()
    return ExitCode.DONE


def stop(wish: Wish, clock: Clock, screen: Screen) -> ExitCode:
    """Stops the demo of this directory, whoever started it."""
    plan = files.read_plan(wish.directory)
    if plan is None:
        screen.line(f"There is no demo in {wish.directory}.")
        return ExitCode.DONE
    run = Run(plan, clock, screen)
    supervisor = runs.supervisor_of(plan)
    if supervisor:
        run.attach(supervisor)
    try:
        return _stopped(plan, run.stop(), wish, screen)
    finally:
        run.close()


def _stopped(plan: Plan, all_ended: bool, wish: Wish, screen: Screen) -> ExitCode:
    if not all_ended:
        raise ServerError("some processes of the demo would not end",
                          hint="`pgctl demo status` names them; `pgctl demo stop` tries again.")
    files.remove_user_file(plan, wish.user_file)
    screen.line(f"Everything is stopped. {show.where(plan)}.")
    screen.line("`pgctl demo` continues it; `pgctl demo --fresh` starts anew.")
    return ExitCode.DONE


def status(wish: Wish, clock: Clock, screen: Screen) -> ExitCode:
    """Says what runs; 1 when the demo is stopped or incomplete."""
    plan = files.read_plan(wish.directory)
    if plan is None:
        screen.line(f"There is no demo in {wish.directory}.")
        return ExitCode.FAILED
    running = [name for name, one in files.read_processes(plan).items() if process.alive(one)]
    lines = show.status(plan, sorted(running))
    for line in (*lines, show.where(plan) + "."):
        screen.line(line)
    return ExitCode.DONE if running and len(lines) == 1 else ExitCode.FAILED


def _prepared(plan: Plan | None, wish: Wish, clock: Clock, screen: Screen) -> Plan:
    """A plan whose files are written: a new one, or the one that is there, brought up to date."""
    if plan is None:
        plan = build.new_plan(wish.directory, wish.nodes or 3, wish.dcs or "sqlite", wish.path)
        screen.line(f"Building {len(plan.nodes)} members in {plan.directory}, with PostgreSQL from {plan.bin_dir}")
    else:
        _same(plan, wish)
        plan = build.refresh(plan)
        screen.line(f"Continuing the demo in {plan.directory}")
    files.write_all(plan)
    return plan


def _same(plan: Plan, wish: Wish) -> None:
    """Raises UsageError when the demo that is there is not the one asked for."""
    if wish.nodes not in (None, len(plan.nodes)) or wish.dcs not in (None, plan.dcs):
        raise UsageError(f"there is a demo in {plan.directory} with {len(plan.nodes)} members on {plan.dcs}",
                         hint="Use --fresh to start anew, or --dir for another directory.")


def _remove(plan: Plan, wish: Wish, clock: Clock, screen: Screen) -> None:
    """Stops the earlier demo and removes what it made, nothing else."""
    screen.line(f"Removing the earlier demo in {plan.directory}")
    if stop(wish, clock, screen) is not ExitCode.DONE:
        return
    for entry in files.owned_entries(plan):
        path = Path(plan.path(entry))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _default_directory(environment: Mapping[str, str]) -> str:
    """Below the home directory, or in /tmp for a user who has none."""
    home = environment.get("HOME", "")
    if home and os.access(home, os.W_OK):
        return str(Path(home, ".local", "share", "pgctl", "demo"))
    return f"/tmp/pgctl-demo-{os.getuid()}"


def _user_file(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME", "")
    return str(Path(home, ".config", "pgctl", "pgctl.yaml")) if home else ""
