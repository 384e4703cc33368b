"""Who may stand in a race, and who is ahead of me. Pure; positions in bytes.

Law: of the members that can be heard, one that holds more WAL than I do, and that may stand as far as I can see, is never
passed over by me, unless `/sync` says otherwise. Two equal ones may both stand: creating the leader key decides. A member
that does not answer is no vote against me: with asynchronous replication the bound on loss is maximum_lag_on_failover.

Where `/sync` says who is synchronous, the law is its own (see `sync`): a winner and those it hears are one more of its
members than `quorum` says, and it is behind none of them. That is enough: whoever is further ahead has nothing that was
acknowledged and that I lack. So it is let go first for a moment, in which it may win, and no longer (ha.md WK25). The
leader that `/sync` names has everything, and needs no votes; but it is known by its name alone, and a data directory made
anew under that name has not: it lets a voter that holds more go first for a whole TTL (ha.md WK20). A vote is a position
from after the leader was gone: an older one may have been outrun. Priority mode is quorum 0.
"""

from pgctl.agent.core import backoff, failsafe, intents, remote
from pgctl.agent.core.effects import Peer
from pgctl.agent.core.view import View
from pgctl.model.lsn import lag
from pgctl.model.member import Member
from pgctl.model.server import Phase
from pgctl.model.settings import SyncMode
from pgctl.model.sync import SyncState
from pgctl.units import show_seconds

FITTER_GRACE = 3.0
"""Seconds that a member further ahead has to take the lead, where `/sync` makes me as good."""
HEARING_GRACE = 1.0
"""Seconds for a reachable member to notice that the leader is gone; after them its last known position counts."""


def electorate(view: View) -> tuple[tuple[str, str], ...]:
    """(name, api_url) of the members to hear: of the last view with a leader, of this one, and in `/failsafe`; but me."""
    known = {member.name: member for member in view.memory.known_members}
    known.update({member.name: member for member in view.cluster.members} if view.cluster else {})
    heard = dict(failsafe.electors(view))
    heard |= {name: member.api_url for name, member in known.items() if member.api_url}
    passed = {name for name, member in known.items() if not _matters(view, member)}
    if failsafe.left_out(view, view.me):
        passed -= set(failsafe.electors(view))
    return tuple((name, url) for name, url in sorted(heard.items()) if name != view.me and name not in passed)


def voting(view: View) -> bool:
    """Whether `/sync` says who may be promoted, and by whose word."""
    return view.cluster is not None and view.cluster.sync.active and view.settings.synchronous


def _matters(view: View, member: Member) -> bool:
    """A voter's word counts whatever its tags say (ha.md WK31); in a race where there are voters, nobody else's does."""
    cluster = view.cluster
    if cluster is None or not voting(view):
        return not member.tags.nofailover
    named = cluster.intent is not None and cluster.intent.candidate == member.name
    unasked = not member.tags.nofailover and (cluster.leader is not None or named)
    return cluster.sync.lists(member.name) or unasked


def votes(view: View) -> int:
    """Members that `/sync` lists, all of whose log I have, me not counted; one less when it does not list me."""
    sync = view.cluster.sync if view.cluster else SyncState()
    mine = 0 if sync.lists(view.me) else -1
    heard = [peer for peer in view.peers or () if peer.reachable and peer.looked and not peer.primary and peer.lsn]
    return mine + sum(1 for peer in heard if sync.lists(peer.name) and _place(peer) <= _own_place(view, peer))


def elected(view: View) -> bool:
    """Enough votes; the leader that `/sync` names needs none, for it has everything."""
    sync = view.cluster.sync if view.cluster else SyncState()
    return votes(view) >= sync.quorum or sync.leads(view.me)


def entitled(view: View) -> bool:
    """As far as `/sync` is concerned I may be promoted: always, where nothing is synchronous."""
    if not voting(view):
        return True
    cluster = view.cluster
    listed = cluster is not None and cluster.sync.lists(view.me)
    return elected(view) and (listed or view.settings.synchronous_mode is SyncMode.QUORUM)


def _place(peer: Peer) -> tuple[int, int]:
    return peer.timeline or 0, peer.lsn


def _own_place(view: View, peer: Peer) -> tuple[int, int]:
    """A later timeline is ahead of any position on an earlier one; one that is not known is taken for the other's."""
    timeline = view.server.timeline if peer.timeline is not None else 0
    return (peer.timeline or 0) if timeline is None else timeline, view.server.lsn or 0


def unheard(view: View) -> tuple[str, ...]:
    """Members that answered, but have not yet looked since the leader vanished; none after the grace."""
    since = view.memory.leaderless_since
    if since is not None and view.now - since > HEARING_GRACE:
        return ()
    return tuple(peer.name for peer in view.peers or () if peer.reachable and not peer.looked)


def ahead(view: View) -> tuple[str, ...]:
    """Heard members that are fitter than me: more WAL, or as much and a higher failover_priority."""
    since, cluster = view.memory.leaderless_since, view.cluster
    if cluster is not None and voting(view) and since is not None:
        grace = view.settings.ttl if cluster.sync.leads(view.me) else FITTER_GRACE
        if view.now - since > grace:
            return ()
    return tuple(peer.name for peer in view.peers or () if _fitter(view, peer))


def _fitter(view: View, peer: Peer) -> bool:
    if not peer.reachable or peer.tags.nofailover or peer.watchdog_failed or peer.primary or _kept_out(view, peer):
        return False
    cluster, mine = view.cluster, view.server.lsn or 0
    if cluster is not None and voting(view):
        if not cluster.sync.lists(peer.name):
            return False
        if _place(peer)[0] != _own_place(view, peer)[0]:
            return _place(peer) > _own_place(view, peer)
    if peer.lsn != mine:
        return peer.lsn > mine
    former = peer.name == view.memory.former_leader
    return not former and peer.tags.failover_priority > view.host.tags.failover_priority


def _kept_out(view: View, peer: Peer) -> bool:
    """What I see forbids this member to stand; to wait for it would be to wait for ever."""
    outrun = view.cluster is not None and peer.timeline is not None and peer.timeline < view.cluster.history.timeline
    return failsafe.left_out(view, peer.name) or (outrun and remote.section(view) is None)


def bar(view: View) -> str:
    """Why I may not stand in an ordinary race; empty when I may (ha.md E3 to E14, HC2, HC3)."""
    cluster, server = view.cluster, view.server
    if cluster is None:
        return "the store cannot be read"
    if server.phase is not Phase.STANDBY:
        return f"the server is {server.phase}, not a standby that accepts connections"
    if view.host.tags.nofailover:
        return "tagged nofailover"
    if view.host.watchdog_fault:
        return f"the watchdog that it requires cannot be used: {view.host.watchdog_fault}"
    if failsafe.shut_out(view):
        return "not in the failsafe topology: a leader without the store would not ask this member"
    if server.lsn is None:
        return "the server's WAL position is not known"
    priority = voting(view) and view.settings.synchronous_mode is SyncMode.ON
    if priority and not cluster.sync.lists(view.me):
        return "not among the synchronous members"
    intent = cluster.intent
    standby_cluster = remote.section(view) is not None
    planned = intent is not None and intent.switchover and intents.wait_for(view, intent) == 0 and not standby_cluster
    behind = lag(cluster.status.optime, server.lsn)
    if planned and behind and view.now - (view.memory.leaderless_since or view.now) < 2 * intents.GRACE:
        return f"{behind} bytes of the log that the leader wrote before it stepped down are missing"
    claimed = voting(view) and cluster.sync.leads(view.me)  # whatever it lacks was never acknowledged
    if behind > view.settings.maximum_lag_on_failover and not claimed:
        return f"{behind} bytes behind the last leader's position, more than maximum_lag_on_failover"
    unsure = view.settings.check_timeline and server.timeline is None and not standby_cluster
    if older_timeline(view) or unsure:
        return f"on timeline {server.timeline}, and the cluster is on {cluster.history.timeline}"
    wait = backoff.left(view)
    if wait > 0:
        return f"the old primary still sends: it has {show_seconds(wait)} of primary_race_backoff left to come back"
    return ""


def older_timeline(view: View) -> bool:
    """The cluster has moved to a later timeline than my server's.

    Promoted from an older one it would open a second timeline of the same number, which nobody can tell apart. In a
    standby cluster nobody is promoted, and timelines are the remote's (ha.md Y4).
    """
    timeline = view.server.timeline
    if remote.section(view) is not None:
        return False
    return view.cluster is not None and timeline is not None and timeline < view.cluster.history.timeline
