"""Who may stand in a race, and who is ahead of me. Pure; positions in bytes.

Law: of the members that can be heard, one that holds more WAL than I do is never passed over by me. Two equal ones may
both stand: creating the leader key decides. A member that does not answer is no vote against me: with asynchronous
replication the bound on loss is maximum_lag_on_failover.
"""

from pgctl.agent.core import backoff, failsafe, intents, remote
from pgctl.agent.core.effects import Peer
from pgctl.agent.core.view import View
from pgctl.model.lsn import lag
from pgctl.model.server import Phase
from pgctl.units import show_seconds

HEARING_GRACE = 1.0
"""Seconds for a reachable member to notice that the leader is gone; after them its last known position counts."""


def electorate(view: View) -> tuple[tuple[str, str], ...]:
    """(name, api_url) of the members to hear: of the last view with a leader, of this one, and in `/failsafe`; but me."""
    known = {member.name: member for member in view.memory.known_members}
    known.update({member.name: member for member in view.cluster.members} if view.cluster else {})
    heard = dict(failsafe.electors(view))
    heard |= {name: member.api_url for name, member in known.items() if member.api_url}
    barred = {name for name, member in known.items() if member.tags.nofailover}
    return tuple((name, url) for name, url in sorted(heard.items()) if name != view.me and name not in barred)


def unheard(view: View) -> tuple[str, ...]:
    """Members that answered, but have not yet looked since the leader vanished; none after the grace."""
    since = view.memory.leaderless_since
    if since is not None and view.now - since > HEARING_GRACE:
        return ()
    return tuple(peer.name for peer in view.peers or () if peer.reachable and not peer.looked)


def ahead(view: View) -> tuple[str, ...]:
    """Heard members that are fitter than me: more WAL, or as much and a higher failover_priority."""
    mine = view.server.lsn or 0
    return tuple(peer.name for peer in view.peers or () if _fitter(view, peer, mine))


def _fitter(view: View, peer: Peer, mine: int) -> bool:
    if not peer.reachable or peer.tags.nofailover or peer.watchdog_failed or peer.primary:
        return False
    cluster = view.cluster
    if cluster is not None and cluster.sync.active and view.settings.synchronous and not cluster.sync.lists(peer.name):
        return False
    if peer.lsn != mine:
        return peer.lsn > mine
    former = peer.name == view.memory.former_leader
    return not former and peer.tags.failover_priority > view.host.tags.failover_priority


def bar(view: View) -> str:
    """Why I may not stand in an ordinary race; empty when I may (ha.md E3 to E14, HC2, HC3)."""
    cluster, server = view.cluster, view.server
    if cluster is None:
        return "the store cannot be read"
    if server.phase is not Phase.STANDBY:
        return f"the server is {server.phase}, not a standby that accepts connections"
    if view.host.tags.nofailover:
        return "tagged nofailover"
    if failsafe.left_out(view):
        return "not in the failsafe topology: a leader without the store would not ask this member"
    if server.lsn is None:
        return "the server's WAL position is not known"
    if cluster.sync.active and view.settings.synchronous and not cluster.sync.lists(view.me):
        return "not among the synchronous members"
    intent = cluster.intent
    standby_cluster = remote.section(view) is not None
    planned = intent is not None and intent.switchover and intents.wait_for(view, intent) == 0 and not standby_cluster
    behind = lag(cluster.status.optime, server.lsn)
    if planned and behind and view.now - (view.memory.leaderless_since or view.now) < 2 * intents.GRACE:
        return f"{behind} bytes of the log that the leader wrote before it stepped down are missing"
    if behind > view.settings.maximum_lag_on_failover:
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
