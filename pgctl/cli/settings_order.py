"""A change of the cluster-wide settings, ordered: through the leader's agent, then the others', else in the store itself."""

from collections.abc import Mapping

from pgctl.cli import peers
from pgctl.cli.context import Call
from pgctl.dcs.store import Rejected
from pgctl.errors import OutcomeUnknown, PgctlError
from pgctl.model import merge
from pgctl.model.cluster import Cluster
from pgctl.rest import schema


def change(call: Call, cluster: Cluster, patch: Mapping[str, object], what: str) -> str:
    """Merges `patch` into the settings; how it was done, where that is not the usual way.

    `what` is told after Ctrl-C. Raises PgctlError, OutcomeUnknown, StoreUnreachable.
    """
    client = peers.client(call)
    call.ordered.append(what)
    for member in sorted(cluster.members, key=lambda member: member.name != cluster.leader_name):
        asked = peers.request(member, "PATCH", schema.CONFIG, dict(patch))
        (answer,) = client.call_all([asked], budget=call.budget(5.0))
        result = peers.result(answer)
        if result.outcome is peers.Outcome.DONE:
            return ""
        if result.outcome not in (peers.Outcome.UNREACHABLE, peers.Outcome.UNKNOWN):
            raise PgctlError(f"{member.name} refused", detail=result.text)
    return _write(call, cluster, patch)


def _write(call: Call, cluster: Cluster, patch: Mapping[str, object]) -> str:
    document, _ = merge.merge_patch(cluster.config or {}, dict(patch))
    written = call.store(cluster.scope).write_config(document, expect=cluster.revision("config"), budget=call.budget())
    if isinstance(written, Rejected):
        raise OutcomeUnknown("somebody else changed the settings meanwhile",
                             hint="An agent may have done it after all: `pgctl list` tells.")
    return "no agent answered: written to the store itself"
