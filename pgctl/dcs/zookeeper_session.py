"""One session with ZooKeeper over kazoo: asked within a deadline, lost or expired, ended or left to expire. Knows no key.

kazoo connects, and keeps the session alive, from threads of its own. A connection that is lost is not a session that has
expired: until the server says so (`lost`), requests wait for the connection, or fail as not sent. kazoo would queue a
request meanwhile, and send it when nobody expects it any more; so nothing is asked while there is no connection.

Three things that kazoo does not offer are done on its inside, here and nowhere else: to learn which time-out the server
granted; and to leave a session to expire, where kazoo's own `stop` would end it, and with it the keys that hang on it.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    KazooException,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import KazooRetry

from pgctl.clock import Clock
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Instant, Seconds

ANSWERS = (BadVersionError, NodeExistsError, NoNodeError, NotEmptyError)
"""Complete answers that say no: nothing was changed."""
Gone = SessionExpiredError
NoNode, NodeExists, BadVersion, NotEmpty = NoNodeError, NodeExistsError, BadVersionError, NotEmptyError

_LEAVE_WITHIN = 2.0
_log = logging.getLogger("kazoo")


class Session:
    """Made at once, connected in the background. `granted`: seconds after which the server ends it when it hears nothing."""

    def __init__(self, options: Mapping[str, Any], timeout: Seconds, clock: Clock) -> None:
        if _log.level == logging.NOTSET:
            _log.setLevel(logging.CRITICAL)  # what it warns of, our own errors say
        retry = KazooRetry(max_tries=-1, delay=0.1, backoff=2, max_delay=1.0, max_jitter=0.4)
        self._client = KazooClient(timeout=timeout, connection_retry=retry, logger=_log, **options)
        self._clock = clock
        self.granted = timeout
        self.lost = False
        self.left = False
        self.id = 0
        self.on_change: Callable[[], None] = lambda: None
        """Called when the connection or the session is lost, or is there again, in a thread of kazoo's."""
        self._learn_the_grant()
        self._client.add_listener(self._changed)
        self._live: threading.Event = self._client.start_async()

    @property
    def client(self) -> Any:
        """For its `..._async` functions, whose results `read` and `write` wait for."""
        return self._client

    @property
    def connected(self) -> bool:
        return self._live.is_set()

    @property
    def seen(self) -> int:
        """The last transaction that the server we are connected to had seen with its last answer."""
        return int(self._client.last_zxid or 0)

    def wait(self, end: Instant) -> None:
        """Until there is a connection. Raises StoreUnreachable."""
        there = self._live.wait(max(0.0, end - self._clock.now()))
        if self.left:
            raise StoreUnreachable("the session with ZooKeeper was closed")
        if not there:
            hosts = ", ".join(f"{host}:{port}" for host, port in self._client.hosts)
            raise StoreUnreachable("could not reach ZooKeeper", detail=f"could not connect to {hosts}: {self._why()}")
        if not self.id and not self.lost:
            self.id = int((self._client.client_id or (0,))[0] or 0)

    def read(self, ask: Callable[[Any], Any], end: Instant) -> Any:
        """The answer; asked again when the connection is lost. Raises StoreUnreachable; one of ANSWERS."""
        return self.read_all([ask], end)[0]

    def read_all(self, asks: Sequence[Callable[[Any], Any]], end: Instant) -> list[Any]:
        """Answers to several questions that are sent together; an answer that says no is among them as an exception."""
        while True:
            self.wait(end)
            try:
                waiting = [ask(self._client) for ask in asks]
                return [self._answer(each, end) for each in waiting]
            except KazooTimeoutError as error:
                raise StoreUnreachable("ZooKeeper gave no answer", detail="timed out") from error
            except AuthFailedError as error:
                raise _refused(error) from error
            except (KazooException, OSError) as error:
                if not self._passing(error, end):
                    raise _refused(error) from error

    def write(self, ask: Callable[[Any], Any], end: Instant) -> Any:
        """The answer. Raises StoreUnreachable, OutcomeUnknown; one of ANSWERS."""
        self.wait(end)
        try:
            return ask(self._client).get(timeout=max(0.0, end - self._clock.now()))
        except ANSWERS:
            raise
        except KazooTimeoutError as error:
            raise OutcomeUnknown("ZooKeeper gave no answer to a write", detail="timed out") from error
        except (KazooException, OSError) as error:
            if self._is_break(error):
                raise OutcomeUnknown("ZooKeeper gave no answer to a write", detail=_words(error)) from error
            raise _refused(error) from error

    def leave(self) -> None:
        """Goes without a word: the session expires by itself, and its keys with it. Harmless twice."""
        self.left = True
        self._client._stopped.set()
        self._live.set()  # whoever waits for a connection need not any more
        connection = self._client._connection
        if connection._socket is not None:
            with contextlib.suppress(OSError, ValueError):  # closed already
                connection._socket.shutdown(socket.SHUT_RDWR)
        if connection.stop(_LEAVE_WITHIN):
            connection.close()
        self._client.handler.stop()

    def end(self) -> None:
        """Ends the session, and its keys at once, if the server can be told; else it expires."""
        with contextlib.suppress(Exception):
            self._client.stop()
            self._client.close()

    def _answer(self, waiting: Any, end: Instant) -> Any:
        try:
            return waiting.get(timeout=max(0.0, end - self._clock.now()))
        except ANSWERS as error:
            return error

    def _passing(self, error: Exception, end: Instant) -> bool:
        """Whether asking again may help."""
        return self._is_break(error) and not self.lost and self._clock.now() < end

    @staticmethod
    def _is_break(error: Exception) -> bool:
        return type(error).__name__ in _BREAKS or isinstance(error, OSError)

    def _why(self) -> str:
        """Why there is no connection, as a plain connection tells it."""
        host, port = self._client.hosts[0]
        try:
            with socket.create_connection((host, port), timeout=0.2):
                return "the server does not answer"
        except OSError as error:
            return (error.strerror or str(error)).lower()

    def _changed(self, state: str) -> None:
        if state == KazooState.LOST and self.id:
            self.lost = True
        self.on_change()

    def _learn_the_grant(self) -> None:
        connection = self._client._connection
        connect = connection._connect

        def learning(*arguments: Any) -> Any:
            found = connect(*arguments)
            self.granted = Seconds(found[0] * 1.5 / 1000)  # kazoo keeps two thirds of it
            return found

        connection._connect = learning


_BREAKS = frozenset({"ConnectionLoss", "ConnectionClosedError", "SessionExpiredError", "ConnectionDropped",
                     "OperationTimeoutError", "SessionMovedError"})


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refused(error: Exception) -> StoreUnreachable:
    hint = "Look at zookeeper.auth_data and zookeeper.set_acls." if "Auth" in type(error).__name__ else ""
    return StoreUnreachable("ZooKeeper refused", detail=_words(error), hint=hint)
