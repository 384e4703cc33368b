"""The data directory belongs to another cluster: leave it alone, and say so. A primary is stopped: nobody guards it."""

from pgctl.agent.core import alien, deeds, facts
from pgctl.agent.core.table import rule

ALIEN = (
    rule("alien.05", "another cluster's data, and its server takes writes: stop it", [facts.primary], alien.stop_alien),
    rule("alien.10", "another cluster's data under my name: give the lead up", [facts.leader_is_me], deeds.release),
    rule("alien.90", "another cluster's data: end without touching it", [], alien.quit_alien),
)
