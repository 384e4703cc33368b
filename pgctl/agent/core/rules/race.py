"""Nobody leads and my server runs: who should stand, and is it me?"""

from pgctl.agent.core import cluster_facts, deeds, facts, race_facts, standby_leader, without_store
from pgctl.agent.core.table import rule

RACE = (
    rule(
        "race.15",
        "a primary, and the cluster has moved on: stop",
        [facts.primary, race_facts.cluster_moved_on],
        deeds.stop_now,
    ),
    rule(
        "race.17",
        "a primary in a standby cluster: stop in order",
        [facts.primary, cluster_facts.standby_cluster],
        standby_leader.stand_down,
    ),
    rule("race.20", "a primary, and nobody leads: take the lead", [facts.primary], deeds.hold),
    rule(
        "race.25",
        "a leader goes on without the store, and was promised the lead: wait",
        [facts.standby, cluster_facts.led_without_store],
        without_store.say_promise,
    ),
    rule(
        "race.30",
        "the intent names another, who still has time",
        [cluster_facts.intent_names_another],
        deeds.follow_soon,
    ),
    rule(
        "race.40",
        "the intent names me, and I am fit",
        [cluster_facts.intent_names_me, facts.standby, cluster_facts.electable],
        deeds.stand,
    ),
    rule("race.50", "I may not stand", [facts.standby, cluster_facts.barred], deeds.say_bar),
    rule(
        "race.60",
        "a primary still answers: wait for it to stop",
        [facts.standby, cluster_facts.primary_alive],
        deeds.follow_soon,
    ),
    rule(
        "race.70",
        "a member that answers has not looked yet: ask again",
        [facts.standby, cluster_facts.somebody_unheard],
        deeds.ask_again,
    ),
    rule("race.80", "somebody is ahead of me, or votes are missing", [facts.standby, race_facts.held_back], deeds.say_ahead),
    rule("race.85", "nobody I must hear from is missing, and nobody is ahead of me", [facts.standby], deeds.stand),
    rule("race.90", "the server is on its way: wait", [], deeds.follow_soon),
)
