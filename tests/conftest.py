"""Options and markers for all tests, and why a test that needs more than Python is skipped on this host.

A test says what it needs by a marker; nothing here starts or fakes a service.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from tests.contract import services, services_kubernetes


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what the scenarios give now, to be read before commit")
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_configure() -> None:
    # A shell has what it runs in the background ignore Ctrl-C; tests send it, and their processes inherit what we have.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _examples(os.environ.get("PGCTL_LAWS", ""))
    _use_postgresql()


def _examples(more: str) -> None:
    """Each run tries laws with the same examples, so that a failure is the change's; PGCTL_LAWS=9000: so many others."""
    hypothesis.settings.register_profile("house", deadline=None, max_examples=int(more or 300), derandomize=not more)
    hypothesis.settings.load_profile("house")


def _use_postgresql() -> None:
    """PGCTL_PG_BINDIR names the one PostgreSQL to test with. First in PATH, so that what tests start finds it too."""
    if named := os.environ.get("PGCTL_PG_BINDIR"):
        if not os.access(Path(named, "postgres"), os.X_OK):
            raise pytest.UsageError(f'PGCTL_PG_BINDIR: there is no program postgres in "{named}"')
        os.environ["PATH"] = f"{named}{os.pathsep}{os.environ.get('PATH', '')}"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End-to-end tests mind the time, so under `pytest -n ... --dist loadgroup` one worker runs them one by one."""
    for item in items:
        if item.get_closest_marker("e2e") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("e2e"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = _missing(item)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def newest_bindir() -> Path:
    """The programs of the newest PostgreSQL here."""
    found = _servers("")
    if not found:
        pytest.skip("needs a PostgreSQL, and there is none on this host")
    return found[max(found)]


@pytest.fixture
def pg_bindir(request: pytest.FixtureRequest) -> Path:
    """The programs of the newest PostgreSQL here that fits the test's `pg` marker, if it has one."""
    marker = request.node.get_closest_marker("pg")
    found = _servers(marker.args[0] if marker else "")
    if not found:
        pytest.skip("needs a PostgreSQL, and there is none on this host")
    return found[max(found)]


def _missing(item: pytest.Item) -> str:
    """What the test needs and this host has not; empty when there is nothing."""
    if item.get_closest_marker("slow") and not item.config.getoption("--slow"):
        return "slow: runs with --slow"
    server = item.get_closest_marker("pg")
    if server or item.get_closest_marker("e2e"):
        spec = server.args[0] if server else ""
        if os.getuid() == 0:
            return "PostgreSQL refuses to run as root: `make test` runs this as somebody else"
        if not _servers(spec):
            have = ", ".join(map(str, _servers(""))) or "none"
            return f"needs a PostgreSQL {spec} on this host, there is {have}"
    for store in item.iter_markers("store"):
        if not _STORES[store.args[0]]():
            return f"needs the server of {store.args[0]} on this host"
    return ""


def _servers(spec: str) -> dict[int, Path]:
    """The PostgreSQL installations here by major version, those that fit `spec`; a comma in it means *and*."""
    return {major: path for major, path in _installed().items() if _fits(major, spec)}


@cache
def _installed() -> dict[int, Path]:
    """By major version. PATH comes first, then where Debian's and the project's own packages put them."""
    places = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep)]
    places += [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    if named := os.environ.get("PGCTL_PG_BINDIR"):
        places = [Path(named)]
    found: dict[int, Path] = {}
    for place in places:
        # A link in PATH leads to where all the programs are.
        program = (place / "postgres").resolve()
        if os.access(program, os.X_OK):
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            if version := re.search(r"\(PostgreSQL\) (\d+)", said):
                found.setdefault(int(version[1]), program.parent)
    return found


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": int.__ge__,
    "<=": int.__le__,
    ">": int.__gt__,
    "<": int.__lt__,
    "!=": int.__ne__,
    "==": int.__eq__,
    "": int.__eq__,
}


def _fits(major: int, spec: str) -> bool:
    """Raises ValueError when the spec cannot be read: a test that never runs would not be noticed."""
    for part in filter(None, (each.strip() for each in spec.split(","))):
        read = re.fullmatch(r"(>=|<=|>|<|==|!=|)\s*(\d+)", part)
        if read is None:
            raise ValueError(f'cannot read "{part}" in a pg marker')
        if not _COMPARE[read[1]](major, int(read[2])):
            return False
    return True


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _zookeeper() -> bool:
    """Debian's package has no program in PATH: a jar, and java."""
    return _program("zkServer.sh")() or (_program("java")() and Path("/usr/share/java/zookeeper.jar").exists())


def _always() -> bool:
    return True


_STORES: dict[str, Callable[[], bool]] = {
    "inproc": _always,
    "sqlite": _always,
    "etcd": _program("etcd"),
    "etcd2": _program("etcd"),
    "etcd3": _program("etcd"),
    "consul": lambda: bool(services.find("consul")),
    "zookeeper": _zookeeper,
    "kubernetes": lambda: bool(services_kubernetes.find()),
}
