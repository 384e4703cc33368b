"""Data, and no server. Who leads says what to bring it back as."""

from pgctl.agent.core import cluster_facts, deeds, facts
from pgctl.agent.core.table import rule

DOWN = (
    rule(
        "down.05",
        "the data directory cannot be used: touch nothing",
        [facts.unreadable, facts.leader_is_me],
        deeds.release,
    ),
    rule(
        "down.10",
        "handed over: stopped cleanly, all of my log is sent",
        [facts.leader_is_me, facts.handing_over, facts.cleanly_stopped],
        deeds.hand_over,
    ),
    rule(
        "down.15",
        "the key names me from an earlier life: take it over",
        [facts.unclaimed, facts.readable],
        deeds.reclaim,
    ),
    rule(
        "down.20",
        "it will not start, and somebody can take over: give the lead up",
        [facts.leader_is_me, facts.patience_over, cluster_facts.somebody_can_take_over],
        deeds.release,
    ),
    rule(
        "down.22",
        "a reinitialize was ordered: build the data anew",
        [facts.leader_is_other, facts.reinit_ordered, cluster_facts.source_known],
        deeds.rebuild,
    ),
    rule("down.25", "the last try failed a moment ago: wait", [facts.too_soon], deeds.wait_for_retry),
    rule("down.30", "I lead and the server is gone: bring it back", [facts.leader_is_me, facts.readable], deeds.bring_back),
    rule("down.40", "handed over a moment ago: wait for the new leader", [facts.just_released], deeds.wait_soon),
    rule(
        "down.50",
        "my data left the leader's branch: rewind it",
        [facts.leader_is_other, facts.diverged, facts.rewindable],
        deeds.rewind,
    ),
    rule(
        "down.60",
        "it cannot follow as it is: build it anew",
        [facts.leader_is_other, facts.beyond_repair, facts.rebuild_allowed, cluster_facts.source_known],
        deeds.rebuild,
    ),
    rule("down.70", "start as a standby", [facts.readable], deeds.start_standby),
    rule("down.90", "nothing to start: wait for an operator", [], deeds.wait),
)
