"""Nobody leads, my server runs, and nothing says which cluster this is: its primary makes the record."""

from pgctl.agent.core import birth, cluster_facts, deeds, facts
from pgctl.agent.core.table import rule

UNRECORDED = (
    rule(
        "unrecorded.10",
        "a primary in a cluster without a record: adopt it",
        [facts.primary, cluster_facts.claim_open],
        deeds.adopt,
    ),
    rule(
        "unrecorded.20",
        "a standby cluster without a record, and a copy of its remote primary: adopt it",
        [facts.standby, cluster_facts.standby_cluster, cluster_facts.claim_open, cluster_facts.free_to_stand],
        deeds.adopt,
    ),
    rule("unrecorded.90", "a cluster without a record: wait for its primary to make one", [], birth.await_record),
)
