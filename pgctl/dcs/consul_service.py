"""A member in Consul's catalogue of services: registered with tags and a health check, from the member key it writes.

A convenience for clients and no part of the lease: it is done after the key was written, takes a second at most, and what
fails is tried again by a later verb. Source: dcs.md 6.3.
"""

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from pgctl.clock import Clock
from pgctl.dcs.consul_access import Service
from pgctl.dcs.consul_client import ConsulClient
from pgctl.dcs.consul_wire import Refusal
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model import addresses, codec_member
from pgctl.model.member import Member
from pgctl.units import Instant, Seconds

_LOG = logging.getLogger(__name__)
_ROLES = {"primary": ("primary", "master"), "replica": ("replica",), "standby_leader": ("standby-leader",)}
"""Roles of the document that are services → their tags, of which the first is the path of the check as well."""
_WITHIN = Seconds(1.0)
_PAUSE = Seconds(10.0)
"""Before another try."""
_LONGEST_NAME = 230


class ConsulService:
    """Of one member. Verbs of the store may call it from several threads; a call too many does no harm."""

    def __init__(self, client: ConsulClient, service: Service, clock: Clock) -> None:
        self._client = client
        self._service = service
        self._clock = clock
        self._wanted: Mapping[str, object] | None = None
        """The registration; None: there is to be none."""
        self._settled = service.registered is None
        self._quiet_until = Instant(0.0)

    def written(self, member: str, text: str, ttl: Seconds, *, end: Instant) -> None:
        """A member key was written: registers what follows from it, if it is ours and anything follows."""
        if member != self._service.member or self._service.registered is None:
            return
        before, found = self._wanted, codec_member.read_member(member, text)
        if self._service.registered and found.state == "running":
            self._wanted = registration(self._service, found, ttl) or before
        elif found.state == "stopped" or not self._service.registered:
            self._wanted = None
        self._settled = self._settled and self._wanted == before
        self.settle(end=end)

    def settle(self, *, end: Instant) -> None:
        """Does what is still to be done, if enough time has passed since it failed."""
        now = self._clock.now()
        if self._settled or now < self._quiet_until:
            return
        wanted, soon = self._wanted, Instant(min(end, now + _WITHIN))
        try:
            if wanted is None:
                self._client.deregister(name_of(self._service), end=soon)
            else:
                self._client.register(wanted, end=soon)
            self._settled = wanted == self._wanted
        except (StoreUnreachable, OutcomeUnknown, Refusal) as error:
            self._quiet_until = Instant(self._clock.now() + _PAUSE)
            _LOG.warning("the service %s could not be brought up to date in Consul: %s", name_of(self._service), error)


def name_of(service: Service) -> str:
    """The service's id in the agent."""
    return f"{service.scope}/{service.member}"


def registration(service: Service, member: Member, ttl: Seconds) -> Mapping[str, object] | None:
    """What the agent is told; None when the member's document does not say enough. Pure."""
    tags = _ROLES.get(member.role)
    place = addresses.host_port(member.conn_url or "")
    if tags is None or place is None or not member.api_url:
        return None
    api = urlsplit(member.api_url)
    check: dict[str, object] = {
        "HTTP": f"{api.scheme}://{api.netloc}/{tags[0]}",
        "Interval": service.interval,
        "DeregisterCriticalServiceAfter": f"{ttl * 5}s",  # ten times the session's ttl
    }
    if service.tls_server_name:
        check["TLSServerName"] = service.tls_server_name
    host, port = place
    return {"ID": name_of(service), "Name": service_name(service.scope), "Address": host, "Port": port,
            "Tags": [*service.tags, *tags], "EnableTagOverride": True, "Check": check}


def service_name(scope: str) -> str:
    """The cluster's name as DNS may have it: `My_Prod.1` → `my-prod-1`. Pure."""
    letters = ("-" if char in "._ " else char if char == "-" or char.isascii() and char.isalnum() else f"u{ord(char):04d}"
               for char in scope.lower())
    return "".join(letters)[:_LONGEST_NAME]
