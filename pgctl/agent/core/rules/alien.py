"""The data directory belongs to another cluster: touch nothing, and say so."""

from pgctl.agent.core import deeds, facts
from pgctl.agent.core.table import rule

ALIEN = (
    rule("alien.10", "another cluster's data under my name: give the lead up", [facts.leader_is_me], deeds.release),
    rule("alien.90", "another cluster's data: end without touching it", [], deeds.quit_alien),
)
