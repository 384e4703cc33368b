"""Somebody else holds the lease: be a standby of theirs, on their branch of history."""

from pgctl.agent.core import cluster_facts, data_deeds, deeds, facts, sync_deeds
from pgctl.agent.core.table import rule

FOLLOW = (
    rule("follow.10", "a primary, and the lease is another's: stop at once", [facts.primary], deeds.stop_now),
    rule("follow.15", "the server does not answer: stop it", [facts.hung_too_long], deeds.stop_now),
    rule(
        "follow.18",
        "commits wait for my server, which is to be stopped: be released first",
        [facts.about_to_stop, facts.counted_on],
        sync_deeds.leave_duty,
    ),
    rule(
        "follow.20",
        "a reinitialize was ordered: build the data anew",
        [facts.reinit_ordered, cluster_facts.source_known],
        data_deeds.rebuild,
    ),
    rule("follow.30", "a restart was ordered", [facts.restart_ordered, facts.up], deeds.restart),
    rule("follow.35", "the last try failed a moment ago: wait", [facts.too_soon], deeds.wait_for_retry),
    rule(
        "follow.40",
        "my data left the leader's branch: rewind it",
        [cluster_facts.astray, facts.rewindable],
        data_deeds.rewind,
    ),
    rule(
        "follow.50",
        "my data left the leader's branch and cannot be rewound: build it anew",
        [cluster_facts.astray, facts.rebuild_allowed, cluster_facts.source_known],
        data_deeds.rebuild,
    ),
    rule(
        "follow.60",
        "my data left the leader's branch: an operator must reinitialize it",
        [cluster_facts.astray],
        deeds.follow_soon,
    ),
    rule(
        "follow.70",
        "replay stands still for want of a setting that the primary has raised: restart",
        [facts.starved],
        deeds.restart,
    ),
    rule(
        "follow.80",
        "permanent logical slots are missing here and can only be copied: restart with them",
        [facts.slots_to_copy],
        data_deeds.copy_slots,
    ),
    rule("follow.90", "in order", [], deeds.follow),
)
