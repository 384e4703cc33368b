"""primary_race_backoff: nobody leads, and the old primary still sends. It is given time to take its lease again. Pure.

The race is put off only while WAL really arrives: a connection alone proves nothing, for that of a host which is gone stays
open. So a dead primary costs two looks and not the whole time (ha.md T15, L1, WK14). Nothing is put off for an order.
"""

from pgctl.agent.core import remote
from pgctl.agent.core.view import View

FIRST = 0.6
"""Seconds after which a second look has been had."""
QUIET = 1.5
"""Seconds without any WAL after which the old primary counts as silent."""


def left(view: View) -> float:
    """Seconds for which this member still waits; 0 when it need not."""
    since, grew = view.memory.leaderless_since, view.memory.grew_at
    patience = view.settings.primary_race_backoff
    streams = view.server.replication_state == "streaming"
    ordered = view.cluster is not None and view.cluster.intent is not None
    if patience <= 0 or since is None or not streams or ordered or remote.section(view) is not None:
        return 0.0
    waited = view.now - since
    arrives = grew is not None and grew > since and view.now - grew < QUIET
    return max(0.0, patience - waited) if arrives or waited < FIRST else 0.0
