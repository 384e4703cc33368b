"""Files and environment → typed sections (config.md 1, 2 to 6, 10, 14; cli.md 1)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgctl.config import load, local
from pgctl.config.sections import Configuration, Credentials
from pgctl.errors import ConfigError
from pgctl.model.member import Tags

BASE: dict[str, Any] = {
    "scope": "prod", "name": "a", "namespace": "/db/",
    "restapi": {"listen": "10.0.0.1:8008", "connect_address": "10.0.0.1:8008"},
    "etcd3": {"hosts": "h:2379"},
    "postgresql": {
        "listen": "10.0.0.1:5432", "connect_address": "10.0.0.1:5432", "data_dir": "/data",
        "authentication": {"replication": {"username": "r", "password": "p", "sslmode": "require", "odd": "x"},
                           "superuser": {"username": "s"}},
    },
}


def written(path: Path, document: Any) -> str:
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return str(path)


def loaded(tmp_path: Path, change: dict[str, Any], environment: dict[str, str] | None = None) -> Configuration:
    return local.read(written(tmp_path / "pgctl.yml", {**BASE, **change}), environment or {})


def test_a_whole_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"tags": {"nofailover": True, "zone": "b"}, "pgctl": {"run_dir": "/run/x"}})
    assert (found.agent.name, found.agent.scope, found.agent.run_dir) == ("a", "prod", "/run/x/prod-a")
    assert found.agent.tags == Tags(nofailover=True, failover_priority=0, published={"nofailover": True, "zone": "b"})
    assert (found.store.kind, found.store.options, found.store.namespace) == ("etcd3", {"hosts": "h:2379"}, "/db/")
    assert (found.rest.listen_host, found.rest.listen_port, found.rest.url) == (
        "10.0.0.1", 8008, "http://10.0.0.1:8008/patroni")
    assert (found.postgres.listen_hosts, found.postgres.port, found.postgres.config_dir) == (("10.0.0.1",), 5432, "/data")
    assert found.postgres.replication == Credentials("r", "p", {"sslmode": "require"})
    assert found.postgres.local == BASE["postgresql"]
    assert found.bootstrap is None and found.ignored == ()


def test_the_environment_wins_over_the_file_and_pgctl_over_patroni(tmp_path: Path) -> None:
    environment = {"PATRONI_NAME": "b", "PATRONI_SCOPE": "other", "PGCTL_SCOPE": "mine", "PATRONI_RESTAPI_LISTEN": "*:1"}
    found = loaded(tmp_path, {}, environment)
    assert (found.agent.name, found.agent.scope) == ("b", "mine")
    assert (found.rest.listen_host, found.rest.listen_port, found.rest.connect_address) == ("", 1, "10.0.0.1:8008")


def test_a_directory_merges_its_files_by_name_and_null_deletes(tmp_path: Path) -> None:
    written(tmp_path / "10.yml", BASE)
    written(tmp_path / "20.yaml", {"etcd3": None, "consul": {}, "postgresql": {"port": 1, "parameters": {"a": 1}}})
    written(tmp_path / "30.conf", {"name": "not read"})
    (tmp_path / "40.yml").mkdir()
    found = local.read(str(tmp_path), {})
    assert (found.agent.name, found.store.kind) == ("a", "consul")
    assert found.postgres.data_dir == "/data" and found.postgres.local["parameters"] == {"a": 1}


def test_of_many_files_the_last_by_name_wins(tmp_path: Path) -> None:
    for number in (15, 19, 11, 17, 13, 10, 18, 12, 16, 14):
        written(tmp_path / f"{number}.yml", {**BASE, "name": f"n{number}"})
    assert local.read(str(tmp_path), {}).agent.name == "n19"


def test_nulls_inside_one_file_are_kept(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"bootstrap": {"dcs": {"slots": {"keep": None}}}}, {"PATRONI_NAME": "b"})
    assert found.bootstrap is not None and found.bootstrap.dcs == {"slots": {"keep": None}}


def test_a_whole_document_in_a_variable_stands_alone(tmp_path: Path) -> None:
    text = yaml.safe_dump(BASE)
    environment = {"PATRONI_CONFIGURATION": text, "PATRONI_NAME": "b"}
    assert local.read(None, environment).agent.name == "a"
    assert local.read(str(tmp_path / "absent.yml"), environment).source == "PATRONI_CONFIGURATION"
    assert local.read(None, {**environment, "PGCTL_CONFIGURATION": text.replace("name: a", "name: z")}).agent.name == "z"


def test_variables_alone() -> None:
    found = local.read(None, {
        "PGCTL_SCOPE": "prod", "PGCTL_NAME": "a", "PGCTL_RESTAPI_LISTEN": "127.0.0.1:8008", "PGCTL_SQLITE_PATH": "/x.db",
        "PGCTL_POSTGRESQL_LISTEN": "127.0.0.1:5432", "PGCTL_POSTGRESQL_DATA_DIR": "/data",
        "RUNTIME_DIRECTORY": "/run/one:/run/two",
    })
    assert (found.store.kind, found.source, found.agent.run_dir) == ("sqlite", "environment", "/run/one/prod-a")
    assert found.rest.connect_address == "127.0.0.1:8008" and found.postgres.connect_address == "127.0.0.1:5432"


def test_a_file_as_people_have_it_loads_unchanged(tmp_path: Path) -> None:
    found = local.read(written(tmp_path / "patroni.yml", """
scope: batman
namespace: /service/
name: postgresql0
log:
restapi:
  listen: 127.0.0.1:8008
  connect_address: 127.0.0.1:8008
  authentication: {username: admin, password: geheim}
etcd3:
  hosts: 127.0.0.1:2379,127.0.0.1:22379
bootstrap:
  dcs:
    ttl: 30
    synchronous_mode: false
    postgresql:
      use_pg_rewind: true
      parameters:
  initdb:
  - encoding: UTF8
  - data-checksums
postgresql:
  listen: 127.0.0.1,::1:5432
  connect_address: 127.0.0.1:5432
  data_dir: data/postgresql0
  pgpass: /tmp/pgpass0
  pg_hba:
  - host replication replicator 127.0.0.1/32 md5
  authentication:
    replication: {username: replicator, password: 1234}
    superuser: {username: postgres, password: geheim}
    rewind: {username: rewind_user, password: geheim}
  parameters:
    unix_socket_directories: '..'
watchdog:
  mode: automatic
tags:
  noloadbalance: false
  clonefrom: false
"""), {})
    assert (found.store.kind, found.store.options["hosts"]) == ("etcd3", "127.0.0.1:2379,127.0.0.1:22379")
    assert found.bootstrap is not None and found.bootstrap.initdb == ({"encoding": "UTF8"}, "data-checksums")
    assert found.bootstrap.dcs["postgresql"] == {"use_pg_rewind": True, "parameters": None}
    assert found.postgres.replication.password == "1234" and found.agent.tags == Tags()
    assert (found.postgres.data_dir, found.postgres.listen_hosts) == ("data/postgresql0", ("127.0.0.1", "::1"))
    assert (found.ignored, found.watchdog.mode) == ((), "automatic")


@pytest.mark.parametrize(("text", "words"), [
    ("a: [", "line 2, column 1"),
    ("password: 'geheim", "is not valid YAML"),
    ("- a", "is not a mapping"),
    ("", "is not a mapping"),
    ("\x01", "is not valid YAML"),
])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        local.read(written(tmp_path / "x.yml", text), {})
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("make", ["absent", "empty_directory", "binary", "nothing"])
def test_nothing_to_load(tmp_path: Path, make: str) -> None:
    path = tmp_path / "x.yml"
    if make == "empty_directory":
        path.mkdir()
    if make == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError):
        local.read(None if make == "nothing" else str(path), {})


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    change = {
        "name": "a/b", "scope": None, "etcd3": None, "log": {"mode": "9", "type": "xml"},
        "restapi": {"listen": "h:port", "authentication": {"username": "u"}, "verify_client": "maybe"},
        "postgresql": {"listen": "*:5432"}, "ctl": {"insecure": "perhaps"}, "watchdog": "on",
    }
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, change)
    told = caught.value.detail.split("; ")
    assert sorted(line.split(":")[0] for line in told) == [
        "ctl.insecure", "etcd3", "log.mode", "log.type", "name", "postgresql.connect_address", "postgresql.data_dir",
        "restapi.authentication.password", "restapi.listen", "restapi.verify_client", "scope", "watchdog",
    ] and len(told) == len(set(told))


@pytest.mark.parametrize(("change", "place"), [
    ({"etcd3": None, "raft": {"self_addr": "x"}}, "raft: is not supported"),
    ({"pgctl": {"run_dir": "/data/run"}}, "pgctl.run_dir: must not be inside the data directory"),
    ({"citus": {"group": 0, "database": "x"}}, "citus: is not supported"),
    ({"etcd3": None, "kubernetes": {}}, "kubernetes.labels: is missing"),
    ({"restapi": "x"}, "restapi.listen: is missing"),
    ({"bootstrap": {"initdb": "data-checksums"}}, "bootstrap.initdb: must be a list"),
    ({"bootstrap": {"pg_hba": "host all"}}, "bootstrap.pg_hba: must be a list"),
    ({"name": "__patroni_strict_sync_replica_placeholder__"}, "name: must not be"),
])
def test_what_is_refused(tmp_path: Path, change: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, change)
    assert place in caught.value.detail


@pytest.mark.parametrize(("sections", "kind"), [
    (("zookeeper", "etcd3"), "etcd3"), (("etcd3", "consul"), "consul"), (("raft", "zookeeper"), "zookeeper"),
    (("exhibitor",), "exhibitor"),
])
def test_of_several_stores_the_first_known_counts(tmp_path: Path, sections: tuple[str, ...], kind: str) -> None:
    assert loaded(tmp_path, {"etcd3": None, **{name: {} for name in sections}}).store.kind == kind


def test_the_older_nesting_of_exhibitor(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"etcd3": None, "zookeeper": {"exhibitor": {"hosts": ["e"], "port": 8181}}})
    assert (found.store.kind, found.store.options) == ("exhibitor", {"hosts": ["e"], "port": 8181})


def test_keys_without_effect_are_listed(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"ttl": 20, "thread_pool_size": 5, "citus": {"group": 1},
                              "postgresql": {**BASE["postgresql"], "use_slots": False}})
    assert found.ignored == ("thread_pool_size", "ttl", "postgresql.use_slots", "citus")


@pytest.mark.parametrize(("listen", "hosts", "port"), [
    ("*:5433", ("*",), 5433), ("a,b:5433", ("a", "b"), 5433), ("a", ("a",), 5432), ("[::1]:1", ("::1",), 1),
    ("127.0.0.1,[::1]:1", ("127.0.0.1", "::1"), 1), (":5433", ("*",), 5433),
])
def test_postgresql_listen(tmp_path: Path, listen: str, hosts: tuple[str, ...], port: int) -> None:
    found = loaded(tmp_path, {"postgresql": {**BASE["postgresql"], "listen": listen}})
    assert (found.postgres.listen_hosts, found.postgres.port) == (hosts, port)


def test_sections_with_meaning_of_their_own(tmp_path: Path) -> None:
    found = loaded(tmp_path, {
        "log": {"mode": 0o640, "level": "debug", "format": ["message"], "loggers": {"x": "DEBUG"}},
        "watchdog": {"mode": False, "safety_margin": -1},
        "bootstrap": {"dcs": {"ttl": 30}, "method": "pitr", "pitr": {"command": "x"}, "initdb": {"encoding": "UTF8"},
                      "post_init": "/y"},
        "restapi": {**BASE["restapi"], "cafile": "/ca", "allowlist": "10.0.0.0/8, h", "server_tokens": "minimal",
                    "authentication": {"username": "u", "password": "p"}},
    })
    assert (found.log.mode, found.log.level, found.log.format) == (0o640, "DEBUG", ("message",))
    assert (found.watchdog.mode, found.watchdog.safety_margin) == ("off", -1)
    assert found.bootstrap is not None
    assert (found.bootstrap.method, found.bootstrap.initdb, found.bootstrap.post_bootstrap) == (
        "pitr", ({"encoding": "UTF8"},), "/y")
    assert (found.rest.allowlist, found.rest.server_tokens) == (("10.0.0.0/8", "h"), "Minimal")
    assert (found.ctl.username, found.ctl.password, found.ctl.cacert) == ("u", "p", "/ca")


def test_an_octal_mode_may_be_text(tmp_path: Path) -> None:
    assert loaded(tmp_path, {}, {"PATRONI_LOG_MODE": "0640"}).log.mode == 0o640


def test_no_secret_is_shown(tmp_path: Path) -> None:
    change = {"restapi": {**BASE["restapi"], "authentication": {"username": "u", "password": "geheim"}},
              "etcd3": {"password": "geheim"}}
    assert "geheim" not in repr(loaded(tmp_path, change, {"PGCTL_SUPERUSER_PASSWORD": "geheim"}))


def test_the_command_line_takes_what_it_needs_and_minds_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path / "x.yml", {"scope": "prod", "consul": {"host": "h"}, "postgresql": "broken"})
    found = load.load_ctl(path, environment={})
    assert found.scope == "prod" and found.store is not None and found.store.kind == "consul"
    assert load.load_ctl(path, insecure=True, environment={}).ctl.insecure


def test_where_the_command_line_looks(tmp_path: Path) -> None:
    one, two = (written(tmp_path / f"{name}.yml", {"scope": name}) for name in ("one", "two"))
    environment = {"PATRONICTL_CONFIG_FILE": one}
    assert load.load_ctl(environment=environment).scope == "one"
    assert load.load_ctl(environment={**environment, "PGCTL_CONFIG_FILE": two}).scope == "two"
    assert load.load_ctl(one, environment={"PGCTL_CONFIG_FILE": two}).scope == "one"
    with pytest.raises(ConfigError):
        load.load_ctl(str(tmp_path / "absent.yml"), environment={})
    with pytest.raises(ConfigError):
        load.load_ctl(environment={"PGCTL_CONFIG_FILE": str(tmp_path / "absent.yml")})


def test_a_url_of_the_store_replaces_the_files(tmp_path: Path) -> None:
    path = written(tmp_path / "x.yml", {"scope": "prod", "consul": {}, "etcd3": {"hosts": ["x:1"], "cacert": "/ca"}})
    by_option = load.load_ctl(path, "etcd3://h:1/ns", environment={"DCS_URL": "consul://never"})
    by_variable = load.load_ctl(path, environment={"DCS_URL": "etcd3://h:1/ns"})
    assert by_option == by_variable and by_option.store is not None
    assert (by_option.store.kind, by_option.store.options) == ("etcd3", {"host": "h:1", "cacert": "/ca"})
    assert (by_option.store.namespace, by_option.store.scope) == ("ns", "prod")


def test_nothing_configured_is_no_error_for_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # that of whoever runs the tests may hold a configuration
    found = load.load_ctl(environment={"PGCTL_CONFIGURATION": "{}"})
    assert (found.scope, found.store) == ("", None)


def test_half_of_the_credentials_is_an_error_for_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path / "x.yml", {"ctl": {"authentication": {"username": "u"}}})
    with pytest.raises(ConfigError, match=r"ctl\.authentication\.password"):
        load.load_ctl(path, environment={})


def test_what_is_ours_is_taken_out_of_the_environment() -> None:
    program = ("import os; from pgctl.config import load; found = load.take_environment();"
               "assert found['PATRONI_SUPERUSER_PASSWORD'] == 'x' and 'PATRONI_SUPERUSER_PASSWORD' not in os.environ;"
               "assert os.environ['PATH'] and load.environment()['PGHOST'] == 'h' and 'SECRET' not in load.environment()")
    environment = {**os.environ, "PATRONI_SUPERUSER_PASSWORD": "x", "PGHOST": "h", "SECRET": "y"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
