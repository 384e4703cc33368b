"""The board: the last view and decision, for whoever asks. One of the three cells threads share.

The loop's thread writes it, the heartbeat's thread writes the lease beside it; each is one reference, swapped whole, so
readers never lock and never see half of a change. Nothing here decides, and nothing is handed out that can be changed.
"""

from dataclasses import dataclass, replace

from pgctl.agent.core.view import Decision, Host, Lease, View
from pgctl.model.cluster import Cluster
from pgctl.model.failsafe import Promise
from pgctl.model.server import Phase, ServerState
from pgctl.units import Instant, Wall


@dataclass(frozen=True, slots=True)
class Notice:
    """What hangs on the board. Before the first cycle `view` is a blank one and `decision` is None.

    `looked_at`: when the server in `view` was looked at. `cluster`: the last reading of the store that worked, which
    may be older than the view; `cluster_at` and `cluster_wall` say when it was read. `decided`: the view that `decision`
    was made of. `cycle_done_at`: when the last cycle ended in a decision. `since`: since when its rule has held.
    """

    scope: str
    view: View
    looked_at: Instant
    decision: Decision | None = None
    decided: View | None = None
    cycle_done_at: Instant = Instant(0)
    since: Instant = Instant(0)
    cluster: Cluster | None = None
    cluster_at: Instant | None = None
    cluster_wall: Wall | None = None
    lease: Lease = Lease()
    promise: Promise | None = None


class Board:
    """Written by `show`, `decide` (the loop), `lease` (the heartbeat) and `promise` (the REST server); read by anyone."""

    def __init__(self, scope: str, host: Host, now: Instant, wall: Wall) -> None:
        """A blank board: a server not yet looked at, a store not yet read."""
        blank = View(now, wall, host, ServerState(Phase.DOWN))
        self._notice = Notice(scope, blank, now, cycle_done_at=now, since=now)
        self._lease = Lease()
        self._promise: Promise | None = None

    def show(self, view: View) -> None:
        """Puts up a view that is not yet decided on, so that peers who ask meanwhile get fresh positions."""
        self._notice = _with_view(self._notice, view)

    def decide(self, view: View, decision: Decision, now: Instant | None = None) -> None:
        """Puts up a finished cycle; `now` is when it ended, the view's own instant unless told."""
        last = _with_view(self._notice, view)
        same = last.decision is not None and last.decision.rule == decision.rule
        self._notice = replace(last, decision=decision, decided=view, cycle_done_at=view.now if now is None else now,
                               since=last.since if same else view.now)

    def lease(self, lease: Lease) -> None:
        """Puts up what the heartbeat knows of the lease, which is newer than any view."""
        self._lease = lease

    def promise(self, promise: Promise | None) -> None:
        """Puts up what this member has promised a leader without the store."""
        self._promise = promise

    def read(self) -> Notice:
        """All of it, as of now."""
        return replace(self._notice, lease=self._lease, promise=self._promise)


def _with_view(last: Notice, view: View) -> Notice:
    """The notice with a newer view; a view that could not read the store leaves the last reading in place."""
    if view.cluster is None:
        return replace(last, view=view, looked_at=view.now)
    return replace(last, view=view, looked_at=view.now, cluster=view.cluster, cluster_at=view.now,
                   cluster_wall=view.wall)
