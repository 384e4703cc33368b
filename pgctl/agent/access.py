"""Who may change something: allowlist, client certificate, password; in this order, and the first failure answers.

Pure once made: host names of the allowlist are resolved when the settings are loaded, members' by whoever asks. Law: a
check that cannot be carried out refuses. Source: rest.md 16 and 17.
"""

import base64
import hmac
import ipaddress
import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pgctl.agent.inbox import Reply
from pgctl.config.sections import RestSection
from pgctl.model.cluster import Cluster

log = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DENIED = Reply(403, "Access is denied")
NO_CERTIFICATE = Reply(403, "client certificate required")
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="pgctl"'}


@dataclass(frozen=True, slots=True)
class Asker:
    """What is known of who asks: its address, the header `authorization`, whether it showed a verified certificate.

    `claims`: the header `From` (RFC 9110, 10.1.2), by which `pgctl` says whose prompt it runs at. Nobody checks it.
    """

    address: str
    authorization: str = ""
    certified: bool = False
    claims: str = ""

    @property
    def words(self) -> str:
        """Who it is, for the event journal: what it says of itself, and the address that was seen."""
        said = "".join(char for char in self.claims if char.isascii() and char.isprintable()).strip()[:64]
        return f"{said} (from {self.address})" if said else self.address


class Access:
    """The checks, as one section of the configuration wants them."""

    def __init__(self, section: RestSection) -> None:
        """Resolves the allowlist's host names; entries that cannot be used are logged and left out."""
        self._restricted = bool(section.allowlist)
        self._networks = tuple(network for entry in section.allowlist for network in _networks(entry))
        self.include_members = section.allowlist_include_members
        self._certificate = bool(section.certfile) and section.verify_client.lower() in ("required", "optional")
        pair = f"{section.username}:{section.password}".encode()
        self._credentials = base64.b64encode(pair) if section.username or section.password else b""

    def refusal(self, asker: Asker, members: frozenset[str], *, failsafe: bool = False) -> Reply | None:
        """Why `asker` may not; None if it may. `members`: addresses of members. `failsafe`: those are not looked at."""
        include = self.include_members and not failsafe
        if (self._restricted or include) and not self._listed(asker.address, members if include else frozenset()):
            return DENIED
        if self._certificate and not asker.certified:
            return NO_CERTIFICATE
        if not self._credentials:
            return None
        if not asker.authorization:
            return Reply(401, "no auth header received", headers=_CHALLENGE)
        return None if self._known(asker.authorization) else Reply(401, "not authenticated", headers=_CHALLENGE)

    def _listed(self, text: str, members: frozenset[str]) -> bool:
        address = parse(text)
        if address is None:
            return False
        return str(address) in members or any(address in network for network in self._networks)

    def _known(self, authorization: str) -> bool:
        """Compared in constant time, as base64 text."""
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode(errors="replace")
        return scheme == "Basic" and hmac.compare_digest(given, self._credentials)


def parse(text: str) -> Address | None:
    """An address without zone; an IPv4 one in IPv6 clothes as IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def member_hosts(cluster: Cluster | None) -> frozenset[str]:
    """Hosts of all members' API URLs, names and addresses; none without a DCS view."""
    hosts: set[str] = set()
    for member in cluster.members if cluster else ():
        try:
            host = urlsplit(member.api_url or "").hostname
        except ValueError:
            continue
        if host:
            hosts.add(host)
    return frozenset(hosts)


def _networks(entry: str) -> Iterable[Network]:
    """The networks that an entry of the allowlist means: an address, a CIDR, or whatever its host name resolves to."""
    try:
        return (ipaddress.ip_network(entry.strip(), strict=False),)
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(entry.strip(), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        log.warning('restapi.allowlist: "%s" is left out: %s', entry, error)
        return ()
    addresses = {parse(str(place[4][0])) for place in found}
    return tuple(ipaddress.ip_network(str(address)) for address in addresses if address is not None)
