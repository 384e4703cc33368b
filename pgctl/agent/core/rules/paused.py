"""Pause: the operator is at work. Nothing is started, stopped, promoted or demoted, except by an order that says so."""

from dataclasses import replace

from pgctl.agent.core import cluster_facts, deeds, facts, upkeep
from pgctl.agent.core.table import Plan, rule
from pgctl.agent.core.view import View


def leave(view: View) -> Plan:
    """The fence lets go, the key and the member document are kept; a standby is still pointed at a new leader."""
    released = deeds.disarm(view)
    seen = replace(view, memory=released.memory or view.memory)
    if facts.leader_is_me(view) and facts.primary(view):
        rest = upkeep.leading(seen)
    elif facts.standby(view) and facts.leader_is_other(view):
        rest = upkeep.following(seen)
    else:
        rest = upkeep.quiet(seen)
    return replace(rest, effects=(*released.effects, *rest.effects))


PAUSED = (
    rule(
        "paused.05",
        "the data is another cluster's: give the lead up",
        [cluster_facts.alien, facts.leader_is_me],
        deeds.unlead_pause,
    ),
    rule(
        "paused.10",
        "handed over as ordered: stopped cleanly",
        [facts.leader_is_me, facts.handing_over, facts.cleanly_stopped],
        deeds.hand_over,
    ),
    rule(
        "paused.20",
        "the key names me from an earlier life: take it over",
        [facts.unclaimed, facts.primary],
        deeds.reclaim,
    ),
    rule(
        "paused.30",
        "no leader, and my server is the primary: take the lead",
        [facts.leaderless, facts.primary, cluster_facts.native],
        deeds.hold,
    ),
    rule(
        "paused.40",
        "no leader, and the order names me: stand",
        [facts.leaderless, cluster_facts.intent_names_me, facts.standby, cluster_facts.electable],
        deeds.stand,
    ),
    rule(
        "paused.50",
        "an order that cannot be honoured: close it with its reason",
        [facts.leader_is_me, cluster_facts.intent_objectionable],
        deeds.close_intent,
    ),
    rule(
        "paused.60",
        "an order asks me to hand over: stop",
        [facts.leader_is_me, facts.primary, cluster_facts.intent_asks_me_to_leave],
        deeds.step_aside,
    ),
    rule(
        "paused.70",
        "the key is mine and my server is no primary: give the lead up",
        [facts.leader_is_me, facts.harmless],
        deeds.unlead_pause,
    ),
    rule("paused.75", "a restart was ordered", [facts.restart_ordered, facts.up], deeds.restart),
    rule(
        "paused.80",
        "a reinitialize was ordered",
        [facts.reinit_ordered, facts.leader_is_other, cluster_facts.source_known],
        deeds.rebuild,
    ),
    rule(
        "paused.85",
        "back from the handover that was ordered: follow",
        [facts.handed_over, facts.stopped],
        deeds.start_standby,
    ),
    rule("paused.90", "paused: leave the server as it is", [], leave),
)
