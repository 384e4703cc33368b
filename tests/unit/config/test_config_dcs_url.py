"""The command line's URL of a store (cli.md 1.8 to 1.12)."""

import pytest

from pgctl.config import dcs_url
from pgctl.errors import ConfigError

FILE: dict[str, object] = {
    "scope": "prod",
    "namespace": "/db/",
    "etcd3": {"hosts": ["x:1"], "cacert": "/ca", "username": "u", "password": "p", "protocol": "https"},
    "consul": {"host": "x:1", "token": "t"},
    "kubernetes": {"labels": {"app": "pg"}, "namespace": "one"},
}


@pytest.mark.parametrize(("url", "kind", "options", "namespace"), [
    ("etcd3://h:2380/ns", "etcd3", {"host": "h:2380"}, "ns"),
    ("etcd3://h", "etcd3", {"host": "h:2379"}, "service"),
    ("etcd://h", "etcd", {"host": "h:2379"}, "service"),
    ("h", "etcd3", {"host": "h:2379"}, "service"),
    ("h:2379", "etcd3", {"host": "h:2379"}, "service"),
    ("h:2181", "zookeeper", {"hosts": ["h:2181"]}, "service"),
    ("h:8500", "consul", {"host": "h:8500"}, "service"),
    ("h:8181", "exhibitor", {"hosts": ["h"], "port": 8181}, "service"),
    ("h:9999", "etcd3", {"host": "h:9999"}, "service"),
    (":8500/ns", "consul", {"host": "localhost:8500"}, "ns"),
    ("consul://", "consul", {"host": "localhost:8500"}, "service"),
    ("etcd3://[::1]:1", "etcd3", {"host": "[::1]:1"}, "service"),
    ("etcd3://a:1,b", "etcd3", {"hosts": ["a:1", "b:2379"]}, "service"),
    ("etcd3://m%65:s%40cret@h", "etcd3", {"host": "h:2379", "username": "me", "password": "s@cret"}, "service"),
    ("sqlite:///var/lib/pgctl.db", "sqlite", {"path": "/var/lib/pgctl.db"}, "service"),
    ("kubernetes://ns?labels=app=pg,tier=db", "kubernetes", {"namespace": "ns", "labels": {"app": "pg", "tier": "db"}},
     "service"),
])
def test_a_url_without_a_file(url: str, kind: str, options: dict[str, object], namespace: str) -> None:
    found = dcs_url.section(url, {})
    assert (found.kind, found.options, found.namespace) == (kind, options, namespace)


def test_tls_and_credentials_of_the_same_kind_stay() -> None:
    found = dcs_url.section("etcd3://h:1", FILE)
    assert found.options == {"host": "h:1", "cacert": "/ca", "username": "u", "password": "p", "protocol": "https"}
    assert (found.namespace, found.scope) == ("/db/", "prod")
    assert dcs_url.section("etcd://h:1", FILE).options["cacert"] == "/ca"
    assert dcs_url.section("consul://h:1", FILE).options == {"host": "h:1", "token": "t"}
    assert dcs_url.section("zookeeper://h:1", FILE).options == {"hosts": ["h:1"]}
    assert dcs_url.section("kubernetes://two", FILE).options == {"labels": {"app": "pg"}, "namespace": "two"}
    assert dcs_url.section("etcd3://v@h:1", FILE).options["password"] == ""


@pytest.mark.parametrize("url", ["http://h", "raft://h", "etcd3://h:port", "etcd3://[h", "sqlite://", "sqlite:///",
                                 "sqlite://relative.db", "etcd3://a b"])
def test_what_is_no_store(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dcs_url.section(url, {})
    assert caught.value.hint


def test_an_error_never_shows_a_password() -> None:
    with pytest.raises(ConfigError) as caught:
        dcs_url.section("etcd3://me:secret@h:port", {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("url", "document", "options"), [
    ("consul://b:8501", {"consul": {"url": "https://a:8501", "token": "t", "cacert": "/ca", "dc": "east"}},
     {"host": "b:8501", "scheme": "https", "token": "t", "cacert": "/ca", "dc": "east"}),
    ("etcd://b", {"etcd": {"url": "https://u:p%40@a:2379", "cacert": "/ca"}},
     {"host": "b:2379", "protocol": "https", "username": "u", "password": "p@", "cacert": "/ca"}),
    ("etcd3://b", {"etcd3": {"hosts": ["https://a:2379"], "username": "x", "password": "y"}},
     {"host": "b:2379", "protocol": "https", "username": "x", "password": "y"}),
])
def test_another_place_keeps_what_the_sections_addresses_say_beside_the_place(
        url: str, document: dict[str, object], options: dict[str, object]) -> None:
    assert dcs_url.section(url, document).options == options
