"""A store's leader that is cut off from the other servers, in network namespaces, and is still asked."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.contract import services, services_consul, services_zookeeper
from tests.contract.apart import APART, KINDS


def _zookeeper() -> None:
    if not services_zookeeper.there():
        pytest.skip(services_zookeeper.HINT)


NEEDS: Mapping[str, Callable[[], object]] = {
    "etcd3": services.etcd_program, "etcd": services.etcd_program, "consul": services_consul.consul_program,
    "zookeeper": _zookeeper,
}


LONG = ("etcd", "consul")
"""What etcd3 shows already; and servers that may take half a minute to find each other again."""


@cache
def why_not() -> str:
    """Why a user may make no network of their own here; empty when they may."""
    if missing := [name for name in (APART[0], "nsenter", "ip", "mount") if shutil.which(name) is None]:
        return f"needs {', '.join(missing)}: apt-get install util-linux iproute2"
    tried = subprocess.run([*APART, "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, text=True, timeout=10,
                           check=False)
    return f"needs namespaces that a user may make: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.mark.parametrize("kind", [
    pytest.param(kind, marks=pytest.mark.slow) if kind in LONG else kind for kind in KINDS])
def test_a_leader_of_the_store_that_was_cut_off_tells_nothing_old_and_lends_nothing(kind: str, tmp_path: Path) -> None:
    """Of its holder's belief as of its values; and all is well once it hears from the others again."""
    if reason := why_not():
        pytest.skip(reason)
    NEEDS[kind]()
    seen = subprocess.run([*APART, sys.executable, "-m", "tests.contract.apart", kind, str(tmp_path)],
                          capture_output=True, text=True, timeout=240, check=False)
    assert seen.returncode == 0, seen.stdout + seen.stderr
