"""I hold the lease: keep the primary, keep the cluster's keys, and hand over in order when asked."""

from pgctl.agent.core import cluster_facts, deeds, facts, give_way, handover, race_facts, sync_deeds
from pgctl.agent.core.table import rule

LEAD = (
    rule(
        "lead.10",
        "the key names me, and I do not know it to be on my lease: take it over",
        [facts.unclaimed],
        deeds.reclaim,
    ),
    rule(
        "lead.15",
        "the watchdog that is required does not guard: step down",
        [facts.unwatched, facts.up],
        give_way.step_down,
    ),
    rule(
        "lead.20",
        "renewals fail and the lease is nearly out: stop in order",
        [facts.primary, facts.lease_nearly_out],
        deeds.stop_fast,
    ),
    rule(
        "lead.30",
        "the server does not answer, or starts for too long while somebody can take over: stop it",
        [cluster_facts.stuck],
        give_way.stop_stuck,
    ),
    rule(
        "lead.36",
        "still a standby, and `/sync` is another's: give the lead up",
        [facts.standby, race_facts.sync_foreign],
        deeds.release,
    ),
    rule(
        "lead.40",
        "I lead and am still a standby: claim `/sync` where it is kept, and promote",
        [facts.standby, facts.rested],
        sync_deeds.take_over,
    ),
    rule(
        "lead.50",
        "the server is on its way, or the last try failed a moment ago: wait",
        [facts.no_primary],
        give_way.wait_for_server,
    ),
    rule(
        "lead.60",
        "an intent that cannot be honoured: close it with its reason",
        [cluster_facts.intent_objectionable],
        deeds.close_intent,
    ),
    rule(
        "lead.65",
        "an intent asks for another leader, and the standbys are just coming up to it: wait a moment",
        [cluster_facts.successor_coming],
        deeds.lead_soon,
    ),
    rule(
        "lead.70",
        "an intent asks for another leader, who is fit: stop in order",
        [cluster_facts.intent_asks_me_to_leave],
        handover.step_aside,
    ),
    rule("lead.80", "a restart was ordered", [facts.restart_ordered], deeds.restart),
    rule("lead.90", "all is well", [], deeds.lead),
)
