"""Who may use a store: certificates and passwords, right, wrong and missing, on real servers that ask for them.

Whatever is wrong with them, the store cannot be used: nobody is told that a lease is lost or a key absent, the reason is
said, with what to do, and no secret is shown.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Applied, Store
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.net import basic
from pgctl.units import Seconds
from tests.contract import services, services_consul, services_zookeeper
from tests.contract.authority import Authority
from tests.contract.services import free_ports

pytestmark = pytest.mark.contract

SOON, BRIEF = Seconds(10), Seconds(1)
TTL = Seconds(30)
CLOCK = SystemClock()

Options = Mapping[str, object]


@contextmanager
def _etcd(directory: Path, authority: Authority, kind: str) -> Iterator[Options]:
    cert, key = authority.issue("server", "/CN=etcd")
    arguments = ("--cert-file", cert, "--key-file", key, "--trusted-ca-file", authority.cacert, "--client-cert-auth",
                 *(("--enable-v2=true",) if kind == "etcd" else ()))
    with services.etcd(directory, 1, *arguments, scheme="https") as (node,):
        yield {"url": node.url}


@contextmanager
def _consul(directory: Path, authority: Authority, kind: str) -> Iterator[Options]:
    (cert, key), (port,) = authority.issue("server", "/CN=consul"), free_ports(1)
    settings = {"verify_incoming_https": True, "ca_file": authority.cacert, "cert_file": cert, "key_file": key}
    with services_consul.consul(directory, settings=settings, secure=port):
        yield {"url": f"https://127.0.0.1:{port}"}


@contextmanager
def _zookeeper(directory: Path, authority: Authority, kind: str) -> Iterator[Options]:
    authority.issue("server", "/CN=zookeeper")
    (port,) = free_ports(1)
    settings = (f"secureClientPort={port}", "secureClientPortAddress=127.0.0.1",
                "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
                f"ssl.keyStore.location={authority.joined('server')}", f"ssl.trustStore.location={authority.cacert}",
                "ssl.hostnameVerification=false")
    with services_zookeeper.ensemble(directory, 1, *settings):
        yield {"hosts": [f"127.0.0.1:{port}"], "use_ssl": True}


class Secured(NamedTuple):
    """A server that talks over TLS to those alone who show a certificate of `authority`."""

    kind: str
    options: Options
    authority: Authority

    def open(self, **options: object) -> Store:
        return factory.open_store(StoreSection(self.kind, {**self.options, **options}, "lab", "prod", "a"), CLOCK)


SERVERS = {"etcd3": _etcd, "etcd": _etcd, "consul": _consul, "zookeeper": _zookeeper}


@pytest.fixture(scope="module", params=[pytest.param(kind, marks=pytest.mark.store(kind)) for kind in SERVERS])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp(request.param)
    authority = Authority(directory / "authority")
    with SERVERS[request.param](directory, authority, request.param) as options:
        yield Secured(request.param, options, authority)


def refused(store: Store) -> str:
    """What a store says that lets us do nothing: to a reading, a taking of the lead and a renewal alike."""
    said = []
    for call in (lambda: store.snapshot(budget=BRIEF), lambda: store.hold("leader", "b", ttl=TTL, budget=BRIEF),
                 lambda: store.put("config", "1", budget=BRIEF)):
        with pytest.raises((StoreUnreachable, OutcomeUnknown)) as caught:
            call()
        said.append(f"{caught.value} {caught.value.hint}")
    store.close()
    return "\n".join(said)


def works(store: Store) -> bool:
    held = store.hold("leader", "a", ttl=TTL, budget=SOON)
    renewed = store.renew(ttl=TTL, budget=SOON)
    mine = store.snapshot(budget=SOON).items["leader"].mine
    released = store.delete("leader", budget=SOON)
    store.close()
    return mine and all(isinstance(each, Applied) for each in (held, renewed, released))


def test_a_client_certificate_lets_in(secured: Secured) -> None:
    assert works(secured.open(**secured.authority.client()))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # kazoo leaves the socket to the collector
def test_without_a_certificate_nobody_gets_in(secured: Secured) -> None:
    refused(secured.open(cacert=secured.authority.cacert))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_of_an_unknown_authority_is_not_talked_to(secured: Secured, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "other")
    said = refused(secured.open(**{**secured.authority.client(), "cacert": stranger.cacert}))
    assert "certificate" in said


# --- passwords ---


@contextmanager
def _etcd_users(directory: Path) -> Iterator[Options]:
    """The users of the v2 API; guests have no rights any more."""
    with services.etcd(directory, 1, "--enable-v2=true") as (node,):
        node.put("/v2/auth/users/root", {"user": "root", "password": "right"})
        node.put("/v2/auth/enable", None)
        everything = {"kv": {"read": ["/*"], "write": ["/*"]}}
        node.put("/v2/auth/roles/guest", {"role": "guest", "revoke": everything}, basic("root", "right"))
        yield {"url": node.url}


@contextmanager
def _zookeeper_sasl(directory: Path) -> Iterator[Options]:
    """DIGEST-MD5, and nothing without it."""
    jaas = directory / "jaas.conf"
    jaas.write_text('Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_root="right"; };\n')
    settings = ("authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
                "sessionRequireClientSASLAuth=true")
    with services_zookeeper.ensemble(directory, 1, *settings,
                                     java=[f"-Djava.security.auth.login.config={jaas}"]) as (server,):
        yield {"hosts": [f"127.0.0.1:{server.port}"]}


def _plain(username: str, password: str) -> Options:
    return {"username": username, "password": password}


def _digest(username: str, password: str) -> Options:
    return {"sasl_options": {"mechanism": "DIGEST-MD5", **_plain(username, password)}}


PASSWORDS = {"etcd": (_etcd_users, _plain), "zookeeper": (_zookeeper_sasl, _digest)}
"""etcd's v3 API and Consul's tokens have tests of their own."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.store(kind)) for kind in PASSWORDS])
def test_a_password_lets_in_and_a_wrong_or_missing_one_does_not(kind: str, tmp_path: Path) -> None:
    serve, login = PASSWORDS[kind]
    if kind == "zookeeper":
        pytest.importorskip("puresasl", reason="needs pure-sasl: pip install pure-sasl")
    with serve(tmp_path) as options:
        def open_with(more: Options) -> Store:
            return factory.open_store(StoreSection(kind, {**options, **more}, "lab", "prod", "a"), CLOCK)

        assert works(open_with(login("root", "right")))
        said = refused(open_with(login("root", "wrong-one")))
        assert "wrong-one" not in said and f"{kind}." in said, said
        assert f"{kind}." in refused(open_with({}))
