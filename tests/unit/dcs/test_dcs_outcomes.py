"""What every error of each client library means to us: a row for each, and none is left out."""

import struct
from collections.abc import Callable
from typing import Any

import etcd
import pytest
from consul import base
from kazoo import exceptions as kazoo
from kazoo.handlers.threading import KazooTimeoutError

from pgctl.clock import SystemClock
from pgctl.dcs import consul_client, etcd2_client, outcomes
from pgctl.dcs.consul_wire import Meaning, Refusal
from pgctl.dcs.outcomes import Outcome
from pgctl.dcs.zookeeper_session import Session
from pgctl.errors import OutcomeUnknown, PgctlError, StoreUnreachable
from pgctl.net import NoReply, NotSent
from pgctl.units import Instant

ANSWER, REFUSED, DOWN, UNKNOWN = Outcome.ANSWER, Outcome.REFUSED, Outcome.DOWN, Outcome.UNKNOWN

KAZOO: dict[str, Outcome] = {
    "NoNodeError": ANSWER, "NodeExistsError": ANSWER, "BadVersionError": ANSWER, "NotEmptyError": ANSWER,
    "NoAuthError": REFUSED, "InvalidACLError": REFUSED, "BadArgumentsError": REFUSED, "UnimplementedError": REFUSED,
    "QuotaExceededError": REFUSED, "NoChildrenForEphemeralsError": REFUSED, "EphemeralOnLocalSessionError": REFUSED,
    "SessionClosedRequireSaslError": REFUSED, "NotReadOnlyCallError": DOWN, "ThrottledOpError": DOWN,
    **dict.fromkeys((
        "RolledBackError", "SystemZookeeperError", "RuntimeInconsistency", "DataInconsistency", "ConnectionLoss",
        "MarshallingError", "OperationTimeoutError", "UnknownSessionError", "NewConfigNoQuorumError",
        "ReconfigInProcessError", "ReconfigDisabledError", "APIError", "SessionExpiredError", "InvalidCallbackError",
        "AuthFailedError", "SessionMovedError", "NoWatcherError", "RequestTimeoutError", "KazooException", "ZookeeperError",
        "CancelledError", "ConfigurationError", "ZookeeperStoppedError", "ConnectionDropped", "LockTimeout",
        "WriterNotClosedException", "SASLException", "ConnectionClosedError"), UNKNOWN),
}


class Asked(Session):
    """A session that is always connected, to nobody."""

    def __init__(self) -> None:
        self._client: Any = None
        self._clock = SystemClock()

    def wait(self, end: Instant) -> None:
        """At once."""


class Failing:
    """An answer to wait for, which is that error; or the steps of a transaction."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, timeout: float) -> object:
        raise self.error


class Answered:
    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)

    def get(self, timeout: float) -> object:
        return self.steps


def written(answer: object) -> Exception | None:
    """What a write raises."""
    try:
        Asked().write(lambda client: answer, Instant(SystemClock().now() + 1))
    except Exception as error:  # noqa: BLE001 -- whatever it is
        return error
    return None


def classes() -> dict[str, type[Exception]]:
    """By their own names: some have an older one too."""
    return {each.__name__: each for each in vars(kazoo).values() if isinstance(each, type) and issubclass(each, Exception)}


def test_no_error_of_kazoo_is_without_a_row() -> None:
    assert set(classes()) == set(KAZOO)
    assert set(outcomes.KAZOO) <= set(KAZOO)


@pytest.mark.parametrize("name", KAZOO)
def test_what_an_error_of_kazoo_makes_of_a_write(name: str) -> None:
    error = classes()[name]()
    raised = written(Failing(error))
    step = written(Answered(kazoo.RolledBackError(), error, kazoo.RuntimeInconsistency()))
    if KAZOO[name] is ANSWER:
        assert raised is error and step is None
    elif KAZOO[name] is UNKNOWN:
        assert isinstance(raised, OutcomeUnknown)
        assert isinstance(step, OutcomeUnknown) or name in ("RolledBackError", "RuntimeInconsistency")
    else:
        assert isinstance(raised, StoreUnreachable) and isinstance(step, StoreUnreachable)


@pytest.mark.parametrize("error", [
    KazooTimeoutError(), OSError("broken pipe"), struct.error("4 bytes wanted"), RuntimeError("xids do not match"),
    ValueError("x"), IndexError("x"), KeyError(-999)])
def test_whatever_else_comes_out_of_kazoo_leaves_a_write_open(error: Exception) -> None:
    assert isinstance(written(Failing(error)), OutcomeUnknown)


def test_a_refusal_says_what_to_look_at() -> None:
    refused = written(Failing(kazoo.NoAuthError()))
    assert isinstance(refused, StoreUnreachable) and "set_acls" in refused.hint and "no right" in str(refused)
    unknown = written(Failing(kazoo.AuthFailedError()))
    assert isinstance(unknown, OutcomeUnknown) and "auth_data" in unknown.hint


# --- etcd v2 ---

ETCD: list[tuple[int, dict[str, object], Outcome]] = [
    (404, {"errorCode": 100}, ANSWER), (412, {"errorCode": 101}, ANSWER), (403, {"errorCode": 102}, ANSWER),
    (412, {"errorCode": 105}, ANSWER), (403, {"errorCode": 104}, REFUSED), (403, {"errorCode": 107}, REFUSED),
    (403, {"errorCode": 108}, REFUSED), (401, {"errorCode": 110}, REFUSED), (400, {"errorCode": 203}, REFUSED),
    (500, {"errorCode": 300}, UNKNOWN), (500, {"errorCode": 301}, UNKNOWN), (400, {"errorCode": 400}, UNKNOWN),
    (400, {"errorCode": 401}, UNKNOWN), (401, {"message": "Insufficient credentials"}, REFUSED),
    (404, {}, REFUSED), (400, {}, REFUSED), (408, {}, UNKNOWN), (499, {}, UNKNOWN), (429, {}, DOWN), (500, {}, UNKNOWN),
    (503, {}, UNKNOWN), (504, {}, UNKNOWN), (307, {}, UNKNOWN), (500, {"message": "etcdserver: no leader"}, DOWN),
]


@pytest.mark.parametrize(("status", "said", "outcome"), ETCD, ids=lambda each: str(each))
def test_what_an_error_of_etcd_makes_of_a_write(status: int, said: dict[str, object], outcome: Outcome) -> None:
    with pytest.raises(etcd.EtcdException) as caught:
        etcd.EtcdError.handle(said | {"status": status})
    assert came(lambda: etcd2_client._judged(caught.value, status)) is outcome


def test_no_error_of_etcd_with_a_code_is_without_a_row() -> None:
    named = {each.__name__ for each in etcd.EtcdError.error_exceptions.values()}
    tried = {type(raised_for(said["errorCode"])).__name__ for _, said, _ in ETCD if "errorCode" in said}
    assert named <= tried and set(outcomes.ETCD) <= named


def raised_for(code: object) -> Exception:
    with pytest.raises(etcd.EtcdException) as caught:
        etcd.EtcdError.handle({"errorCode": code, "status": 0})
    found: Exception = caught.value
    return found


# --- Consul ---


@pytest.mark.parametrize(("status", "text", "outcome"), [
    (400, "Bad request", REFUSED), (401, "ACL support disabled", REFUSED), (403, "Permission denied", REFUSED),
    (404, "<html>", REFUSED), (405, "method", REFUSED), (408, "Request timeout", UNKNOWN), (413, "too large", REFUSED),
    (429, "slow down", DOWN), (499, "cancelled", UNKNOWN), (500, "rpc error: EOF", UNKNOWN), (502, "", UNKNOWN),
    (503, "", UNKNOWN), (500, "No cluster leader", DOWN), (500, "rpc error: Permission denied", REFUSED),
])
def test_what_an_answer_of_consul_makes_of_a_write(status: int, text: str, outcome: Outcome) -> None:
    with pytest.raises(base.ConsulException):
        base.CB._status(base.Response(status, {}, text), allow_404=False)
    assert came(lambda: consul_client._judged(status, text)) is outcome


def came(judge: Callable[[], object]) -> Outcome:
    """What one of the judges of our own says, as a row of the table would."""
    try:
        said = judge()
    except PgctlError as error:
        said = error
    if isinstance(said, NotSent):
        return DOWN
    if isinstance(said, NoReply):
        return UNKNOWN
    if isinstance(said, etcd2_client.Failed):
        return ANSWER
    assert isinstance(said, etcd2_client._Refused) or isinstance(said, Refusal) and said.meaning is Meaning.REFUSED
    return REFUSED
