"""What a host offers: programs found or their lack explained, ports, space, and no root."""

import socket
from pathlib import Path

import pytest

from pgctl.cli.demo import host
from pgctl.errors import ServerError, UsageError

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\n'
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'


def _programs(directory: Path, version: str, leave_out: str = "") -> Path:
    """A directory with programs that say this version."""
    directory.mkdir(parents=True)
    for name in host.NEEDED:
        if name != leave_out:
            (directory / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n", encoding="utf-8")
            (directory / name).chmod(0o755)
    return directory


def test_programs_in_the_path_are_taken(tmp_path: Path) -> None:
    directory = _programs(tmp_path / "bin", "16.4")
    assert next(host.directories(str(directory))) == str(directory)
    found = host.find_postgres([str(directory)], DEBIAN)
    assert (found.directory, found.version, found.major) == (str(directory), "16.4", 16)


def test_a_version_without_a_minor_number_is_understood(tmp_path: Path) -> None:
    assert host.find_postgres([str(_programs(tmp_path / "bin", "18beta1"))], DEBIAN).major == 18


def test_incomplete_and_unknown_installations_are_passed_over(tmp_path: Path) -> None:
    old = _programs(tmp_path / "old", "9.6.24")
    broken = _programs(tmp_path / "broken", "15.1", leave_out="pg_rewind")
    good = _programs(tmp_path / "good", "14.2")
    assert host.find_postgres([str(old), str(broken), str(good)], DEBIAN).directory == str(good)
    with pytest.raises(ServerError) as caught:
        host.find_postgres([str(old), str(broken)], DEBIAN)
    assert "9.6" in caught.value.detail and "pg_rewind" in caught.value.detail
    assert caught.value.hint.endswith("sudo apt-get install -y postgresql")


@pytest.mark.parametrize(("release", "command"), [
    (DEBIAN, "sudo apt-get install -y thing"), (UBUNTU, "sudo apt-get install -y thing"),
    (ROCKY, "sudo dnf install -y other"), ("", "with this system's package manager"),
])
def test_the_command_is_this_systems(release: str, command: str) -> None:
    packages = {"debian": "thing", "redhat": "other", "alpine": "", "arch": "", "suse": ""}
    assert host.install_command(release, packages) == command


@pytest.mark.parametrize("program", ["etcd", "consul"])
def test_a_missing_store_is_explained(tmp_path: Path, program: str) -> None:
    with pytest.raises(ServerError, match=f"{program} is not installed") as caught:
        host.find_store(program, str(tmp_path), DEBIAN)
    assert f"apt-get install -y {program}" in caught.value.hint


def test_root_is_refused_with_the_way_out() -> None:
    host.refuse_root(1000)
    with pytest.raises(UsageError) as caught:
        host.refuse_root(0)
    assert "make demo" in caught.value.hint


def test_ports_are_free_and_different() -> None:
    ports = host.free_ports(20)
    assert len(set(ports)) == 20
    assert all(host.port_free(port) for port in ports)


def test_ports_are_none_that_an_outgoing_connection_may_get_and_are_not_given_twice() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    ports = [*host.free_ports(20), *host.free_ports(20)]
    assert len(set(ports)) == 40 and max(ports) < max(20000, first)


def test_a_taken_port_is_not_free() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        assert not host.port_free(one.getsockname()[1])


def test_too_little_space_is_said_with_both_numbers() -> None:
    host.check_space("/d", 3, lambda _: 3 * host.NODE_SPACE)
    with pytest.raises(ServerError) as caught:
        host.check_space("/d", 3, lambda _: 100 * 1024**2)
    assert "100 MB free" in caught.value.detail and "450 MB" in caught.value.detail


def test_space_is_judged_where_the_directory_will_be(tmp_path: Path) -> None:
    assert host.free_space(str(tmp_path / "not" / "there")) > 0
