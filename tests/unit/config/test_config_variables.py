"""Environment variables → the document they stand for (config.md 1.3)."""

import pytest

from pgctl.config import variables


@pytest.mark.parametrize(("given", "document"), [
    ({"PATRONI_SCOPE": "prod", "PATRONI_NAME": "a"}, {"scope": "prod", "name": "a"}),
    ({"PATRONI_NAME": "a", "PGCTL_NAME": "b"}, {"name": "b"}),
    ({"PATRONI_RESTAPI_USERNAME": "u", "PGCTL_RESTAPI_PASSWORD": "p"},
     {"restapi": {"authentication": {"username": "u", "password": "p"}}}),
    ({"PATRONI_REPLICATION_USERNAME": "r", "PATRONI_REWIND_SSLMODE": "require"},
     {"postgresql": {"authentication": {"replication": {"username": "r"}, "rewind": {"sslmode": "require"}}}}),
    ({"PATRONI_POSTGRESQL_BIN_PG_ISREADY": "x"}, {"postgresql": {"bin_name": {"pg_isready": "x"}}}),
    ({"PATRONI_ETCD3_HOSTS": "a:2379,b:2379"}, {"etcd3": {"hosts": ["a:2379", "b:2379"]}}),
    ({"PATRONI_ETCD3_HOSTS": "'a:2379', 'b:2379'"}, {"etcd3": {"hosts": ["a:2379", "b:2379"]}}),
    ({"PATRONI_ETCD3_HOSTS": "[a:2379]"}, {"etcd3": {"hosts": ["a:2379"]}}),
    ({"PATRONI_ETCD3_HOSTS": "[::1]:2379,b:2379"}, {"etcd3": {"hosts": ["[::1]:2379", "b:2379"]}}),
    ({"PATRONI_ETCD_HOST": "a:2379", "PATRONI_ETCD_USE_PROXIES": "on"}, {"etcd": {"host": "a:2379", "use_proxies": True}}),
    ({"PATRONI_ZOOKEEPER_USE_SSL": "true"}, {"zookeeper": {"use_ssl": True}}),
    ({"PATRONI_KUBERNETES_LABELS": "app: pg, tier: db"}, {"kubernetes": {"labels": {"app": "pg", "tier": "db"}}}),
    ({"PATRONI_KUBERNETES_LABELS": "{app: pg}"}, {"kubernetes": {"labels": {"app": "pg"}}}),
    ({"PATRONI_ETCD_HOST": "", "PATRONI_SCOPE": ""}, {}),
    ({"PATRONI_LOGLEVEL": "DEBUG"}, {"log": {"level": "DEBUG"}}),
    ({"PATRONI_LOGLEVEL": "DEBUG", "PATRONI_LOG_LEVEL": "INFO"}, {"log": {"level": "INFO"}}),
    ({"PATRONI_LOGFORMAT": "%(message)s", "PGCTL_LOGFORMAT": "json"}, {"log": {"format": "%(message)s", "type": "json"}}),
    ({"PATRONI_LOG_TYPE": "json", "PGCTL_LOGFORMAT": "text"}, {"log": {"type": "plain"}}),
    ({"PATRONI_LOG_FILE_SIZE": "25MB"}, {"log": {"file_size": 26214400}}),
    ({"PATRONI_LOG_FORMAT": "[message, {levelname: level}]"}, {"log": {"format": ["message", {"levelname": "level"}]}}),
    ({"PATRONI_UNHEARD_OF": "x", "PATH": "/bin"}, {}),
])
def test_document(given: dict[str, str], document: dict[str, object]) -> None:
    assert variables.document(given) == (document, ())


@pytest.mark.parametrize(("given", "sentence"), [
    ({"PATRONI_LOG_FILE_NUM": "few"}, 'PATRONI_LOG_FILE_NUM must be a number, and "few" is none'),
    ({"PATRONI_CTL_INSECURE": "perhaps"}, 'PATRONI_CTL_INSECURE must be a boolean, and "perhaps" is none'),
    ({"PATRONI_KUBERNETES_LABELS": "]"}, 'PATRONI_KUBERNETES_LABELS must be a mapping, and "]" is none'),
    ({"PGCTL_LOGFORMAT": "xml"}, 'PGCTL_LOGFORMAT must be text or json, not "xml"'),
])
def test_a_value_that_cannot_be_used_is_told_and_left_out(given: dict[str, str], sentence: str) -> None:
    assert variables.document(given) == ({}, (sentence,))


@pytest.mark.parametrize(("name", "ours"), [
    ("PATRONI_SUPERUSER_PASSWORD", True), ("PGCTL_RESTAPI_PASSWORD", True), ("PATRONI_CONFIGURATION", True),
    ("PATRONI_LOGLEVEL", True), ("PATRONI_UNHEARD_OF", False), ("PGPASSWORD", False), ("PATH", False),
])
def test_which_variables_are_ours(name: str, ours: bool) -> None:
    assert variables.recognised(name) is ours
