"""etcd's endpoints by DNS: SRV records of a domain. Needs dnspython, which the extra `srv` brings.

Source: RFC 2782; etcd.io/docs/v3.5/op-guide/clustering, DNS discovery; config.md 5 for the order of the services.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dns.exception
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from pgctl.clock import Clock
from pgctl.dcs import etcd_access
from pgctl.net import Http, NoReply, NotSent
from pgctl.units import Seconds

SERVICES = ("etcd-client-ssl", "etcd-client", "etcd-ssl", "etcd", "etcd-server-ssl", "etcd-server")
"""Tried in this order; the first that has records counts."""


@dataclass(frozen=True, slots=True)
class Place:
    """One record: where something listens. `peer`: the members' own port, which tells clients where to go instead."""

    scheme: str
    host: str
    port: int
    peer: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def finder(section: str, options: Mapping[str, object], clock: Clock) -> Callable[[Seconds], tuple[str, ...]]:
    """How the client of that section finds its endpoints. Raises ConfigError for unusable TLS files; it itself NotSent."""
    domain, suffix = etcd_access.srv(options)
    http = Http(etcd_access.access(section, options).tls, clock=clock)

    def find(budget: Seconds) -> tuple[str, ...]:
        deadline = clock.now() + budget
        places = lookup(domain, suffix, budget=Seconds(budget / 2), clock=clock)
        if not places[0].peer:
            return tuple(place.url for place in places)
        return _clients(http, places, Seconds(deadline - clock.now()))

    return find


def _clients(http: Http, places: Sequence[Place], budget: Seconds) -> tuple[str, ...]:
    """Where clients are to go, as the first member that answers on its peers' port tells of all."""
    failure = ""
    for number, place in enumerate(places):
        try:
            reply = http.request("GET", f"{place.url}/members", timeout=Seconds(budget / (len(places) - number)))
            rows = reply.json()
        except (NotSent, NoReply, ValueError) as error:
            failure = str(error)
            continue
        found = [row.get("clientURLs") for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict)]
        urls = tuple(str(url).rstrip("/") for each in found if isinstance(each, list) for url in each)
        if urls:
            return urls
        failure = f"status {reply.status} for {place.url}/members"
    raise NotSent("no member of etcd told where its clients are to go", detail=failure)


def lookup(domain: str, suffix: str, *, budget: Seconds, clock: Clock,
           resolver: dns.resolver.Resolver | None = None) -> tuple[Place, ...]:
    """The places of the first service with records, lowest priority number first, within it the heaviest first.

    Raises NotSent when there is none, or the name servers do not answer within `budget`.
    """
    asked = resolver or _system()
    deadline = clock.now() + budget
    failure = ""
    for number, service in enumerate(SERVICES):
        name = f"_{service}-{suffix}._tcp.{domain}" if suffix else f"_{service}._tcp.{domain}"
        left = deadline - clock.now()
        try:
            answer = asked.resolve(name, "SRV", lifetime=max(0.1, left / (len(SERVICES) - number)))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            failure = "it has no such record"
            continue
        except dns.exception.DNSException as error:
            failure = str(error)
            continue
        return _places(service, [row for row in answer if isinstance(row, SRV)])
    raise NotSent(f'no etcd was found by DNS under "{domain}"', detail=failure,
                  hint=f"Look for SRV records with: dig SRV _etcd-client._tcp.{domain}")


def _system() -> dns.resolver.Resolver:
    """As this host is configured. Raises NotSent."""
    try:
        return dns.resolver.get_default_resolver()
    except dns.exception.DNSException as error:
        raise NotSent("this host has no name server configured", detail=str(error)) from error


def _places(service: str, rows: Sequence[SRV]) -> tuple[Place, ...]:
    scheme = "https" if service.endswith("ssl") else "http"
    ordered = sorted(rows, key=lambda row: (row.priority, -row.weight, str(row.target)))
    return tuple(Place(scheme, row.target.to_text(omit_final_dot=True), row.port, "server" in service) for row in ordered)
