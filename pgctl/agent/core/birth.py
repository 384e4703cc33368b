"""Deeds of a cluster that is not yet, or no longer, on record: to make it, to drop a claim to, to wait for who does."""

from dataclasses import replace

from pgctl.agent.core import cluster_facts, data_deeds, deeds, facts, follow_target, upkeep
from pgctl.agent.core.effects import DeleteInitialize, StartJob, WriteInitialize
from pgctl.agent.core.job import Bootstrap
from pgctl.agent.core.table import Plan
from pgctl.agent.core.view import View


def bootstrap(view: View) -> Plan:
    """Claims the right to initialize, then makes the cluster."""
    claim = WriteInitialize("", upkeep.revision(view, "initialize"))
    conf = replace(follow_target.primary_conf(view), postgresql=_bootstrap_postgresql(view))
    return Plan((claim, StartJob(Bootstrap(conf=conf))), replace(view.memory, bootstrapping=True))


def copy_remote(view: View) -> Plan:
    """Claims the right to initialize, then makes a standby cluster's first copy of the remote primary."""
    plan = data_deeds.clone(view)
    claim = WriteInitialize("", upkeep.revision(view, "initialize"))
    memory = replace(plan.memory or view.memory, bootstrapping=True)
    return replace(plan, effects=(claim, *plan.effects), memory=memory)


def _bootstrap_postgresql(view: View) -> dict[str, object]:
    section = (view.host.bootstrap or {}).get("postgresql")
    return dict(section) if isinstance(section, dict) else {}


def drop_claim(view: View) -> Plan:
    """A bootstrap that failed, or whose maker is gone: the cluster was never made, somebody may try again."""
    dropped = DeleteInitialize(upkeep.revision(view, "initialize"))
    return Plan((dropped,), replace(view.memory, bootstrapping=False), wake_in=deeds.SOON, reason=view.memory.last_failure)


def wait_for_origin(view: View) -> Plan:
    """Nothing to copy from; and where nobody ever made the cluster, why I do not."""
    never = view.cluster is not None and view.cluster.initialize is None
    why = "tagged nofailover" if view.host.tags.nofailover else "no bootstrap section in this member's configuration"
    return replace(deeds.wait_soon(view), reason=f"the cluster was never made, and not by me: {why}" if never else "")


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
