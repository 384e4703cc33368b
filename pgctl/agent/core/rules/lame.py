"""I hold the lease and my server does not run: hand over, bring it back, or let somebody else lead."""

from pgctl.agent.core import cluster_facts, data_deeds, deeds, facts, give_way, handover, standby_leader
from pgctl.agent.core.table import rule

LAME = (
    rule("lame.05", "the data directory cannot be used: give the lead up", [facts.unreadable], deeds.release),
    rule(
        "lame.10",
        "stopped in order for another: the key goes once my log is known to have arrived",
        [facts.handing_over, facts.cleanly_stopped, handover.hopeful],
        handover.hand_over,
    ),
    rule("lame.15", "the key names me from an earlier life: take it over", [facts.unclaimed], deeds.reclaim),
    rule(
        "lame.17",
        "the watchdog that is required cannot be used: give the lead up",
        [facts.unwatched],
        deeds.release,
    ),
    rule(
        "lame.20",
        "it does not come up, or not for long, and somebody can take over: give the lead up",
        [facts.patience_over, cluster_facts.somebody_can_take_over],
        give_way.yield_lead,
    ),
    rule("lame.25", "the last try failed a moment ago: wait", [facts.too_soon], deeds.wait_for_retry),
    rule(
        "lame.40",
        "my data left the remote primary's branch: rewind it",
        [facts.diverged, facts.rewindable],
        data_deeds.rewind,
    ),
    rule(
        "lame.50",
        "this is a standby cluster now, and the primary is stopped: come back as its standby leader",
        [cluster_facts.standby_cluster, facts.cleanly_stopped],
        standby_leader.turn,
    ),
    rule("lame.60", "I lead a standby cluster: start", [cluster_facts.standby_cluster], standby_leader.start),
    rule(
        "lame.80",
        "renewals fail and the lease is nearly out: wait for the one or the other to end",
        [facts.lease_nearly_out],
        deeds.wait_soon,
    ),
    rule("lame.90", "I lead and the server is gone: bring it back", [], deeds.bring_back),
)
