"""I hold the lease of a standby cluster: keep a standby of the remote primary, and hand the lead over when asked."""

from pgctl.agent.core import cluster_facts, data_deeds, deeds, facts, standby_leader
from pgctl.agent.core.table import rule

STANDBY_LEAD = (
    rule(
        "standby_lead.10",
        "the key names me, and by my clock I hold nothing: take it over on my lease",
        [facts.unclaimed],
        deeds.reclaim,
    ),
    rule(
        "standby_lead.20",
        "this is a standby cluster now: stop the primary in order",
        [facts.primary],
        standby_leader.stand_down,
    ),
    rule("standby_lead.30", "the server does not answer: stop it", [facts.hung_too_long], deeds.stop_now),
    rule("standby_lead.35", "the last try failed a moment ago: wait", [facts.standby, facts.too_soon], deeds.wait_for_retry),
    rule(
        "standby_lead.40",
        "my data left the remote primary's branch: rewind it",
        [facts.standby, facts.diverged, facts.rewindable_again],
        data_deeds.rewind,
    ),
    rule("standby_lead.50", "the server is on its way: wait", [facts.no_standby], deeds.wait_soon),
    rule(
        "standby_lead.60",
        "an intent that cannot be honoured: close it with its reason",
        [cluster_facts.intent_objectionable],
        standby_leader.close_intent,
    ),
    rule(
        "standby_lead.70",
        "an intent asks for another leader, who is fit: give the lead up",
        [cluster_facts.intent_asks_me_to_leave],
        standby_leader.give_up,
    ),
    rule("standby_lead.75", "a restart was ordered", [facts.restart_ordered], deeds.restart),
    rule(
        "standby_lead.80",
        "replay stands still for want of a setting that the remote primary has raised: restart",
        [facts.starved],
        deeds.restart,
    ),
    rule(
        "standby_lead.85",
        "the remote primary sends nothing: stay up and wait for it",
        [cluster_facts.remote_silent],
        standby_leader.wait_for_remote,
    ),
    rule("standby_lead.90", "all is well: a standby of the remote primary", [], standby_leader.keep),
)
