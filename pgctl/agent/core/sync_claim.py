"""What a member writes into `/sync`, and waits for, before it is promoted. Pure.

Law. Before the promotion's point of no return `/sync` names me (ha.md INV11, WK36), and PostgreSQL waits for whom it
promises. A claim that is refused ends in giving the lead up: what was read when I stood no longer holds.

Priority mode publishes no standby, so that writes go on at once. Strict and quorum mode keep the voters, the old leader
among them and me no more: the same members, the same votes, so whoever could win before still can, and has what I have.
Where that would hold the promotion up, because a checkpoint keeps PostgreSQL from switching the waiting on, quorum mode
publishes nobody either: then only I may come back, and I have everything. So does one who was not listed: an operator
wanted it so, and nobody else has what it has. Source: ha.md N31 to N36, N44.
"""

from pgctl.agent.core import sync, sync_candidates, sync_upkeep
from pgctl.agent.core.sync import Published
from pgctl.agent.core.view import View
from pgctl.model import sync_names
from pgctl.model.server import Phase
from pgctl.model.sync import SyncState


def claim(view: View) -> SyncState:
    """`/sync` as I want it when I am promoted."""
    found = view.cluster.sync if view.cluster else SyncState()
    voters = {*found.standbys, found.leader or ""} - {"", view.me}
    keeps = view.settings.synchronous_mode_strict or sync_candidates.quorum_mode(view)
    if not keeps or not found.lists(view.me):
        return SyncState(view.me)
    known = frozenset(name for name in voters if name.lower() != view.me.lower())
    return SyncState(view.me, tuple(sorted(known)), min(found.quorum, len(known)))


def names_for(view: View, state: SyncState) -> str:
    """The names that bear `state`."""
    names = sync.covering(Published(frozenset(state.standbys), state.quorum))
    strict = view.settings.synchronous_mode_strict
    return sync_upkeep.written(view, sync_candidates.at_least_nobody(names) if strict else names)


def mine(view: View) -> bool:
    """`/sync` names me as its leader, or synchronous replication is not asked for."""
    return not view.settings.synchronous or (view.cluster is not None and view.cluster.sync.leader == view.me)


def foreign(view: View) -> bool:
    """`/sync` names somebody else, and my claim was not taken when I took the lead."""
    return not mine(view) and view.cluster is not None and view.cluster.sync.active


def borne(view: View) -> bool:
    """PostgreSQL waits for whom `/sync` promises, as far as it promises anybody; in strict mode always for somebody.

    What it was told last counts too: it may be about to run with other names than it runs with now.
    """
    if not view.settings.synchronous:
        return True
    now = sync_upkeep.standing(view)
    if not now.published.voters and not view.settings.synchronous_mode_strict:
        return True
    told = view.memory.conf
    if told is None or told.sync_names is None or not in_force(view, told.sync_names):
        return False
    waits = now.confirming.needed > 0 and view.memory.evidence.mark is not None
    return waits and sync.overlap(now.published, now.confirming)


def held_up(view: View) -> bool:
    """The names are in force, and PostgreSQL is too busy to wait for them."""
    evidence = view.memory.evidence
    seen = view.server.phase is Phase.STANDBY and evidence.names != "" and evidence.mark is None
    return seen and not view.server.checkpointer_idle and not view.settings.synchronous_mode_strict


def in_force(view: View, text: str) -> bool:
    return sync_names.parse(text) == sync_names.parse(view.server.sync_names)
