"""Named yes-or-no questions about the cluster, its intents and the race for the lead. See `facts`."""

from pgctl.agent.core import facts, failsafe, follow_target, handover, intents, ranking, remote
from pgctl.agent.core.view import View
from pgctl.model.member import Role, State

MAKING = (
    State.INITIALIZING,
    State.RUNNING_CUSTOM_BOOTSTRAP,
    State.STARTING_AFTER_CUSTOM_BOOTSTRAP,
    State.STARTING,
    State.RUNNING,
)

# --- the cluster ----------------------------------------------------------------------------------------------------


def never_initialized(view: View) -> bool:
    return view.cluster is not None and view.cluster.initialize is None


def identifier_missing(view: View) -> bool:
    return view.cluster is not None and view.cluster.known_identifier is None


def recorded(view: View) -> bool:
    """The cluster has been made: `initialize` holds its identifier."""
    return view.cluster is not None and view.cluster.known_identifier is not None


def may_bootstrap(view: View) -> bool:
    return view.host.bootstrap is not None and not view.host.tags.nofailover


def bootstrap_under_way(view: View) -> bool:
    return view.cluster is not None and view.cluster.initialize == ""


def bootstrap_failed(view: View) -> bool:
    return bootstrap_under_way(view) and view.memory.bootstrapping


def bootstrap_abandoned(view: View) -> bool:
    """`initialize` has no lease (ha.md WK41): a claim is abandoned when nobody registered has been at it for a while."""
    since = view.memory.claim_seen
    others = [member for member in view.cluster.members if member.name != view.me] if view.cluster else []
    makers = [member for member in others if member.state in MAKING]
    patience = 2 * view.settings.ttl
    return bootstrap_under_way(view) and not makers and since is not None and view.now - since[1] > patience


def claim_open(view: View) -> bool:
    """Nobody else is making this cluster: there is no claim, or it is mine, or it was abandoned."""
    return not bootstrap_under_way(view) or view.memory.bootstrapping or bootstrap_abandoned(view)


def record_lost(view: View) -> bool:
    """Nobody has made a record of this cluster for two leases: no primary is left that would, and no old lease holds."""
    since = view.memory.leaderless_since
    waited = since is not None and view.now - since > 2 * view.settings.ttl
    return waited and identifier_missing(view) and claim_open(view)


def source_known(view: View) -> bool:
    """There is a leader that runs as one, and an address to clone from."""
    return _leader_runs(view) and follow_target.source(view) is not None


def astray(view: View) -> bool:
    """My data left the branch of a leader that runs as one; before that its branch is not the cluster's, and may never be.

    Where this was a standby cluster a moment ago, its data may be older than everybody else's.
    """
    return facts.diverged(view) and _leader_runs(view)


def _leader_runs(view: View) -> bool:
    leader = view.cluster.leader_member if view.cluster else None
    wanted = (Role.STANDBY_LEADER,) if standby_cluster(view) else (Role.PRIMARY, "master")
    return leader is not None and leader.role in wanted


def behind_history(view: View) -> bool:
    """The cluster has moved to a later timeline than my server's: somebody was promoted meanwhile."""
    return ranking.older_timeline(view)


# --- intents --------------------------------------------------------------------------------------------------------


def intent_due(view: View) -> bool:
    intent = intents.open_intent(view)
    return intent is not None and not intent.schedule_fault and intents.wait_for(view, intent) == 0


def intent_objectionable(view: View) -> bool:
    intent = intents.open_intent(view)
    return intent is not None and not intent_fulfilled(view) and intents.objection(view, intent) != ""


def intent_fulfilled(view: View) -> bool:
    """A due wish that my leading has fulfilled: to leave somebody else, or to have me lead."""
    intent = intents.open_intent(view)
    if intent is None or not intent_due(view):
        return False
    return intent.leader != view.me if intent.leader else intent.candidate == view.me


def intent_asks_me_to_leave(view: View) -> bool:
    intent = intents.open_intent(view)
    return intent_due(view) and intent is not None and intent.leader in (None, "", view.me) and intent.candidate != view.me


def handover_spoilt(view: View) -> bool:
    """A switchover is under way, which promises to lose nothing, and nobody has all of my log, as far as can be heard."""
    intent = intents.open_intent(view)
    planned = facts.handing_over(view) and intent is not None and intent.switchover
    return planned and facts.readable(view) and not (facts.cleanly_stopped(view) and handover.hopeful(view))


def successor_coming(view: View) -> bool:
    """An order for another leader is due, and whoever could take over has yet to connect."""
    intent = intents.open_intent(view)
    return intent is not None and intent_asks_me_to_leave(view) and intents.coming(view, intent)


def intent_names_me(view: View) -> bool:
    intent = intents.open_intent(view)
    return intent_due(view) and intent is not None and intent.candidate == view.me


def intent_names_another(view: View) -> bool:
    """Somebody else was asked for by name, or I am the one to leave; and they still have time."""
    intent = intents.open_intent(view)
    since = view.memory.leaderless_since
    if not intent_due(view) or intent is None or since is None or view.now - since > intents.GRACE:
        return False
    if intent.candidate and intent.candidate != view.me:
        peer = next((peer for peer in view.peers or () if peer.name == intent.candidate), None)
        return peer is None or peer.reachable
    return intent.leader == view.me


def lacks_final_wal(view: View) -> bool:
    """The leader that stepped down wrote how far its log goes, and mine does not reach it."""
    optime = view.cluster.status.optime if view.cluster else 0
    return (view.server.lsn or 0) < optime


# --- the race -------------------------------------------------------------------------------------------------------


def barred(view: View) -> bool:
    return ranking.bar(view) != ""


def primary_alive(view: View) -> bool:
    return any(peer.reachable and peer.primary for peer in view.peers or ())


def led_without_store(view: View) -> bool:
    """I have promised a leader that cannot reach the store not to stand, or a member that answers has."""
    return failsafe.promised(view) > 0 or any(peer.reachable and peer.failsafe for peer in view.peers or ())


def somebody_unheard(view: View) -> bool:
    return view.peers is None or bool(ranking.unheard(view))


def somebody_can_take_over(view: View) -> bool:
    return bool(intents.successors(view))


def stuck(view: View) -> bool:
    """My server is silent; or it has been starting for too long, and somebody else could lead."""
    return facts.hung_too_long(view) or (facts.starting_too_long(view) and somebody_can_take_over(view))


def alien(view: View) -> bool:
    """The data is another cluster's; while the store cannot be read, by what it said last."""
    cluster = view.cluster or view.memory.cluster
    known = cluster.known_identifier if cluster else None
    return bool(known and view.server.system_identifier and known != view.server.system_identifier)


def native(view: View) -> bool:
    """The data is this cluster's, as far as is known."""
    return not alien(view)


def electable(view: View) -> bool:
    """Fit to be promoted by name: no tag against it, on the cluster's timeline, all of the log of a leader who stepped down.

    A manual failover (no leader named) accepts the loss of what is missing; that is what it is for. A second timeline
    of the same number it does not accept: `ranking.older_timeline`. A planned one asks for what a race asks for in
    synchronous mode: the leader may have died while it stopped.
    """
    intent = intents.open_intent(view)
    planned = intent is not None and intent.switchover
    missing = planned and ((lacks_final_wal(view) and not standby_cluster(view)) or not ranking.entitled(view))
    return free_to_stand(view) and not missing and not behind_history(view)


def free_to_stand(view: View) -> bool:
    """Neither my tags nor a promise, mine or a peer's, nor `/failsafe`, nor a missing watchdog keep me from leading."""
    barred = view.host.tags.nofailover or facts.unwatched(view)
    return not barred and not led_without_store(view) and not failsafe.shut_out(view)


# --- the standby cluster --------------------------------------------------------------------------------------------


def standby_cluster(view: View) -> bool:
    """Its leader is a standby, of a primary outside of it."""
    return remote.section(view) is not None


def in_office(view: View) -> bool:
    """My server is what a leader's is: a primary, or in a standby cluster a standby."""
    return facts.primary(view) or (facts.standby(view) and standby_cluster(view))


def out_of_office(view: View) -> bool:
    """Known to be something else: one that does not answer, or is on its way, may yet be a primary."""
    return facts.harmless(view) and not in_office(view)


def remote_silent(view: View) -> bool:
    return remote.unfed(view)


def forsaken(view: View) -> bool:
    """A standby cluster that was made, and that nobody has led for two leases: the remote still has all of its data."""
    since = view.memory.leaderless_since
    waited = since is not None and view.now - since > 2 * view.settings.ttl
    return waited and standby_cluster(view) and not identifier_missing(view)
