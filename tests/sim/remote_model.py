"""The remote primary that a simulated standby cluster follows: a server outside of it, with troubles of its own.

Its clients write to it as long as it is up, and what they are told is its own cluster's business. It can crash and come
back, be out of reach, and be replaced: another server of its cluster is promoted in its place, which had not got all of
its log. Then a standby cluster may be ahead of it, on a branch that has ended.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pgctl.agent.core.remote import NAME
from pgctl.model.server import Phase
from tests.sim.postgres_model import Server

IDENTIFIER = "7000000000000000042"
SECTION = {"host": "remote", "port": 5432}
APART = 100
MOST_LOST = 30
"""Records that its successor may lack."""


class Remote:
    """`members` are the hosts that may be cut off from it."""

    def __init__(self, world: Any, members: Iterable[str]) -> None:
        self._world, self._members = world, tuple(members)
        self.server = world.servers.setdefault(NAME, Server(NAME))
        self.server.initdb(IDENTIFIER)

    def deeds(self, lasts: float) -> dict[str, Callable[[], None]]:
        """What can happen to it, by the kind of the act."""
        return {
            "remote crashes": lambda: self._crash(lasts),
            "remote out of reach": lambda: self._cut(lasts),
            "remote replaced": self._replace,
        }

    def _crash(self, lasts: float) -> None:
        self.server.crash()
        self._world.at(lasts, self.restart)

    def restart(self) -> None:
        """As its own agent would bring it back: as a primary, on the same timeline."""
        if self.server.phase is Phase.DOWN:
            self.server.start(standby=False)
            self.server.come_up()

    def _cut(self, lasts: float) -> None:
        links = {frozenset((name, NAME)) for name in self._members}
        self._world.cut_links |= links
        self._world.at(lasts, lambda: self._world.cut_links.difference_update(links))

    def _replace(self) -> None:
        """Failover over there: the successor opens a new timeline where its log ends.

        Its number is far from those that this cluster may open: two of one number can be told apart by nobody.
        """
        server = self.server
        server.crash()
        lost = min(len(server.wal), self._world.random.randrange(MOST_LOST))
        del server.wal[len(server.wal) - lost :]
        server.switches = [(line, at) for line, at in server.switches if at <= len(server.wal)]
        server.start(standby=True)
        server.come_up()
        server.promote()
        server.timeline += APART
