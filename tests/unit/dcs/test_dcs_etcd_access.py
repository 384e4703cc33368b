"""The sections etcd and etcd3: endpoints, credentials and TLS files as people configure them."""

import pytest

from pgctl.dcs import etcd_access
from pgctl.errors import ConfigError


@pytest.mark.parametrize(("options", "urls"), [
    ({"host": "a"}, ("http://a:2379",)),
    ({"host": "a:1"}, ("http://a:1",)),
    ({"hosts": "a:1, b"}, ("http://a:1", "http://b:2379")),
    ({"hosts": ["a", "[::1]:5"], "protocol": "https"}, ("https://a:2379", "https://[::1]:5")),
    ({"url": "https://a:1/"}, ("https://a:1",)),
    ({"proxy": "http://p:9", "hosts": ["a"]}, ("http://p:9",)),
    ({"hosts": ["a"], "host": "b"}, ("http://a:2379",)),
])
def test_endpoints_as_configured(options: dict[str, object], urls: tuple[str, ...]) -> None:
    assert etcd_access.access("etcd3", options).urls == urls


def test_credentials_from_the_url_and_from_the_section() -> None:
    found = etcd_access.access("etcd3", {"url": "http://u:p%40@a:1"})
    assert (found.urls, found.username, found.password) == (("http://a:1",), "u", "p@")
    assert etcd_access.access("etcd3", {"url": "http://u:p@a", "username": "x", "password": "y"}).username == "x"
    assert "p%40" not in repr(found) and "p@" not in repr(found)


def test_tls_where_an_endpoint_asks_for_it() -> None:
    assert etcd_access.access("etcd3", {"hosts": ["a"], "cacert": "/ca"}).tls is None
    files = {"cacert": "/ca", "cert": "/c", "key": "/k"}
    found = etcd_access.access("etcd3", {"hosts": ["a"], "protocol": "https", **files}).tls
    assert found is not None and (found.cacert, found.cert, found.key, found.verify) == ("/ca", "/c", "/k", True)


@pytest.mark.parametrize("options", [{}, {"hosts": []}, {"hosts": "a:notaport"}, {"hosts": "http://:5"}, {"srv": ""}])
def test_wrong_options_are_the_operators_to_mend(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        etcd_access.access("etcd3", options)


def test_dns_counts_before_hosts_and_a_proxy_before_dns() -> None:
    by_dns = etcd_access.access("etcd3", {"srv": "prod.example", "hosts": "a:2379", "cacert": ""})
    assert by_dns.urls == () and not by_dns.learn and by_dns.tls is not None
    assert etcd_access.srv({"discovery_srv": "prod.example", "srv_suffix": "blue"}) == ("prod.example", "blue")
    proxied = {"srv": "prod.example", "proxy": "http://p:2379"}
    assert etcd_access.srv(proxied) == ("", "")
    assert etcd_access.access("etcd3", proxied).urls == ("http://p:2379",)
