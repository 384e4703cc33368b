"""Named yes-or-no questions about my own part of a view: server, lease, deeds, data. A few lines each.

A fact looks at the view and at nothing else; it reads as an adjective or a clause, and none starts with `not_`.
Those about the cluster, intents and the race are in `cluster_facts`.
"""

from pgctl.agent.core import divergence, duty, intents, logical_slots, recovery
from pgctl.agent.core.job import Bootstrap, Promote, Restart, StartPrimary
from pgctl.agent.core.view import ReinitOrder, RestartOrder, View
from pgctl.model.server import Phase

MAX_REBUILDS = 3
NOT_BELOW_PRIMARY = {
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
}

# --- the server -----------------------------------------------------------------------------------------------------


def primary(view: View) -> bool:
    return view.server.phase is Phase.PRIMARY


def standby(view: View) -> bool:
    return view.server.phase is Phase.STANDBY


def starting(view: View) -> bool:
    return view.server.phase in (Phase.STARTING, Phase.STOPPING)


def stopped(view: View) -> bool:
    return not view.server.running


def unreadable(view: View) -> bool:
    return view.server.phase is Phase.UNREADABLE


def cleanly_stopped(view: View) -> bool:
    control = view.server.control
    return view.server.phase is Phase.DOWN and control is not None and control.state == "shut down"


def was_primary(view: View) -> bool:
    return divergence.was_primary(view.server.control)


def hung_too_long(view: View) -> bool:
    since = view.memory.hung_since
    return since is not None and view.now - since > max(view.settings.retry_timeout, 5.0)


def starved(view: View) -> bool:
    """Replay stands still because the primary runs with more than this standby was started with, and a restart is due.

    Source: PostgreSQL 15, 27.4.3 Administrator's Overview (hot standby parameters).
    """
    waiting = {parameter.name for parameter in view.server.pending_restart}
    return view.server.phase is Phase.STANDBY and view.server.replay_paused and bool(waiting & NOT_BELOW_PRIMARY)


def slots_to_copy(view: View) -> bool:
    """Logical slots that only a restart can bring (PostgreSQL up to 15), and no such restart a moment ago."""
    return bool(logical_slots.to_copy(view))


def too_soon(view: View) -> bool:
    """The last deed failed a moment ago."""
    return view.now < view.memory.retry_at


def rested(view: View) -> bool:
    """No deed failed a moment ago."""
    return view.now >= view.memory.retry_at


def coming(view: View) -> bool:
    """It starts, or is to be started again in a moment."""
    return starting(view) or (stopped(view) and too_soon(view))


def start_keeps_failing(view: View) -> bool:
    return view.memory.start_failures >= recovery.MAX_STARTS


# --- the lease ------------------------------------------------------------------------------------------------------


def leader_is_me(view: View) -> bool:
    return view.cluster is not None and view.cluster.leader_name == view.me


def leaderless(view: View) -> bool:
    return view.cluster is not None and view.cluster.leader is None


def leader_is_other(view: View) -> bool:
    return view.cluster is not None and view.cluster.leader is not None and view.cluster.leader.name != view.me


def unclaimed(view: View) -> bool:
    """The key names me, and by my own clock I hold nothing: it is from an earlier life, or an answer was lost.

    Or I led on without the store, and do not know on which lease the key is.
    """
    return leader_is_me(view) and (not view.lease.held or view.lease.failsafe)


def lease_lost(view: View) -> bool:
    """Known not to be mine: the store names nobody or another, or my own clock has run out.

    A lead that rests on the members' promises outlives the key: nobody else may take it.
    """
    gone = leader_is_other(view) or (leaderless(view) and not view.lease.failsafe)
    return view.lease.left(view.now) <= 0 or gone


def lease_nearly_out(view: View) -> bool:
    """Renewals have failed for so long that stopping in order must begin now."""
    return view.lease.left(view.now) < 2 * view.margin


def unwatched(view: View) -> bool:
    """A watchdog is required here, and cannot be used."""
    return bool(view.host.watchdog_fault)


def bound(view: View) -> bool:
    """I have promised a leader without the store not to stand, and know who it is."""
    return view.promise is not None and view.promise.ping is not None and view.now < view.promise.until


def members_agree(view: View) -> bool:
    """I hold the lead still, and every member that could take it has just promised not to (`core.failsafe`)."""
    return view.cluster is None and view.lease.held and view.round is not None and not view.round.refused


# --- jobs and orders ------------------------------------------------------------------------------------------------


def promoting_revocably(view: View) -> bool:
    return view.job is not None and isinstance(view.job.job, Promote) and not view.job.irrevocable


def starting_as_primary(view: View) -> bool:
    job = view.job.job if view.job else None
    return isinstance(job, StartPrimary) or (isinstance(job, Restart) and job.primary)


def bootstraps(view: View) -> bool:
    return view.job is not None and isinstance(view.job.job, Bootstrap)


def interruptible(view: View) -> bool:
    """A deed that only concerns this copy of the data: a forced reinitialize may cut it short."""
    job = view.job.job if view.job else None
    return job is not None and not isinstance(job, Bootstrap | Promote) and not leader_is_me(view)


def reinit_forced(view: View) -> bool:
    return isinstance(view.order, ReinitOrder) and view.order.force


def reinit_ordered(view: View) -> bool:
    return isinstance(view.order, ReinitOrder)


def restart_ordered(view: View) -> bool:
    return isinstance(view.order, RestartOrder)


# --- synchronous duty -------------------------------------------------------------------------------------------------


def counted_on(view: View) -> bool:
    """Commits of the primary wait for my server, and I have not waited in vain to be released."""
    return duty.counted_on(view)


def about_to_stop(view: View) -> bool:
    """My standby is to be stopped on purpose: by an order, or because it must be restarted."""
    ordered = restart_ordered(view) or reinit_ordered(view)
    needed = (starved(view) or slots_to_copy(view)) and not too_soon(view)
    return view.server.phase is Phase.STANDBY and (ordered or needed)


# --- divergence -----------------------------------------------------------------------------------------------------


def diverged(view: View) -> bool:
    return divergence.diverged(view) is True


def rewindable(view: View) -> bool:
    return view.server.can_rewind and not view.memory.rewind_failed


def rewindable_again(view: View) -> bool:
    """A rewind that failed is tried once more later, each time later, where nothing else would help."""
    wait = min(600.0, 10.0 * 2 ** max(0, view.memory.rewind_failures - 1))
    return view.server.can_rewind and view.now - view.memory.rewind_failed_at > (wait if view.memory.rewind_failed else 0.0)


def rebuild_allowed(view: View) -> bool:
    return view.host.rebuild_allowed and view.memory.rebuilds < MAX_REBUILDS


def handing_over(view: View) -> bool:
    return view.memory.handover is not None


def just_released(view: View) -> bool:
    """Nobody leads, and my handover is so recent that the new leader deserves a moment."""
    since = view.memory.leaderless_since
    return handing_over(view) and since is not None and view.now - since < intents.GRACE


# --- compounds ------------------------------------------------------------------------------------------------------


def up(view: View) -> bool:
    return view.server.phase in (Phase.PRIMARY, Phase.STANDBY)


def no_primary(view: View) -> bool:
    return view.server.phase is not Phase.PRIMARY


def no_standby(view: View) -> bool:
    return view.server.phase is not Phase.STANDBY


def harmless(view: View) -> bool:
    """Known to take no writes: a standby, or no postmaster. One that does not answer, or is on its way, may be a primary."""
    return view.server.phase in (Phase.STANDBY, Phase.DOWN, Phase.EMPTY)


def readable(view: View) -> bool:
    return view.server.phase is Phase.DOWN


def beyond_repair(view: View) -> bool:
    """On another branch and not to be rewound, or failing to start again and again."""
    return (diverged(view) and not rewindable(view)) or start_keeps_failing(view)


def handed_over(view: View) -> bool:
    """My own stop for a switchover is done, and somebody else leads now."""
    return leader_is_other(view) and was_primary(view) and cleanly_stopped(view)


def patience_over(view: View) -> bool:
    """My server had its time to come back, or crashed too often: `recovery`."""
    return recovery.why_over(view) != ""


def starting_too_long(view: View) -> bool:
    """The start's own time is up, or the server began to recover by itself and takes too long."""
    return view.server.phase is Phase.STARTING and (view.memory.start_failures > 0 or patience_over(view))


def recovering_too_long(view: View) -> bool:
    """My server is being brought back in place, and its time is up."""
    return view.job is not None and isinstance(view.job.job, StartPrimary) and recovery.late(view)
