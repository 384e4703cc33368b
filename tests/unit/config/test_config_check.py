"""Every fault at once, each with its place (config.md 16.1); and the sample, which has none."""

import socket
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgctl.config import check, local, sample
from pgctl.config.machine import ThisMachine

GOOD: dict[str, Any] = yaml.safe_load(sample.sample())


class Told:
    """A machine on which everything is in order but what a test says."""

    def __init__(self, busy: int = 0, missing: str = "", directory: frozenset[str] | None = None, hidden: str = "") -> None:
        self.busy, self.missing, self.directory, self.hidden = busy, missing, directory, hidden

    def port_free(self, host: str, port: int) -> bool:
        return port != self.busy

    def program(self, name: str, directory: str) -> str | None:
        return None if name == self.missing else f"{directory}/{name}"

    def entries(self, path: str) -> frozenset[str] | None:
        return self.directory

    def readable(self, path: str) -> bool:
        return path != self.hidden


def told(change: dict[str, Any], machine: Told | None = None, *, errors: bool = True) -> list[str]:
    document = deepcopy(GOOD)
    for place, value in change.items():
        *sections, key = place.split(".")
        inner = document
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = value
    return [f"{fault.place}: {fault.message}" for fault in check.faults(document, machine=machine) if fault.error is errors]


def test_the_sample_loads_and_has_no_fault(tmp_path: Path) -> None:
    text = sample.sample(scope="s", name="n", host="10.0.0.7")
    path = tmp_path / "sample.yml"
    path.write_text(text)
    found = local.read(str(path), {})
    assert check.faults(yaml.safe_load(text), machine=Told()) == ()
    assert (found.agent.scope, found.agent.name, found.rest.connect_address) == ("s", "n", "10.0.0.7:8008")
    assert "# ttl: 30  # how long a leader's lease lasts without renewal" in text


@pytest.mark.parametrize(("change", "fault"), [
    ({"restapi.connect_address": "127.0.0.1:8008"}, 'restapi.connect_address: must not be "127.0.0.1"'),
    ({"postgresql.connect_address": "localhost:5432"}, 'postgresql.connect_address: must not be "localhost"'),
    ({"postgresql.connect_address": None}, "postgresql.connect_address: is missing"),
    ({"postgresql.authentication.replication": {}}, "postgresql.authentication.replication.username: is missing"),
    ({"postgresql.pg_hba": "all"}, 'postgresql.pg_hba: must be a list, not "all"'),
    ({"etcd3.use_proxies": "perhaps"}, "etcd3.use_proxies: must be a boolean"),
    ({"log.file_num": "few"}, 'log.file_num: must be a number, not "few"'),
    ({"tags": ["nofailover"]}, "tags: must be a mapping of names to values"),
])
def test_an_error(change: dict[str, Any], fault: str) -> None:
    assert told(change) == [fault]


@pytest.mark.parametrize(("change", "fault"), [
    ({"postgresql.paramters": {}}, 'postgresql.paramters: unknown key (did you mean "parameters"?)'),
    ({"restapi.conect_address": "x"}, 'restapi.conect_address: is no known key (did you mean "connect_address"?)'),
    ({"restapi.authentication.user": "x"}, 'restapi.authentication.user: is no known key (did you mean "username"?)'),
    ({"zzz": 1}, "zzz: is no known key"),
    ({"ttl": 20}, "ttl: has no effect in a member's own file"),
    ({"log.max_queue_size": 5}, "log.max_queue_size: has no effect: length of a queue that does not exist here"),
    ({"bootstrap.dcs.loop_wiat": 5}, 'bootstrap.dcs: unknown key "loop_wiat" (did you mean "loop_wait"?)'),
    ({"postgresql.use_slots": False}, "postgresql.use_slots: has no effect here: it is set in the cluster's settings"),
    ({"tags": {"nofailover": True, "failover_priority": 1}},
     "tags: nofailover and failover_priority are both given: nofailover wins"),
    ({"consul": {}}, "etcd3: has no effect, for consul is configured too"),
    ({"watchdog.mode": "sometimes"},
     'watchdog.mode: must be automatic, off or required, not "sometimes": off is used'),
])
def test_a_warning(change: dict[str, Any], fault: str) -> None:
    assert (told(change), told(change, errors=False)) == ([], [fault])


def test_custom_tags_and_clone_methods_are_no_unknown_keys() -> None:
    change = {"tags": {"zone": "b"}, "postgresql.create_replica_methods": ["barman"], "postgresql.barman": {"command": "x"}}
    assert told(change) == told(change, errors=False) == []


@pytest.mark.parametrize(("change", "machine", "fault"), [
    ({}, Told(busy=8008), "restapi.listen: cannot be listened on: port 8008 is in use, or the address not this host's"),
    ({}, Told(busy=5432), "postgresql.listen: cannot be listened on: port 5432 is in use, or the address not this host's"),
    ({}, Told(missing="pg_basebackup"), "postgresql.bin_dir: has no program pg_basebackup: looked in the search path"),
    ({}, Told(directory=frozenset({"lost+found"})),
     "postgresql.data_dir: is neither empty nor a server's: /var/lib/postgresql/data"),
    ({"restapi.certfile": "/cert"}, Told(hidden="/cert"), "restapi.certfile: cannot be read: /cert"),
    ({"log.dir": "/logs"}, Told(), "log.dir: is no directory: /logs"),
])
def test_what_the_machine_tells(change: dict[str, Any], machine: Told, fault: str) -> None:
    assert told(change, machine) == [fault]


@pytest.mark.parametrize("machine", [
    Told(missing="pg_rewind"), Told(directory=frozenset()), Told(directory=frozenset({"PG_VERSION", "pg_wal", "base"}))])
def test_what_is_in_order(machine: Told) -> None:
    assert told({}, machine) == []


def test_ports_may_be_in_use_when_that_is_expected() -> None:
    assert check.faults(GOOD, machine=Told(busy=5432), listen_ports=False) == ()


def test_the_environment_counts_and_its_faults_are_told() -> None:
    document = deepcopy(GOOD)
    del document["name"]
    assert check.faults(document, environment={"PATRONI_NAME": "a"}) == ()
    found = check.faults(GOOD, environment={"PATRONI_LOG_FILE_NUM": "few"})
    assert [fault.place for fault in found] == ["environment"]


def test_errors_come_before_warnings_and_none_twice() -> None:
    found = check.faults({"zzz": 1, "restapi": {"authentication": {"password": "p"}}})
    assert [fault.error for fault in found] == sorted((fault.error for fault in found), reverse=True)
    assert len(found) == len(set(found)) > 5


def test_addresses_of_one_host_are_fine_for_a_store_of_one_host() -> None:
    document = deepcopy(GOOD) | {"sqlite": {"path": "/x"}}
    del document["etcd3"]
    document["restapi"]["connect_address"] = "127.0.0.1:8008"
    assert check.faults(document) == ()


def test_redacted_shows_no_secret() -> None:
    document = {
        "restapi": {"authentication": {"username": "u", "password": "x"}, "keyfile_password": "x"},
        "consul": {"token": "x"},
    }
    assert check.redacted(document) == {
        "restapi": {"authentication": {"username": "u", "password": "***"}, "keyfile_password": "***"},
        "consul": {"token": "***"},
    }


def test_this_machine(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not ThisMachine().port_free("127.0.0.1", port)
    assert ThisMachine().port_free("127.0.0.1", port)
    assert not ThisMachine().port_free("no such host", port)
    assert ThisMachine().program("tool", str(tmp_path)) == f"{tmp_path}/tool"
    assert ThisMachine().program("other", str(tmp_path)) is None
    assert ThisMachine().entries(str(tmp_path)) == frozenset({"tool"})
    assert ThisMachine().entries(f"{tmp_path}/none") is None
    assert ThisMachine().readable(f"{tmp_path}/tool") and not ThisMachine().readable(f"{tmp_path}/none")
