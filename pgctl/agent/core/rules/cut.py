"""The store cannot be read: a primary lives on while its lease does, and steps down in order before it ends."""

from pgctl.agent.core import cluster_facts, deeds, facts, without_store
from pgctl.agent.core.rules.conditions import paused_as_last_known
from pgctl.agent.core.table import rule

CUT = (
    rule(
        "cut.10",
        "paused when the store was last read: leave everything as it is",
        [paused_as_last_known],
        deeds.wait_soon,
    ),
    rule(
        "cut.12",
        "every member agrees that I lead on without the store",
        [facts.members_agree, facts.primary],
        without_store.lead_on,
    ),
    rule(
        "cut.14",
        "every member agrees, and the server is on its way or failed a moment ago: wait",
        [facts.members_agree, facts.coming],
        without_store.lead_on_and_wait,
    ),
    rule(
        "cut.16",
        "every member agrees, and the server is gone: bring it back",
        [facts.members_agree, facts.readable, cluster_facts.native],
        without_store.lead_on_and_start,
    ),
    rule(
        "cut.20",
        "a primary whose lease is nearly out: stop in order",
        [facts.primary, facts.lease_nearly_out],
        deeds.stop_fast,
    ),
    rule(
        "cut.30",
        "a primary whose lease still lasts: go on, and read again soon",
        [facts.primary],
        without_store.say_members,
    ),
    rule("cut.40", "the last start failed a moment ago: wait", [facts.stopped, facts.too_soon], deeds.wait_for_retry),
    rule(
        "cut.50",
        "a server stopped by this agent: bring it up to be read from",
        [facts.lease_lost, facts.readable, cluster_facts.native],
        deeds.start_standby,
    ),
    rule(
        "cut.60",
        "my leader goes on without the store: keep my slots by what it says",
        [facts.standby, facts.bound],
        without_store.follow_on,
    ),
    rule("cut.90", "nothing to do without the store", [], deeds.wait_soon),
)
