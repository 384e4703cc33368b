"""The files of a demo's directory: written whole by rename, for their owner only, never over a stranger's file."""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from pgctl.cli.demo import plan as plans
from pgctl.cli.demo import process
from pgctl.cli.demo.plan import Plan
from pgctl.cli.demo.process import Process
from pgctl.errors import ConfigError, ServerError

_OWNER_ONLY = 0o600
_OF = "# of the demo in "


def read_plan(directory: str) -> Plan | None:
    """The plan of the demo in `directory`; None when there is none. Raises ConfigError when it is unreadable."""
    text = _read(Path(directory, "demo.json"))
    if text is None:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    return plans.from_document(document, directory)


def write_all(plan: Plan) -> None:
    """Writes the plan and every file that follows from it. Raises ServerError when that fails."""
    try:
        for part in ("dcs", *(node.name for node in plan.nodes)):
            os.makedirs(plan.path(part), mode=0o700, exist_ok=True)
        os.chmod(plan.directory, 0o700)
        _write(Path(plan.path("demo.json")), json.dumps(plans.to_document(plan), indent=1) + "\n")
        for node in plan.nodes:
            _write(Path(plan.agent_file(node)), _yaml(plans.agent_document(plan, node)))
        _write(Path(plan.ctl_file), _yaml(plans.ctl_document(plan)))
        _write(Path(plan.path("pgpass")), plans.pgpass_text(plan))
    except OSError as error:
        raise ServerError(f'cannot write the directory "{plan.directory}"', detail=error.strerror or str(error),
                          hint="Use --dir for a directory that you can write.") from error


def write_user_file(plan: Plan, target: str) -> bool:
    """Makes plain `pgctl list` find this demo, through the user's own configuration file.

    False when it cannot be written, holds something that no demo wrote, or leads to another demo that runs: then it is
    left alone. An empty `target` means that there is to be none.
    """
    if not target:
        return False
    path = Path(target)
    try:
        there = _read(path)
        if there is not None and (not there.startswith(plans.MARK) or _anothers(plan, there)):
            return False
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        _write(path, _user_text(plan))
    except (OSError, ConfigError):
        return False
    return True


def _user_text(plan: Plan) -> str:
    return f"{_yaml(plans.ctl_document(plan))}{_OF}{plan.directory}\n"


def _anothers(plan: Plan, there: str) -> bool:
    """Whether this text leads to another demo, of which something still runs."""
    directory = there.rstrip("\n").rpartition(_OF)[2] if _OF in there else ""
    if not directory or directory == plan.directory:
        return False
    other = read_plan(directory)
    return other is not None and any(process.alive(one) for one in read_processes(other).values())


def remove_user_file(plan: Plan, target: str) -> None:
    """Takes back what `write_user_file` wrote, if it is still that."""
    try:
        if _read(Path(target)) == _user_text(plan):
            os.unlink(target)
    except (OSError, ConfigError):
        return


def read_processes(plan: Plan) -> Mapping[str, Process]:
    """The processes that the supervisor recorded, itself as `supervisor`; they may have ended since."""
    text = _read(Path(plan.path("processes.json")))
    try:
        document = json.loads(text) if text else {}
        return {str(name): Process(int(pid), int(started)) for name, (pid, started) in document.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def write_processes(plan: Plan, processes: Mapping[str, Process]) -> None:
    _write(Path(plan.path("processes.json")), json.dumps({name: (p.pid, p.started) for name, p in processes.items()}))


def take_lock(plan: Plan) -> int | None:
    """Locks the directory for one supervisor, until the returned descriptor closes; None when another has it."""
    descriptor = os.open(plan.path("demo.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def last_line(path: str) -> str:
    """The last line of a log file that holds anything; nothing when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def owned_entries(plan: Plan) -> Iterable[str]:
    """What the demo made in its directory: all that `--fresh` may remove."""
    return (*(node.name for node in plan.nodes), "dcs", "demo.json", "processes.json", "demo.log",
            "pgctl.yaml", "pgpass")


def check_directory(directory: str) -> None:
    """Raises ConfigError when `directory` holds something that no demo made."""
    path = Path(directory)
    if path.exists() and not path.is_dir():
        raise ConfigError(f'"{directory}" is not a directory', hint="Use --dir for another place.")
    if path.is_dir() and any(path.iterdir()) and not Path(directory, "demo.json").exists():
        raise ConfigError(f'"{directory}" is not empty, and no demo made it',
                          hint="Use --dir for an empty or a new directory: nothing here was touched.")


def _yaml(document: Mapping[str, object]) -> str:
    return f"{plans.MARK}\n{yaml.safe_dump(document, sort_keys=False)}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'cannot read "{path}"', detail=str(error)) from error


def _write(path: Path, text: str) -> None:
    """Replaces the file by rename: a reader sees the old text or the new one."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, _OWNER_ONLY)
        file.write(text)
    os.replace(beside, path)
