"""Which cluster and which members a command's words mean, read from the store."""

from collections.abc import Sequence

from pgctl.cli import choose
from pgctl.cli.context import Call, NoSuchCluster
from pgctl.errors import PgctlError
from pgctl.model.cluster import Cluster


def read(call: Call, words: Sequence[str]) -> tuple[Cluster, tuple[str, ...]]:
    """The cluster as it is now, and the names that follow. Raises NoSuchCluster, StoreUnreachable, ConfigError."""
    configured = call.configuration().scope
    if not configured or not words or words[0] == configured:
        return call.read(call.scope(words[0] if words else None)), tuple(words[1:])
    here = _here(call, configured)
    scope, names = choose.split(words, configured, [member.name for member in here.members] if here else ())
    if here is not None and scope == configured:
        return here, names
    try:
        return call.read(scope), names
    except NoSuchCluster as error:
        if here is None:
            raise
        known = sorted(member.name for member in here.members)
        hint = choose.nearest(scope, [configured, *known]) or error.hint
        raise PgctlError(f'"{scope}" is neither a cluster nor a member of {configured}',
                         hint=f"{hint} Members of {configured}: {', '.join(known)}.") from None


def _here(call: Call, scope: str) -> Cluster | None:
    try:
        return call.read(scope)
    except NoSuchCluster:
        return None
