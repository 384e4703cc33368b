"""The store cannot be read: a primary lives on while its lease does, and steps down in order before it ends."""

from pgctl.agent.core import deeds, facts
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
        "cut.20",
        "a primary whose lease is nearly out: stop in order",
        [facts.primary, facts.lease_nearly_out],
        deeds.stop_fast,
    ),
    rule("cut.30", "a primary whose lease still lasts: go on, and read again soon", [facts.primary], deeds.wait_soon),
    rule("cut.40", "the last start failed a moment ago: wait", [facts.stopped, facts.too_soon], deeds.wait_for_retry),
    rule(
        "cut.50",
        "a server stopped by this agent: bring it up to be read from",
        [facts.stopped, facts.lease_lost, facts.readable],
        deeds.start_standby,
    ),
    rule("cut.90", "nothing to do without the store", [], deeds.wait_soon),
)
