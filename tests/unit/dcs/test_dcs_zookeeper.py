"""The section `zookeeper` as kazoo's arguments; what is said when kazoo is missing."""

import subprocess
import sys

import pytest
from kazoo.exceptions import SASLException
from kazoo.security import make_acl

from pgctl.dcs import zookeeper_link, zookeeper_options
from pgctl.errors import ConfigError

WITHOUT = """
import sys
sys.modules["kazoo"] = None
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.errors import ConfigError
try:
    factory.open_store(StoreSection("zookeeper", {"hosts": ["h"]}, scope="prod"), SystemClock())
except ConfigError as error:
    print(error, "|", error.hint)
"""


def test_defaults() -> None:
    assert zookeeper_options.arguments({"hosts": ["a", "b:2182", "[::1]:3"]}) == {
        "hosts": "a:2181,b:2182,[::1]:3", "use_ssl": False, "verify_certs": True}
    assert zookeeper_options.arguments({"hosts": "a:1, b"})["hosts"] == "a:1,b:2181"


def test_everything_said() -> None:
    found = zookeeper_options.arguments({
        "hosts": ["h"], "use_ssl": "on", "cacert": "/ca", "cert": "/c", "key": "/k", "key_password": "p", "verify": False,
        "set_acls": {"CN=a": ["ALL"], "digest:u:hash": ["read", "write"]}, "auth_data": {"digest": "u:p"},
        "sasl_options": {"mechanism": "DIGEST-MD5"}})
    assert found == {
        "hosts": "h:2181", "use_ssl": True, "verify_certs": False, "ca": "/ca", "certfile": "/c", "keyfile": "/k",
        "keyfile_password": "p", "auth_data": [("digest", "u:p")], "sasl_options": {"mechanism": "DIGEST-MD5"},
        "default_acl": [make_acl("x509", "CN=a", all=True), make_acl("digest", "u:hash", read=True, write=True)]}


@pytest.mark.parametrize(("options", "message"), [
    ({}, "hosts is missing"), ({"hosts": [":"]}, "hosts is missing or wrong"),
    ({"hosts": ["h"], "set_acls": {"a": ["fly"]}}, "fly is no permission"),
    ({"hosts": ["h"], "auth_data": "x"}, "no mapping"),
])
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        zookeeper_options.arguments(options)


def test_without_kazoo_it_is_said_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == ('store "zookeeper" needs the Python library kazoo, which is not installed '
                           '| Install it: pip install "pgctl-ha[zookeeper]".\n')


@pytest.mark.parametrize(("said", "look"), [("Missing SASL support", "install pure-sasl"), ("denied", "sasl_options and")])
def test_a_refused_login_says_what_to_look_at(said: str, look: str) -> None:
    assert look in zookeeper_link.hint(SASLException(said))
