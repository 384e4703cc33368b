"""The remote primary that a standby cluster follows: whether this is a standby cluster, and the remote as an upstream. Pure.

Law. A server that was a primary becomes a standby only of a remote that `/config` names. What bootstrap.dcs says counts
for a cluster that is yet to be made; else a promoted cluster whose store was wiped would turn back into what it once was.
Source: config.md 9.1, ha.md 2.12.
"""

from dataclasses import asdict, replace

from pgctl.agent.core import divergence
from pgctl.agent.core.view import View
from pgctl.model.conf import Conf, Upstream
from pgctl.model.server import Phase
from pgctl.model.settings import StandbyCluster

NAME = "the remote primary"
_PORT = 5432
_METHODS = ("basebackup",)


def section(view: View) -> StandbyCluster | None:
    """`standby_cluster` as far as it is in force."""
    found = view.settings.standby_cluster
    if found is None or (view.cluster is not None and view.cluster.config is not None):
        return found
    primary = view.server.phase is Phase.PRIMARY or divergence.was_primary(view.server.control)
    return None if primary and view.cluster is not None else found


def upstream(view: View, *, slot: bool = False) -> Upstream | None:
    """The remote as a server to connect to, with its slot for the one who leads; None without an address."""
    found = section(view)
    if found is None or not (found.host or found.port):
        return None
    name = found.primary_slot_name if slot else None
    return Upstream(NAME, found.host or "localhost", found.port or _PORT, name, view.host.database, remote=True)


def dressed(view: View, conf: Conf) -> Conf:
    """A standby's configuration with what the section says for every member; the delay is the standby leader's."""
    found = section(view)
    if found is None:
        return conf
    leads = conf.upstream is None or conf.upstream.remote
    return replace(
        conf,
        restore_command=found.restore_command,
        archive_cleanup_command=found.archive_cleanup_command,
        recovery_min_apply_delay=found.recovery_min_apply_delay if leads else None,
        create_replica_methods=found.create_replica_methods or _METHODS,
    )


def document(view: View) -> dict[str, object] | None:
    """What to write into an absent `/config`: bootstrap.dcs, with the section that is in force, or with none."""
    if view.host.bootstrap is None:
        return None
    found = section(view)
    rest = {key: value for key, value in view.host.bootstrap.items() if key != "standby_cluster"}
    if found is None:
        return rest
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(found).items() if value}
    return {**rest, "standby_cluster": given}


def unfed(view: View) -> bool:
    """My server should stream from the remote, and does not."""
    return (
        view.server.phase is Phase.STANDBY
        and view.cluster is not None
        and view.cluster.leader_name == view.me
        and not view.host.tags.nostream
        and upstream(view) is not None
        and view.server.replication_state != "streaming"
    )
