"""No data directory: make a new cluster, or a copy of the one there is."""

from pgctl.agent.core import birth, cluster_facts, data_deeds, deeds, facts
from pgctl.agent.core.table import rule

EMPTY = (
    rule("empty.10", "the data directory is gone while I lead: give the lead up", [facts.leader_is_me], deeds.release),
    rule(
        "empty.15",
        "the bootstrap that I claimed failed: drop the claim",
        [facts.leaderless, cluster_facts.bootstrap_failed],
        birth.drop_claim,
    ),
    rule("empty.20", "the last try failed a moment ago: wait", [facts.too_soon], deeds.wait_for_retry),
    rule(
        "empty.25",
        "nobody ever made this standby cluster, and I may: copy the remote primary",
        [facts.leaderless, cluster_facts.never_initialized, cluster_facts.may_bootstrap, cluster_facts.standby_cluster],
        birth.copy_remote,
    ),
    rule(
        "empty.30",
        "nobody ever made this cluster, and I may: make it",
        [facts.leaderless, cluster_facts.never_initialized, cluster_facts.may_bootstrap],
        birth.bootstrap,
    ),
    rule("empty.40", "there is a leader: copy its data", [cluster_facts.source_known], data_deeds.clone),
    rule(
        "empty.45",
        "whoever was making this cluster is gone: drop the claim",
        [facts.leaderless, cluster_facts.may_bootstrap, cluster_facts.bootstrap_abandoned],
        birth.drop_claim,
    ),
    rule(
        "empty.50",
        "somebody is making this cluster: wait for a leader",
        [cluster_facts.bootstrap_under_way],
        deeds.wait_soon,
    ),
    rule(
        "empty.55",
        "a standby cluster that nobody leads: copy the remote primary",
        [cluster_facts.forsaken],
        data_deeds.clone,
    ),
    rule("empty.60", "the leader cannot be copied from yet: wait for it", [facts.leader_is_other], deeds.wait_soon),
    rule("empty.90", "nothing to copy from: wait for a leader", [], birth.wait_for_origin),
)
