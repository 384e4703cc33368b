"""Pause, and I hold the lease. Nothing is started, stopped or demoted but by an order that says so."""

from pgctl.agent.core import cluster_facts, deeds, facts, handover, pause, race_facts, standby_leader, sync_deeds
from pgctl.agent.core.table import rule

PAUSED = (
    rule(
        "paused.05",
        "the data is another cluster's: give the lead up",
        [cluster_facts.alien],
        pause.release,
    ),
    rule(
        "paused.10",
        "stopped in order for another, as ordered: the key goes once my log is known to have arrived",
        [facts.handing_over, facts.cleanly_stopped, handover.hopeful],
        handover.hand_over,
    ),
    rule(
        "paused.15",
        "a switchover, and not all of my log went out: call it off",
        [cluster_facts.handover_spoilt],
        pause.close_intent,
    ),
    rule(
        "paused.20",
        "the key names me from an earlier life: take it over",
        [facts.unclaimed, cluster_facts.in_office],
        deeds.reclaim,
    ),
    rule(
        "paused.50",
        "an order that cannot be honoured: close it with its reason",
        [cluster_facts.intent_objectionable],
        deeds.close_intent,
    ),
    rule(
        "paused.55",
        "an intent asks for another leader, and the standbys are just coming up to it: wait a moment",
        [cluster_facts.successor_coming],
        pause.leave_soon,
    ),
    rule(
        "paused.60",
        "an order asks me to hand over: stop",
        [facts.primary, cluster_facts.intent_asks_me_to_leave],
        handover.step_aside,
    ),
    rule(
        "paused.65",
        "an order asks me to hand a standby cluster over: give the lead up",
        [facts.standby, cluster_facts.standby_cluster, cluster_facts.intent_asks_me_to_leave],
        standby_leader.give_up,
    ),
    rule(
        "paused.67",
        "an order has me take over: claim `/sync` where that is kept, and promote",
        [facts.standby, race_facts.synchronous, cluster_facts.intent_names_me, cluster_facts.electable],
        sync_deeds.take_over,
    ),
    rule(
        "paused.70",
        "the key is mine and my server is not what a leader's is: give the lead up",
        [cluster_facts.out_of_office],
        pause.release,
    ),
    rule("paused.75", "a restart was ordered", [facts.restart_ordered, facts.up], deeds.restart),
    rule("paused.90", "paused: leave the server as it is", [], pause.leave),
)
