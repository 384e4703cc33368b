"""What is known of the names that PostgreSQL runs with: since when, and who has caught up under them. Pure.

Law. A member is proven once it has flushed all that may have been acknowledged under other names. Three looks at least:
one sees the names in force; one at which every process has taken them up marks the place in the log; a later one finds
the member past it. Weak evidence counts as none: whatever changes meanwhile begins it anew.

Not every process of a server reads its configuration at once. A walsender goes by the names that it has read, which its
sync_priority tells. That commits wait at all is switched on by the checkpointer, which may be busy with a checkpoint: so
where nothing waited before, it must have been seen idle after the names were in force.
Source: PostgreSQL 15, src/backend/replication/syncrep.c (SyncRepUpdateSyncStandbysDefined), postmaster/checkpointer.c.
"""

from pgctl.agent.core import sync_candidates
from pgctl.agent.core.memory import Evidence
from pgctl.agent.core.view import View
from pgctl.model import sync_names
from pgctl.model.lsn import Lsn
from pgctl.model.server import Phase


def update(view: View) -> Evidence:
    """The evidence with this look's in it."""
    server, last = view.server, view.memory.evidence
    if not view.settings.synchronous or server.phase not in (Phase.PRIMARY, Phase.STANDBY):
        return Evidence()
    life = (server.postmaster.pid, server.postmaster.started, server.phase.value) if server.postmaster else None
    if life != last.life or server.sync_names != last.names:
        same_run = life is not None and last.life is not None and life[:2] == last.life[:2]
        waited = same_run and last.taken_up and last.names != ""
        return Evidence(life, server.sync_names, switched_on=waited)
    if last.mark is None:
        ready = last.switched_on or server.checkpointer_idle
        return last._replace(mark=server.lsn or Lsn(0)) if ready else last
    return last._replace(proven=last.proven | _caught_up(view, last.mark))


def _caught_up(view: View, mark: Lsn) -> frozenset[str]:
    """Those listed who stream past the mark; nobody while a walsender still goes by other names."""
    listed = sync_candidates.all_spelt(view, sync_names.parse(view.server.sync_names).names)
    streaming = sync_candidates.streaming(view)
    if any(sender.sync_priority > 0 and name not in listed for name, sender in streaming.items()):
        return frozenset()
    return frozenset(
        name
        for name, sender in streaming.items()
        if name in listed and sender.sync_priority > 0 and (sender.flush_lsn or 0) >= mark
    )
