"""The deed for a cluster without a record: whose primary is to make one, and what is done when there is none any more."""

from pgctl.agent.core import cluster_facts, deeds, facts, upkeep
from pgctl.agent.core.effects import WriteInitialize
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View


def await_record(view: View) -> Plan:
    """Waits for a primary. A standby whose wait was in vain writes the identifier of its data, and no more than that:

    who leads is left to the race, which is possible then.
    """
    identifier = view.server.system_identifier
    if not (identifier and facts.standby(view) and cluster_facts.record_lost(view)):
        return deeds.follow_soon(view)
    written = WriteInitialize(identifier, upkeep.revision(view, "initialize"))
    why = "no primary made it for two leases, so its data tells who it is"
    return Plan((written,), view.memory, wake_in=0.0, reason=why)
