"""What each error of a client library means to us: one table, by name, for a library is not imported before it is needed.

Law (store.py): a write that may have been made is not called refused. So whatever is in no row is UNKNOWN, and a row says
anything else only where the server answered before it did something, or the library before it sent something. kazoo fails
requests that it has sent with errors that a server also answers with: those are UNKNOWN, whatever their names promise.

Sources: zookeeper KeeperException.Code and kazoo/client.py; etcd.io/docs/v2.3/errorcode; RFC 9110, 15.5; status 499 is what
gRPC's gateway makes of a call that was cancelled (google.rpc.Code CANCELLED).
"""

from collections.abc import Mapping
from enum import Enum


class Outcome(Enum):
    """What became of the request."""

    ANSWER = "the comparison failed: nothing was changed"
    REFUSED = "refused: nothing was changed, and asking again does not help"
    DOWN = "not done, for the store is down or busy: it may be asked again"
    UNKNOWN = "it may have been done"


_A, _R, _D = Outcome.ANSWER, Outcome.REFUSED, Outcome.DOWN

KAZOO: Mapping[str, Outcome] = {
    "NoNodeError": _A, "NodeExistsError": _A, "BadVersionError": _A, "NotEmptyError": _A,
    "NoAuthError": _R, "InvalidACLError": _R, "BadArgumentsError": _R, "UnimplementedError": _R, "QuotaExceededError": _R,
    "NoChildrenForEphemeralsError": _R, "EphemeralOnLocalSessionError": _R, "SessionClosedRequireSaslError": _R,
    "NotReadOnlyCallError": _D, "ThrottledOpError": _D,
}
"""Not here: ConnectionLoss, SessionExpiredError, AuthFailedError and ConnectionClosedError come to all that was sent and not
answered; OperationTimeoutError, RequestTimeoutError, SystemZookeeperError, APIError and their like say that something went
wrong on the way."""

ETCD: Mapping[str, Outcome] = {
    "EtcdKeyNotFound": _A, "EtcdNotFile": _A, "EtcdCompareFailed": _A, "EtcdAlreadyExist": _A,
    "EtcdInsufficientPermissions": _R, "EtcdRootReadOnly": _R, "EtcdNotDir": _R, "EtcdDirNotEmpty": _R, "EtcdValueError": _R,
}
"""Of python-etcd, where the answer has an `errorCode`: what has none is judged by its status. EtcdLeaderElectionInProgress
(code 301) comes also to what had been proposed already."""


def of_error(table: Mapping[str, Outcome], error: Exception) -> Outcome:
    """By the error's own class alone: a class that the library puts below another one means something of its own."""
    return table.get(type(error).__name__, Outcome.UNKNOWN)


def of_status(status: int) -> Outcome:
    """Of an answer over HTTP in which the store says nothing that is better known."""
    if status == 429:
        return Outcome.DOWN
    return Outcome.REFUSED if 400 <= status < 500 and status not in (408, 499) else Outcome.UNKNOWN
