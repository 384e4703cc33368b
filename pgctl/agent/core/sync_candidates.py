"""Which standbys should be synchronous: who is eligible, in which order, how many. Pure. Source: ha.md N1 to N5.

Names compare without case here, and are spelt as their members spell them.
"""

from pgctl.agent.core import sync
from pgctl.agent.core.sync import Confirming, Goal, Names, Published
from pgctl.agent.core.view import View
from pgctl.model.lsn import Lsn, lag
from pgctl.model.member import Member, State
from pgctl.model.server import WalSender
from pgctl.model.settings import SyncMode
from pgctl.model.sync_names import NOBODY

_RANK = {"sync": 0, "quorum": 0, "potential": 1}
"""Of pg_stat_replication.sync_state: who is synchronous already is preferred."""


def quorum_mode(view: View) -> bool:
    return view.settings.synchronous_mode is SyncMode.QUORUM


def goal(view: View, published: Published) -> Goal:
    """What `/sync` and PostgreSQL should say. Strict, and nobody is there: as published, and commits wait."""
    chosen = frozenset(choose(view))
    if chosen or not view.settings.synchronous_mode_strict:
        return sync.best(chosen, view.settings.synchronous_node_count, quorum=quorum_mode(view))
    return Goal(published, at_least_nobody(sync.covering(published)))


def at_least_nobody(names: Confirming) -> Confirming:
    """Strict mode never runs without names: a commit that nobody could confirm waits (ha.md INV16)."""
    return names if names.names else Confirming(frozenset({NOBODY}), 1)


def choose(view: View) -> tuple[str, ...]:
    """The names wanted. Priority mode: the best so many. Quorum mode: all, those tagged nofailover only to fill up."""
    wanted = view.settings.synchronous_node_count
    found = _near_enough(view, eligible(view))
    if not quorum_mode(view):
        return tuple(member.name for member, _ in found[:wanted])
    first = [member for member, _ in found if not member.tags.nofailover]
    more = [member for member, _ in found if member.tags.nofailover]
    return tuple(member.name for member in (*first, *more[: max(0, wanted - len(first))]))


def eligible(view: View) -> list[tuple[Member, WalSender]]:
    """Members that may be synchronous with their walsender, the preferred first."""
    listed = view.cluster.sync if view.cluster else None
    found = [
        (member, sender)
        for member in (view.cluster.members if view.cluster else ())
        if (sender := streaming(view).get(member.name)) is not None
        and member.name != view.me
        and member.state == State.RUNNING
        and not member.tags.nosync
        and (position := _position(view, sender)) is not None
        and not _hangs(view, member, position)
        and not _cascades(view, member)
    ]
    found.sort(
        key=lambda one: (
            one[0].tags.nofailover,
            -one[0].tags.sync_priority,
            _RANK.get(one[1].sync_state, 2),
            listed is None or not listed.is_standby(one[0].name),
            -(_position(view, one[1]) or 0),
            one[0].name,
        )
    )
    return found


def streaming(view: View) -> dict[str, WalSender]:
    """Member name → its walsender, the one that is furthest. Left out is a name under which several hosts stream: what

    they confirm is on none of them in particular (ha.md WK37).
    """
    found: dict[str, list[WalSender]] = {}
    for sender in view.server.senders:
        if sender.state == "streaming":
            found.setdefault(spelt(view, sender.application_name), []).append(sender)
    return {
        name: max(senders, key=lambda sender: sender.flush_lsn or 0)
        for name, senders in found.items()
        if len({sender.client_addr for sender in senders}) == 1
    }


def spelt(view: View, name: str) -> str:
    """`name` as the member of that name spells it; one that is no member's is left as it is."""
    members = view.cluster.members if view.cluster else ()
    return next((member.name for member in members if member.name.lower() == name.lower()), name)


def all_spelt(view: View, names: frozenset[str] | tuple[str, ...]) -> Names:
    return frozenset(spelt(view, name) for name in names)


def _position(view: View, sender: WalSender) -> Lsn | None:
    """What a commit waits for (ha.md N2)."""
    match view.server.synchronous_commit:
        case "remote_apply":
            return sender.replay_lsn
        case "remote_write":
            return sender.write_lsn
        case _:
            return sender.flush_lsn


def _hangs(view: View, member: Member, position: Lsn) -> bool:
    """Its own agent gets no answer from its server, and commits wait for it.

    PostgreSQL itself believes in such a standby for wal_sender_timeout, a minute by default. Its key says `running` and no
    position (dcs.md 3.4); one that has everything keeps nobody waiting, and may only be slow to answer.
    """
    return member.xlog_location is None and position < (view.server.lsn or 0)


def _near_enough(view: View, found: list[tuple[Member, WalSender]]) -> list[tuple[Member, WalSender]]:
    """Those that are not too far behind the best of them; one alone is measured by my own position (ha.md N4)."""
    most = view.settings.maximum_lag_on_syncnode
    if most <= 0 or not found:
        return found
    best = max(_position(view, sender) or 0 for _, sender in found)
    best = (view.server.lsn or best) if len(found) == 1 else best
    return [(member, sender) for member, sender in found if lag(Lsn(best), _position(view, sender) or Lsn(0)) <= most]


def _cascades(view: View, member: Member) -> bool:
    """Whether it should stream from another member, which streams from me, or from one who does."""
    seen: set[str] = set()
    source = member.tags.replicatefrom
    while source and source != view.me and source not in seen and view.cluster is not None:
        if source in streaming(view):
            return True
        seen.add(source)
        upstream = view.cluster.member(source)
        source = upstream.tags.replicatefrom if upstream else None
    return False
