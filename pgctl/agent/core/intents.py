"""What an intent means in this view: whom it asks for, whether it is due, why it cannot be honoured. Pure."""

from pgctl.agent.core import remote
from pgctl.agent.core.effects import Peer
from pgctl.agent.core.view import View
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn, lag
from pgctl.model.member import State
from pgctl.model.server import Phase

UNCONNECTED = "does not stream from the leader"
LEAVING = frozenset({State.STOPPING, State.RESTARTING})
COMING = 8.0
"""Seconds that a standby has to connect and catch up before an order is closed for want of one; askers wait longer."""
GRACE = 10.0
"""Seconds that the member an intent asks for has, once nobody leads, before others look after themselves."""


def open_intent(view: View) -> Intent | None:
    return view.cluster.intent if view.cluster else None


def wait_for(view: View, intent: Intent) -> float:
    """Seconds until the intent is due; 0 when it is due or carries no time."""
    if intent.scheduled_at is None:
        return 0.0
    return max(0.0, intent.scheduled_at.timestamp() - view.wall)


def overdue(view: View, intent: Intent) -> bool:
    """A scheduled intent that was missed by more than one and a half loops is stale (ha.md H30)."""
    at = intent.scheduled_at
    return at is not None and view.wall - at.timestamp() > 1.5 * view.settings.loop_wait


def objection(view: View, intent: Intent) -> str:
    """Why the leader, me, cannot honour this intent; empty when it can, or when nothing is known against it yet."""
    cluster = view.cluster
    if cluster is None:
        return ""
    if intent.schedule_fault:
        return f"its time cannot be read: {intent.schedule_fault}"
    if intent.leader and intent.leader != view.me:
        return f"it names {intent.leader} as leader, and {view.me} leads"
    if intent.candidate == view.me:
        return f"{view.me} leads already"
    if overdue(view, intent):
        return "its time has passed"
    if intent.candidate and cluster.member(intent.candidate) is None:
        return f"the candidate {intent.candidate} is not a member, or does not report"
    if view.settings.pause and not intent.candidate:
        return "in pause it must name a candidate"
    if view.peers is not None and wait_for(view, intent) == 0 and not successors(view, intent) and not coming(view, intent):
        return "no candidate is fit: " + ("; ".join(unfitness(view, intent)) or "there is no other member")
    return ""


def successors(view: View, intent: Intent | None = None) -> tuple[str, ...]:
    """Names of the heard members that could take over now, the most advanced first."""
    named = intent.candidate if intent else None
    if too_few_voters(view, intent):
        return ()
    fit = [peer for peer in view.peers or () if (not named or peer.name == named) and not why_unfit(view, peer, intent)]
    fit.sort(key=lambda peer: (-_reached(view, peer), -peer.tags.failover_priority, peer.name))
    return tuple(peer.name for peer in fit)


def coming(view: View, intent: Intent) -> bool:
    """Nobody is fit yet, and somebody lacks nothing but a moment, as standbys do after a restart or a failover.

    An order wakes them all: what they say of themselves at the end of the moment is newer than the order. Nobody waits
    where only the key of a standby cluster changes hands.
    """
    seen = view.memory.intent_seen
    if seen is None or view.now - seen[1] > COMING or view.peers is None or view.server.phase is not Phase.PRIMARY:
        return False
    if successors(view, intent):
        return False
    named = [peer for peer in view.peers if not intent.candidate or peer.name == intent.candidate]
    return any(not barred(view, peer, intent) and _behind(view, peer, intent) for peer in named)


def unfitness(view: View, intent: Intent) -> list[str]:
    named = intent.candidate
    few = too_few_voters(view, intent)
    if few:
        return [few]
    asked = [peer for peer in view.peers or () if not named or peer.name == named]
    return [f"{peer.name} {why}" for peer in asked if (why := why_unfit(view, peer, intent))]


def too_few_voters(view: View, intent: Intent | None) -> str:
    """Why nobody could win a race that I leave to others, whoever it is; empty when somebody could (ha.md FP6)."""
    cluster = view.cluster
    if cluster is None or not view.settings.synchronous or not cluster.sync.quorum:
        return ""
    if intent is not None and not intent.switchover:
        return ""
    standbys = [peer for peer in view.peers or () if peer.reachable and not peer.primary]
    answer = [peer for peer in standbys if cluster.sync.is_standby(peer.name)]
    needed = cluster.sync.quorum + 1
    return "" if len(answer) >= needed else f"{len(answer)} of the {needed} quorum members needed answer"


def why_unfit(view: View, peer: Peer, intent: Intent | None = None) -> str:
    """Why `peer` could not take over from me; empty when it could (ha.md FP1 to FP5)."""
    return barred(view, peer, intent) or _behind(view, peer, intent)


def barred(view: View, peer: Peer, intent: Intent | None) -> str:
    """What no moment of waiting changes."""
    cluster = view.cluster
    if not peer.reachable:
        return f"does not answer ({peer.problem})" if peer.problem else "does not answer"
    if peer.tags.nofailover:
        return "is tagged nofailover"
    if peer.watchdog_failed:
        return "has no working watchdog"
    if peer.failsafe:
        return "has promised a leader without the store not to stand for a while"
    planned = intent is None or intent.switchover
    listed = cluster is None or not cluster.sync.active or cluster.sync.lists(peer.name)
    if planned and view.settings.synchronous and not listed:
        return "is not synchronous"
    return "is not a standby" if peer.primary else ""


def _behind(view: View, peer: Peer, intent: Intent | None) -> str:
    """What a standby that connects and catches up makes good."""
    cluster = view.cluster
    # The server's own position, fresher than /status; unknown while it is down.
    mine = view.server.lsn or (cluster.status.optime if cluster else 0)
    behind = lag(mine, _reached(view, peer))
    if behind > view.settings.maximum_lag_on_failover:
        return f"lags {behind} bytes, more than maximum_lag_on_failover"
    known = max(view.server.timeline or 0, cluster.history.timeline if cluster else 0)
    if peer.timeline is not None and peer.timeline < known and remote.section(view) is None:
        return f"is on timeline {peer.timeline}, and the cluster is on {known}"
    if intent is None or not intent.switchover or view.server.phase is not Phase.PRIMARY:
        return ""
    if peer.state in LEAVING:  # its receiver may be there for a moment still, and will not be for the last of my log
        return f"is {peer.state}"
    return "" if _streams(view, peer.name) else UNCONNECTED


def _reached(view: View, peer: Peer) -> Lsn:
    """How far the peer's log goes on disk: what my own server knows of it, where that is newer than the peer's word.

    A member answers with what it saw at its last look, up to a loop_wait ago; a busy primary has outrun that.
    """
    sent = [each.flush_lsn or Lsn(0) for each in view.server.senders if each.application_name == peer.name]
    return max([peer.lsn, *sent])


def _streams(view: View, name: str) -> bool:
    """Whether `name` will get the last of my log while I stop: it streams from me, or from somebody else by design."""
    member = view.cluster.member(name) if view.cluster else None
    if member is not None and member.tags.replicatefrom not in (None, view.me):
        return True
    return any(sender.application_name == name and sender.state == "streaming" for sender in view.server.senders)
