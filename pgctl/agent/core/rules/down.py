"""Data, and no server, and the lease is not mine: come back as a standby of whoever leads."""

from pgctl.agent.core import cluster_facts, data_deeds, deeds, facts
from pgctl.agent.core.table import rule

DOWN = (
    rule(
        "down.22",
        "a reinitialize was ordered: build the data anew",
        [facts.reinit_ordered, cluster_facts.source_known],
        data_deeds.rebuild,
    ),
    rule("down.25", "the last try failed a moment ago: wait", [facts.too_soon], deeds.wait_for_retry),
    rule("down.40", "handed over a moment ago: wait for the new leader", [facts.just_released], deeds.wait_soon),
    rule(
        "down.50",
        "my data left the leader's branch: rewind it",
        [cluster_facts.astray, facts.rewindable],
        data_deeds.rewind,
    ),
    rule(
        "down.60",
        "it cannot follow as it is: build it anew",
        [facts.beyond_repair, facts.rebuild_allowed, cluster_facts.source_known],
        data_deeds.rebuild,
    ),
    rule("down.70", "start as a standby", [facts.readable], deeds.start_standby),
    rule("down.90", "nothing to start: wait for an operator", [], deeds.wait),
)
