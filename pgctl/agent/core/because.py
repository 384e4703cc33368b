"""Why a fact does not hold, in words with the values at hand: for `pgctl explain`, and for nothing else. Pure.

A table by the fact's name. A fact without a row is told by its name; a row is total, whatever the view.
"""

from collections.abc import Callable

from pgctl.agent.core import cluster_facts, divergence, facts, intents, ranking, recovery
from pgctl.agent.core.view import View
from pgctl.model import lsn as lsns
from pgctl.model.server import Phase
from pgctl.units import show_seconds

_PHASES = {
    Phase.PRIMARY: "the server is a primary",
    Phase.STANDBY: "the server is a standby",
    Phase.DOWN: "the server does not run",
    Phase.STARTING: "the server is starting",
    Phase.STOPPING: "the server is stopping",
    Phase.HUNG: "the server runs and does not answer",
    Phase.EMPTY: "there is no data directory",
    Phase.UNREADABLE: "the data directory cannot be used",
}


def failed(view: View, fact: str) -> str:
    """Why `fact` does not hold in `view`; its bare name where no words are known."""
    words = _WORDS.get(fact)
    return words(view) if words is not None else f"it does not hold: {fact.replace('_', ' ')}"


def _server(view: View) -> str:
    return _PHASES.get(view.server.phase, f"the server is {view.server.phase}")


def _leader(view: View) -> str:
    if view.cluster is None:
        return "the store cannot be read"
    name = view.cluster.leader_name
    return "nobody leads" if name is None else "this member leads" if name == view.me else f"{name} leads"


def _lease(view: View) -> str:
    if not view.lease.held:
        return f"this agent holds no lease, and {_leader(view)}"
    return f"the lease lasts {show_seconds(view.lease.left(view.now))} more"


def _intent(view: View) -> str:
    """What is ordered, as far as it matters why it does not concern this member."""
    intent = intents.open_intent(view)
    if intent is None:
        return "no switchover or failover is ordered"
    if intent.schedule_fault:
        return f"the time of the order cannot be read: {intent.schedule_fault}"
    left = intents.wait_for(view, intent)
    if left > 0:
        return f"the switchover that is ordered is due in {show_seconds(left)}"
    who = f"from {intent.leader or 'whoever leads'} to {intent.candidate or 'whoever is fit'}"
    waited = view.memory.leaderless_since
    over = waited is not None and view.now - waited > intents.GRACE
    return f"what is ordered is {who}" + (f", which has had its {show_seconds(intents.GRACE)}" if over else "")


def _control(view: View) -> str:
    control = view.server.control
    return _server(view) if control is None else f'pg_control says "{control.state}"'


def _initialize(view: View) -> str:
    value = view.cluster.initialize if view.cluster else None
    if value is None:
        return "no member has claimed to make this cluster"
    return "a member is making this cluster" if value == "" else f"the cluster is made, its system identifier is {value}"


def _bootstrap(view: View) -> str:
    tagged = view.host.tags.nofailover
    return "tagged nofailover" if tagged else "there is no bootstrap section in this member's configuration"


def _abandoned(view: View) -> str:
    others = [each for each in view.cluster.members if each.name != view.me] if view.cluster else []
    makers = [f"{each.name} ({each.state})" for each in others if each.state in cluster_facts.MAKING]
    if not cluster_facts.bootstrap_under_way(view):
        return _initialize(view)
    if makers or view.memory.claim_seen is None:
        return f"{', '.join(makers) or 'somebody'} may be making it"
    waited, patience = show_seconds(view.now - view.memory.claim_seen[1]), show_seconds(2 * view.settings.ttl)
    return f"nobody has been at it for {waited}, of {patience} to wait"


def _leaderless_for(view: View, patience: float) -> str:
    since = view.memory.leaderless_since
    if since is None:
        return _leader(view)
    return f"nobody has led for {show_seconds(view.now - since)}, of {show_seconds(patience)} to wait"


def _electable(view: View) -> str:
    optime = view.cluster.status.optime if view.cluster else 0
    if view.host.tags.nofailover:
        return "tagged nofailover"
    if cluster_facts.behind_history(view):
        return _timeline(view)
    return f"{lsns.lag(optime, view.server.lsn or lsns.Lsn(0))} bytes of the former leader's log are missing"


def _timeline(view: View) -> str:
    known = view.cluster.history.timeline if view.cluster else 0
    return f"the server is on timeline {view.server.timeline or 'unknown'}, the cluster on {known or 'an unknown one'}"


def _source(view: View) -> str:
    leader = view.cluster.leader_member if view.cluster else None
    if leader is None:
        return f"there is nobody to copy from: {_leader(view)}"
    return f"{leader.name} cannot be copied from: it says {leader.role or 'nothing of its role'}, {leader.state}"


def _astray(view: View) -> str:
    if divergence.diverged(view):
        return f"{_leader(view)}, and does not run as a leader yet"
    return _diverged(view)


def _diverged(view: View) -> str:
    found = divergence.diverged(view)
    if found is False:
        return "the data lies on the leader's branch of history"
    why = "it cannot be asked" if view.history_asked else "no need is seen"
    return f"the leader's history has not been compared: {why}"


def _rewindable(view: View) -> str:
    if view.memory.rewind_failed:
        return f"pg_rewind failed: {view.memory.last_failure or 'see the log'}"
    return "pg_rewind cannot be used: it is switched off, or the data has neither checksums nor wal_log_hints"


def _rebuild(view: View) -> str:
    if not view.host.rebuild_allowed:
        return "the configuration does not allow to remove the data directory"
    return f"the data was rebuilt in vain {view.memory.rebuilds} of {facts.MAX_REBUILDS} times"


def _failures(view: View) -> str:
    return f"the server failed to start {view.memory.start_failures} of {recovery.MAX_STARTS} times"


def _hung(view: View) -> str:
    since = view.memory.hung_since
    return _server(view) if since is None else f"the server has been silent for {show_seconds(view.now - since)} only"


def _successors(view: View) -> str:
    if view.peers is None:
        return "no other member was asked"
    unfit = [f"{peer.name} {why}" for peer in view.peers if (why := intents.why_unfit(view, peer))]
    return "; ".join(unfit) or "there is no other member"


def _heard(view: View) -> str:
    """What the others say, as it counts in a race."""
    if view.peers is None:
        return "no other member was asked"
    told = (f"{each.name} {f'at {lsns.show(each.lsn)}' if each.reachable else 'does not answer'}" for each in view.peers)
    mine = lsns.show(view.server.lsn) if view.server.lsn is not None else "unknown"
    return f"{', '.join(told) or 'there is no other member'}; here {mine}"


def _refusals(view: View) -> str:
    """Who did not promise to leave the lead to me while the store is away."""
    if view.round is None:
        return "the members were not asked to go on without the store"
    return "; ".join(f"{name} did not agree ({why})" for name, why in view.round.refused) or _lease(view)


def _bound(view: View) -> str:
    if view.host.tags.nofailover:
        return "tagged nofailover"
    if cluster_facts.led_without_store(view):
        return "a leader that cannot reach the store has been promised the lead"
    return "this member is not in the failsafe topology"


def _nothing_bars(view: View) -> str:
    return ranking.bar(view) or "nothing bars this member"


_WORDS: dict[str, Callable[[View], str]] = {
    "about_to_stop": lambda view: "nobody wants my server to stop",
    "alien": lambda view: "the data is this cluster's",
    "astray": _astray,
    "barred": _nothing_bars,
    "behind_history": _timeline,
    "beyond_repair": lambda view: f"{_diverged(view)}; {_failures(view)}",
    "bound": lambda view: "no leader without the store has been promised anything",
    "bootstrap_abandoned": _abandoned,
    "bootstrap_failed": lambda view: "no bootstrap of this member failed",
    "bootstrap_under_way": _initialize,
    "bootstraps": lambda view: "no cluster is being made here",
    "claim_open": _abandoned,
    "cleanly_stopped": _control,
    "cluster_moved_on": _timeline,
    "coming": _server,
    "counted_on": lambda view: "no commit waits for my server",
    "diverged": _diverged,
    "electable": _electable,
    "forsaken": lambda view: _leaderless_for(view, 2 * view.settings.ttl),
    "free_to_stand": _bound,
    "handed_over": lambda view: f"{_leader(view)}; {_control(view)}",
    "handover_spoilt": lambda view: f"no switchover of this member is under way, or it stopped cleanly; {_control(view)}",
    "handing_over": lambda view: "no handover of this member is under way",
    "held_back": lambda view: f"nobody who answers has more of the log, and no vote is missing: {_heard(view)}",
    "hopeful": lambda view: f"nobody who may take over says that the last of my log is there: {_heard(view)}",
    "hung_too_long": _hung,
    "in_office": _server,
    "intent_asks_me_to_leave": _intent,
    "intent_names_another": _intent,
    "intent_names_me": _intent,
    "intent_objectionable": lambda view: "nothing is ordered, or nothing stands against it",
    "interruptible": lambda view: "the deed under way must not be cut short",
    "just_released": lambda view: f"{_leader(view)}, or the handover is long ago",
    "leader_is_me": _leader,
    "leader_is_other": _leader,
    "leaderless": _leader,
    "lease_lost": _lease,
    "lease_nearly_out": _lease,
    "led_without_store": lambda view: "nobody has promised a leader without the store not to stand",
    "may_bootstrap": _bootstrap,
    "members_agree": _refusals,
    "native": lambda view: "the data is another cluster's",
    "never_initialized": _initialize,
    "no_primary": _server,
    "no_standby": _server,
    "out_of_office": _server,
    "patience_over": _failures,
    "paused_as_last_known": lambda view: "the cluster was not paused when the store was last read",
    "primary": _server,
    "primary_alive": lambda view: f"no other member answers as a primary: {_heard(view)}",
    "promoting_revocably": lambda view: "no promotion is under way that could be called off",
    "readable": _server,
    "rebuild_allowed": _rebuild,
    "recorded": _initialize,
    "recovering_too_long": lambda view: "the server is not being brought back in place, or not for long",
    "reinit_forced": lambda view: "no forced reinitialize is ordered",
    "reinit_ordered": lambda view: "no reinitialize is ordered",
    "remote_silent": lambda view: "the remote primary sends",
    "restart_ordered": lambda view: "no restart is ordered",
    "rested": lambda view: f"the last try failed a moment ago: {view.memory.last_failure or 'see the log'}",
    "rewindable": _rewindable,
    "rewindable_again": _rewindable,
    "slots_to_copy": lambda view: "no permanent logical slot is to be copied with a restart",
    "somebody_can_take_over": _successors,
    "somebody_unheard": lambda view: "everybody who answers has seen that the leader is gone",
    "source_known": _source,
    "standby": _server,
    "standby_cluster": lambda view: "this is no standby cluster",
    "starting_as_primary": lambda view: "no primary is being started",
    "starting_too_long": lambda view: f"{_server(view)}; {_failures(view)}",
    "starved": lambda view: "replay does not wait for a restart",
    "stopped": _server,
    "stuck": lambda view: f"{_hung(view)}; {_failures(view)}",
    "successor_coming": lambda view: f"{_intent(view)}; nobody is just connecting or catching up",
    "sync_foreign": lambda view: "`/sync` names nobody else as its leader",
    "synchronous": lambda view: "synchronous_mode is off",
    "too_soon": lambda view: "nothing failed a moment ago",
    "unclaimed": _lease,
    "unreadable": _server,
    "unwatched": lambda view: "no watchdog is required, or it works",
    "up": _server,
    "was_primary": _control,
}
