"""Addresses of members' hosts, for the allowlist: resolved beside the event loop, kept for half a minute.

A name server that does not answer must not hold up a health check; so names are resolved in one thread beside the
loop, and only when a protected request needs one that is not known yet. What cannot be resolved is nobody.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial

from pgctl.agent import access
from pgctl.clock import Clock
from pgctl.units import Instant

_KEPT = 30.0
_PATIENCE = 3.0


class MemberAddresses:
    """Used from the event loop's thread only; `spawn` runs a function in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock,
                 spawn: Callable[[Callable[[], None]], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._spawn = spawn
        self._known: dict[str, tuple[Instant, frozenset[str]]] = {}
        self._under_way: asyncio.Future[None] | None = None

    def known(self, hosts: frozenset[str]) -> frozenset[str] | None:
        """The addresses of `hosts`; None when one has to be resolved first."""
        found: set[str] = set()
        for host in hosts:
            literal = access.parse(host)
            until, addresses = self._known.get(host, (Instant(0), frozenset()))
            if literal is not None:
                found.add(str(literal))
            elif until > self._clock.now():
                found |= addresses
            else:
                return None
        return frozenset(found)

    async def resolve(self, hosts: frozenset[str]) -> frozenset[str]:
        """The addresses of `hosts`; those of names that do not resolve in time are left out."""
        deadline = self._clock.now() + _PATIENCE
        while (found := self.known(hosts)) is None and (left := deadline - self._clock.now()) > 0:
            if self._under_way is None or self._under_way.done():
                self._under_way = self._loop.create_future()
                self._spawn(partial(self._look_up, [host for host in hosts if access.parse(host) is None]))
            await asyncio.wait((self._under_way,), timeout=left)
        return found or frozenset()

    def _look_up(self, names: list[str]) -> None:
        """In the thread beside."""
        answers = {name: _addresses(name) for name in names}
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._keep, answers)

    def _keep(self, answers: dict[str, frozenset[str]]) -> None:
        until = Instant(self._clock.now() + _KEPT)
        self._known = {name: (until, addresses) for name, addresses in answers.items()}
        if self._under_way is not None and not self._under_way.done():
            self._under_way.set_result(None)


def _addresses(name: str) -> frozenset[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    parsed = (access.parse(str(place[4][0])) for place in found)
    return frozenset(str(address) for address in parsed if address is not None)
