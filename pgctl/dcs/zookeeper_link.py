"""kazoo's client and what we do on its inside: made, told of, begun again, left to expire. Asks nothing. Knows no key.

kazoo connects, and keeps its session alive, from threads of its own. A connection that is lost is not a session that has
expired: that only the server says (`lost`). When kazoo itself gives up (credentials refused, an answer that it cannot
read), the session lives on at the server for its time: a new client takes it up again, by its id and password.

What kazoo does not offer is done here and nowhere else: to learn which time-out the server granted and why a connection
fails; to leave a session to expire, where kazoo's own `stop` would end it, and with it the keys that hang on it; to know
that the watches which have fired were told; and to keep an error in its thread from being printed.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from kazoo.client import KazooClient, KazooState
from kazoo.protocol.states import Callback, KeeperState
from kazoo.retry import KazooRetry

from pgctl.clock import Clock
from pgctl.errors import StoreUnreachable
from pgctl.units import Instant, Seconds

_LEAVE_WITHIN = 2.0
_RIGHTS = "Look at zookeeper.auth_data, zookeeper.sasl_options and zookeeper.set_acls."
_SAID = {"AuthFailedError": "the credentials are not accepted", "NoAuthError": "we have no right to do that",
         "SessionClosedRequireSaslError": "the server wants SASL"}
_NO_FAULT = ("the server does not answer", "")
_log = logging.getLogger("kazoo")


class Link:
    """Made at once, connected in the background. `granted`: seconds after which the server ends it when it hears nothing.

    `again`: a session that has expired is followed by another one; else by none.
    """

    def __init__(self, options: Mapping[str, Any], timeout: Seconds, clock: Clock, *, again: bool) -> None:
        if _log.level == logging.NOTSET:
            _log.setLevel(logging.CRITICAL + 1)  # what it warns of, our own errors say
        self._options = dict(options)
        self._timeout = timeout
        self._clock = clock
        self._again = again
        self._reviving = threading.Lock()
        self._marks: set[threading.Event] = set()
        self._fault = _NO_FAULT
        self._credential: tuple[int, bytes] | None = None
        self.granted = timeout
        self.lost = False
        self.left = False
        self.id = 0
        self.life = 0
        """How often a client of kazoo's was begun: watches are that one's."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when the connection or the session is lost, or is there again, in a thread of kazoo's, before any answer
        that comes later."""
        self._begin()

    @property
    def connected(self) -> bool:
        return self._live.is_set()

    @property
    def seen(self) -> int:
        """The last transaction that the server we are connected to had seen with its last answer."""
        return int(self._client.last_zxid or 0)

    def wait(self, end: Instant) -> None:
        """Until there is a connection. Raises StoreUnreachable."""
        self._revive()
        there = self._live.wait(max(0.0, end - self._clock.now()))
        if self.left:
            raise StoreUnreachable("the session with ZooKeeper was closed")
        if self.lost and not self._again:
            raise StoreUnreachable("the session with ZooKeeper has expired")
        if not there:
            hosts = ", ".join(f"{host}:{port}" for host, port in self._client.hosts)
            raise StoreUnreachable("could not reach ZooKeeper", detail=f"could not connect to {hosts}: {self._fault[0]}",
                                   hint=self._fault[1])

    def settle(self, end: Instant) -> None:
        """Returns once all watches were told that had fired before the last answer. Raises StoreUnreachable.

        Watches are ordered with respect to answers (ZooKeeper Programmer's Guide, "What ZooKeeper Guarantees about
        Watches"); kazoo tells of them in a thread of its own, one by one.
        """
        mark = threading.Event()
        self._marks.add(mark)
        self._client.handler.dispatch_callback(Callback("watch", mark.set, ()))
        told = not self.left and mark.wait(max(0.0, end - self._clock.now()))
        self._marks.discard(mark)
        if not told or self.left:
            raise StoreUnreachable("ZooKeeper gave no answer", detail="timed out")

    def leave(self) -> None:
        """Goes without a word: the session expires by itself, and its keys with it. Harmless twice."""
        self.left = True
        with self._reviving:
            self._live.set()  # whoever waits need not any more
            _drop(self._client)
        for mark in tuple(self._marks):
            mark.set()

    def end(self) -> None:
        """Ends the session, and its keys at once, if the server can be told; else it expires."""
        if self.lost:
            self.leave()
        with contextlib.suppress(Exception):
            self._client.stop()
            self._client.close()

    def _begin(self) -> None:
        self.life += 1
        retry = KazooRetry(max_tries=-1, delay=0.1, backoff=2, max_delay=1.0, max_jitter=0.4)
        self._client = KazooClient(timeout=self._timeout, connection_retry=retry, logger=_log, client_id=self._credential,
                                   **self._options)
        self._client.add_listener(self._changed)
        self._listen_in(self._client._connection)
        self._live: threading.Event = self._client.start_async()

    def _revive(self) -> None:
        """Begins again when kazoo has given up."""
        with self._reviving:
            routine = self._client._connection._connection_routine
            if self.left or routine is None or routine.is_alive() or self.lost and not self._again:
                return
            _drop(self._client)
            self._begin()

    def _changed(self, state: str) -> None:
        if state == KazooState.LOST and self._client._state == KeeperState.EXPIRED_SESSION:
            self.lost, self._credential = True, None
            if not self._again:
                self._client._stopped.set()
        self.on_change()

    def _listen_in(self, connection: Any) -> None:
        connect, loop = connection._connect, connection.zk_loop

        def connecting(*arguments: Any) -> Any:
            try:
                found = connect(*arguments)
            except Exception as error:
                self._fault = words(error), hint(error)
                raise
            self.granted = Seconds(found[0] * 1.5 / 1000)  # kazoo keeps two thirds of it
            self._credential = self._client.client_id
            self.id = self.id or int((self._credential or (0,))[0] or 0)
            self._fault = _NO_FAULT
            return found

        def quietly() -> None:
            try:
                loop()
            except Exception as error:  # noqa: BLE001 -- whatever its parser makes of bytes that are none of ZooKeeper's
                self._fault = words(error), hint(error)

        connection._connect, connection.zk_loop = connecting, quietly


def _drop(client: Any) -> None:
    """Its threads and its sockets, without a word to the server."""
    client._stopped.set()
    connection = client._connection
    if connection._socket is not None:
        with contextlib.suppress(OSError, ValueError):  # closed already
            connection._socket.shutdown(socket.SHUT_RDWR)
    if connection.stop(_LEAVE_WITHIN):
        connection.close()
    client.handler.stop()


def words(error: BaseException) -> str:
    """The innermost cause, in a few words; of a refusal, that."""
    while not hint(error) and (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    said = str(getattr(error, "verify_message", "") or getattr(error, "strerror", "") or error)
    return _SAID.get(type(error).__name__) or said[:1].lower() + said[1:] or type(error).__name__


def hint(error: BaseException) -> str:
    """What to look at, where it is a matter of who we are."""
    if "issing SASL support" in str(error):  # kazoo's words for a library that it does without, else
        return "For zookeeper.sasl_options install the library pure-sasl: pip install pure-sasl."
    return _RIGHTS if type(error).__name__ in (*_SAID, "SASLException", "InvalidACLError") else ""
