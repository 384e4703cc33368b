"""What this host offers a demo: PostgreSQL's programs, a store's, free ports, disk space. Looks only; changes nothing."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count as counting
from itertools import islice
from pathlib import Path

from pgctl.errors import ServerError, UsageError
from pgctl.units import Bytes, show_bytes

NEEDED = ("postgres", "initdb", "pg_basebackup", "pg_controldata", "pg_rewind")
SUPPORTED = range(13, 19)
NODE_SPACE = Bytes(150 * 1024**2)
"""What a new member needs: its data directory, a few WAL segments, and room to look around."""
_FIRST_PORT = 15000
_turns = counting(os.getpid() * 4099)

_INSTALL = (
    ({"debian", "ubuntu"}, "sudo apt-get install -y {debian}"),
    ({"rhel", "fedora", "centos", "rocky", "almalinux", "amzn"}, "sudo dnf install -y {redhat}"),
    ({"alpine"}, "sudo apk add {alpine}"),
    ({"arch"}, "sudo pacman -S {arch}"),
    ({"suse", "opensuse"}, "sudo zypper install -y {suse}"),
)
_POSTGRES = {"debian": "postgresql", "redhat": "postgresql-server", "alpine": "postgresql", "arch": "postgresql",
             "suse": "postgresql-server"}
_STORES = {
    "etcd": {"debian": "etcd-server", "redhat": "etcd", "alpine": "etcd", "arch": "etcd", "suse": "etcd"},
    "consul": {"debian": "consul", "redhat": "consul", "alpine": "consul", "arch": "consul", "suse": "consul"},
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL; `version` as it says itself, such as `15.8`."""

    directory: str
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def refuse_root(uid: int) -> None:
    """Raises UsageError for root, whom PostgreSQL refuses."""
    if uid == 0:
        raise UsageError(
            "PostgreSQL refuses to run as root, so the demo does too",
            hint="Run it as an ordinary user: `make demo` picks one, or use `runuser -u postgres -- pgctl demo`.",
        )


def find_postgres(directories: Iterable[str], release: str) -> Binaries:
    """The first of these directories that holds all programs of a supported version.

    `release` is the text of os-release(5), for the hint. Raises ServerError when nothing usable is found.
    """
    unusable: list[str] = []
    for directory in directories:
        missing = [name for name in NEEDED if not os.access(Path(directory, name), os.X_OK)]
        version = "" if missing else _version(directory)
        if missing:
            unusable.append(f"{directory} lacks {', '.join(missing)}")
        elif version and int(version.split(".")[0]) in SUPPORTED:
            return Binaries(directory, version)
        else:
            unusable.append(f"{directory} holds version {version or 'unknown'}")
    raise ServerError(f"PostgreSQL {SUPPORTED[0]} to {SUPPORTED[-1]} is not installed", detail="; ".join(unusable),
                      hint=f"Install it: {install_command(release, _POSTGRES)}")


def find_store(program: str, path: str | None, release: str) -> str:
    """The program of a store's server. Raises ServerError with the command that installs it."""
    found = shutil.which(program, path=path)
    if found is None:
        raise ServerError(f"{program} is not installed",
                          hint=f"Install it: {install_command(release, _STORES[program])}; or use --dcs sqlite.")
    return found


def install_command(release: str, packages: Mapping[str, str]) -> str:
    """The command that installs a package here, by os-release's ID and ID_LIKE."""
    named = dict(re.findall(r'^(ID|ID_LIKE)="?([^"\n]*)', release, re.MULTILINE))
    likes = set(f"{named.get('ID', '')} {named.get('ID_LIKE', '')}".split())
    for names, command in _INSTALL:
        if names & likes:
            return command.format_map(packages)
    return "with this system's package manager"


def os_release() -> str:
    """The text of os-release(5), or nothing."""
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""


def directories(path: str | None) -> Iterator[str]:
    """Where PostgreSQL's programs may be, best first: PATH, the distribution's versioned directories, pg_config."""
    seen = set()
    in_path = shutil.which("initdb", path=path)
    if in_path:
        seen.add(os.path.dirname(os.path.realpath(in_path)))
        yield os.path.dirname(os.path.realpath(in_path))
    versioned = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    for directory in sorted(versioned, key=lambda found: _number(found.parent.name), reverse=True):
        if str(directory) not in seen and _number(directory.parent.name) in SUPPORTED:
            seen.add(str(directory))
            yield str(directory)
    config = shutil.which("pg_config", path=path)
    if config:
        directory_text = _output([config, "--bindir"])
        if directory_text and directory_text not in seen:
            yield directory_text


def _number(text: str) -> int:
    digits = re.search(r"\d+", text)
    return int(digits.group()) if digits else 0


def _version(directory: str) -> str:
    found = re.search(r"\d+(\.\d+)?", _output([str(Path(directory, "postgres")), "--version"]))
    return found.group() if found else ""


def _output(command: list[str]) -> str:
    """What a harmless program prints; nothing when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of the loopback that nobody uses, all different, and all held until the end.

    None that the kernel gives to outgoing connections: a server that is started later, or again, finds its own free.
    Each process begins elsewhere, so that two who look at the same time do not find the same.
    """
    last = _first_of_outgoing() - 1
    with ExitStack() as stack:
        found: list[int] = []
        for turn in islice(_turns, last - _FIRST_PORT):
            port = _FIRST_PORT + turn % (last - _FIRST_PORT)
            one = stack.enter_context(socket.socket())
            with suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return tuple(found)
    raise ServerError(f"there are no {count} free ports", hint="Look at what listens there: `ss -ltn`.")


def _first_of_outgoing() -> int:
    """Where the ports for outgoing connections begin; at least some thousands remain below."""
    with suppress(OSError, ValueError, IndexError):
        return max(20000, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0]))
    return 32768


def port_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback now."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_space(directory: str, new_members: int, free: Callable[[str], int]) -> None:
    """Raises ServerError when the file system of `directory` cannot hold that many new members."""
    needed, there = NODE_SPACE * new_members, free(directory)
    if there < needed:
        raise ServerError(
            f'not enough disk space in "{directory}"',
            detail=f"{show_bytes(there)} free, {new_members} new members need about {show_bytes(needed)}",
            hint="Use --dir for a directory on another file system, or fewer --nodes.",
        )


def free_space(directory: str) -> int:
    """Bytes that an ordinary user may still write below `directory`, or below its nearest parent that exists."""
    place = Path(directory)
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free
