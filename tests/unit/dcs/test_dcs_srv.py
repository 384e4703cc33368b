"""etcd's endpoints by DNS, asked of a name server of our own on loopback."""

import socketserver
import threading
from collections.abc import Iterator
from typing import cast

import dns.message
import dns.resolver
import dns.rrset
import pytest

from pgctl.clock import SystemClock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import factory, srv
from pgctl.errors import StoreUnreachable
from pgctl.net import NotSent
from pgctl.units import Seconds


class NameServer(socketserver.UDPServer):
    """Answers SRV questions from `records`: name without final dot → texts such as `0 0 2379 a.example.`"""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.records: dict[str, list[str]] = {}
        self.asked: list[str] = []

    @property
    def resolver(self) -> dns.resolver.Resolver:
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], self.server_address[1]
        return found


class Answering(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast(NameServer, self.server)
        data, socket = self.request
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        server.asked.append(name)
        reply = dns.message.make_response(query)
        if name in server.records:
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "SRV", *server.records[name]))
        socket.sendto(reply.to_wire(), self.client_address)


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_first_service_with_records_counts_in_their_order(names: NameServer) -> None:
    names.records["_etcd-client._tcp.prod.example"] = ["10 5 2379 c.example.", "0 1 2379 b.example.", "0 9 2381 a.example."]
    names.records["_etcd-server._tcp.prod.example"] = ["0 0 2380 a.example."]
    found = srv.lookup("prod.example", "", budget=Seconds(5), clock=SystemClock(), resolver=names.resolver)
    assert [place.url for place in found] == ["http://a.example:2381", "http://b.example:2379", "http://c.example:2379"]
    assert not any(place.peer for place in found)
    assert names.asked == ["_etcd-client-ssl._tcp.prod.example", "_etcd-client._tcp.prod.example"]


def test_a_suffix_is_part_of_the_service_and_ssl_means_https(names: NameServer) -> None:
    names.records["_etcd-server-ssl-blue._tcp.prod.example"] = ["0 0 2380 a.example."]
    (found,) = srv.lookup("prod.example", "blue", budget=Seconds(5), clock=SystemClock(), resolver=names.resolver)
    assert (found.url, found.peer) == ("https://a.example:2380", True)


def test_no_record_is_said_with_the_way_to_look(names: NameServer) -> None:
    with pytest.raises(NotSent) as error:
        srv.lookup("prod.example", "", budget=Seconds(5), clock=SystemClock(), resolver=names.resolver)
    assert "prod.example" in str(error.value)
    assert len(names.asked) == len(srv.SERVICES)


def test_a_silent_name_server_costs_the_budget_and_no_more(names: NameServer) -> None:
    clock, resolver = SystemClock(), names.resolver
    names.shutdown()
    began = clock.now()
    with pytest.raises(NotSent):
        srv.lookup("prod.example", "", budget=Seconds(0.8), clock=clock, resolver=resolver)
    assert clock.now() - began < 2.0


@pytest.mark.parametrize("kind", ["etcd", "etcd3"])
def test_a_client_finds_etcd_by_dns_and_again_when_it_has_moved(kind: str, names: NameServer,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """The records are asked for at the first request, and once nobody answers where they pointed."""
    monkeypatch.setattr(dns.resolver, "default_resolver", names.resolver)
    names.records["_etcd-client._tcp.prod.example"] = ["0 0 1 127.0.0.1."]
    options = {"srv": "prod.example", "hosts": "never-asked:2379"}
    store = factory.open_store(StoreSection(kind, options, "service", "prod"), SystemClock())
    assert names.asked == []
    with pytest.raises(StoreUnreachable):
        store.snapshot(budget=Seconds(0.5))
    asked = len(names.asked)
    assert asked >= 2
    with pytest.raises(StoreUnreachable):
        store.snapshot(budget=Seconds(0.5))
    assert len(names.asked) > asked
    store.close()
