"""Pause, and the lease is not mine: the server is left as it is, but for an order, and a primary that nobody leads."""

from pgctl.agent.core import cluster_facts, data_deeds, deeds, facts, pause, sync_deeds
from pgctl.agent.core.table import rule

RESTING = (
    rule(
        "resting.30",
        "no leader, and my server is the primary: take the lead",
        [facts.leaderless, facts.primary, cluster_facts.native],
        deeds.hold,
    ),
    rule(
        "resting.40",
        "no leader, and the order names me: stand",
        [facts.leaderless, cluster_facts.intent_names_me, facts.standby, cluster_facts.electable],
        deeds.stand,
    ),
    rule(
        "resting.72",
        "commits wait for my server, which is to be stopped: be released first",
        [facts.about_to_stop, facts.counted_on],
        sync_deeds.leave_duty,
    ),
    rule("resting.75", "a restart was ordered", [facts.restart_ordered, facts.up], deeds.restart),
    rule(
        "resting.80",
        "a reinitialize was ordered",
        [facts.reinit_ordered, cluster_facts.source_known],
        data_deeds.rebuild,
    ),
    rule(
        "resting.85",
        "back from the handover that was ordered: follow",
        [facts.handed_over, cluster_facts.native],
        deeds.start_standby,
    ),
    rule("resting.90", "paused: leave the server as it is", [], pause.leave),
)
