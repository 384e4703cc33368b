"""HTTP over urllib3: pools, TLS, streams, deadlines. Knows no URL of ours.

What matters to a caller who wrote something is whether the other side can have read it. So there are two failures:
`NotSent`, the connection never stood and nothing left this host; `NoReply`, the request may have been carried out and
no complete answer came. Any complete answer, whatever its status, is a `Response`.

Nothing is tried twice here, redirects are not followed, and no proxy is taken from the environment. Weak place: the
system's resolver cannot be given a deadline, and headers that drip in byte by byte are bounded for each byte only.
"""

import base64
import contextlib
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, ReadTimeoutError
from urllib3.util import parse_url

from pgctl.clock import Clock, SystemClock
from pgctl.errors import ConfigError, PgctlError
from pgctl.units import Seconds

_BODY_LIMIT = 64 * 1024**2
_CHUNK = 65536


class NotSent(PgctlError):
    """No connection: refused, name not found, handshake failed, or connecting took too long. Nothing was sent."""


class NoReply(PgctlError):
    """The request left this host and no complete answer came; it may have been carried out."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How to trust the other side and be trusted. Paths of PEM files; an empty one is not used.

    No `cacert`: the system's authorities count. `verify` False trusts anyone, `check_host` False whoever they know.
    """

    cacert: str = ""
    cert: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)
    verify: bool = True
    check_host: bool = True

    def context(self) -> ssl.SSLContext:
        """Raises ConfigError when a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.cacert or None)
            context.check_hostname = self.verify and self.check_host
            context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None, lambda: self.key_password)
        except (OSError, ValueError) as error:
            files = ", ".join(name for name in (self.cacert, self.cert, self.key) if name)
            raise ConfigError(f"could not load TLS files {files}", detail=_reason(error)) from error
        return context


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body as JSON. Raises ValueError."""
        document: object = json.loads(self.body.decode())
        return document


class Stream:
    """An answer that goes on, header names in lower case. `close`, from any thread, ends the reading at once."""

    def __init__(self, response: BaseHTTPResponse, clock: Clock) -> None:
        self.status = response.status
        self.headers = _lower(response.headers)
        self._response = response
        self._clock = clock
        self._closed = False

    def lines(self, timeout: Seconds) -> Iterator[bytes]:
        """Non-empty lines as they come; ends when `timeout` is over or on `close`, and cannot be read again after.

        Raises NoReply when the other side ended the answer or the connection broke.
        """
        rest = b""
        deadline = self._clock.now() + timeout
        while (left := deadline - self._clock.now()) > 0:
            try:
                chunk = _read_some(self._response, Seconds(left))
            except ReadTimeoutError:
                return
            except (HTTPError, OSError, ValueError, AttributeError) as error:  # the latter two: closed meanwhile
                if self._closed:
                    return
                raise NoReply("the stream broke", detail=_reason(error)) from error
            if not chunk:
                if self._closed:
                    return
                raise NoReply("the stream was ended by the other side")
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line for line in whole if line.strip())

    def close(self) -> None:
        """Ends the stream. Harmless twice."""
        self._closed = True
        _cut(self._response)


class Http:
    """A client with pools, for any number of hosts; may be used from several threads at once."""

    def __init__(self, tls: Tls | None = None, *, connections: int = 4, clock: Clock | None = None) -> None:
        """`connections` is how many idle ones are kept for each host. Raises ConfigError for unusable TLS files."""
        self._clock = clock or SystemClock()
        self._tls = tls
        self._aborted = False
        self._pools = self._new_pools(connections, tls)

    @staticmethod
    def _new_pools(connections: int, tls: Tls | None) -> PoolManager:
        # urllib3 compares host names itself where the context does not, unless it is told to let it be.
        trust: dict[str, Any] = {}
        if tls is not None:
            trust = {"ssl_context": tls.context(), "assert_hostname": None if tls.check_host else False}
        pools = PoolManager(num_pools=64, maxsize=connections, retries=False, **trust)
        pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return pools

    def request(self, method: str, url: str, *, timeout: Seconds, body: bytes | None = None,
                headers: Mapping[str, str] | None = None, limit: int = _BODY_LIMIT) -> Response:
        """Sends, and reads the whole answer, within `timeout`. Raises NotSent; NoReply, also beyond `limit` bytes."""
        deadline = self._clock.now() + timeout
        response = self._open(method, url, timeout, body, headers)
        parts: list[bytes] = []
        size = 0
        try:
            while (left := deadline - self._clock.now()) > 0:
                chunk = _read_some(response, Seconds(left))
                if not chunk:
                    response.release_conn()
                    return Response(response.status, _lower(response.headers), b"".join(parts))
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise NoReply(f"the answer of {_place(url)} is too large", detail=f"more than {limit} bytes")
            raise NoReply(f"no complete answer from {_place(url)}", detail=f"timed out after {timeout:.1f} s")
        except (HTTPError, OSError) as error:
            raise NoReply(f"no complete answer from {_place(url)}", detail=_reason(error)) from error
        finally:
            if not response.closed:
                _cut(response)

    def stream(self, method: str, url: str, *, timeout: Seconds, body: bytes | None = None,
               headers: Mapping[str, str] | None = None) -> Stream:
        """Sends, and waits `timeout` for the head of the answer. Raises NotSent, NoReply."""
        return Stream(self._open(method, url, timeout, body, headers), self._clock)

    def close(self) -> None:
        """Closes idle connections; those in use end with their request."""
        self._pools.clear()

    def abort(self) -> None:
        """Closes all connections for good: requests under way end with NoReply, later ones with NotSent."""
        self._aborted = True
        for key in self._pools.pools.keys():  # noqa: SIM118 -- iterating over the container itself is refused
            if isinstance(pool := self._pools.pools.get(key), _PlainPool):
                pool.cut()
        self._pools.clear()

    def _open(self, method: str, url: str, timeout: Seconds, body: bytes | None,
              headers: Mapping[str, str] | None) -> BaseHTTPResponse:
        if timeout <= 0:
            raise NotSent(f"could not connect to {_place(url)}", detail="no time left")
        if self._aborted:
            raise NotSent(f"could not connect to {_place(url)}", detail="closed meanwhile")
        try:
            return self._pools.request(method, url, body=body, headers={"user-agent": "pgctl", **(headers or {})},
                                       timeout=Timeout(total=timeout), redirect=False, preload_content=False)
        except (HTTPError, OSError) as error:
            raise NoReply(f"no answer from {_place(url)}", detail=_reason(error)) from error


def basic(username: str, password: str) -> Mapping[str, str]:
    """The header of basic authentication; none without a user name."""
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"authorization": f"Basic {token}"} if username else {}


def json_body(document: object) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


class _PlainConnection(HTTPConnection):
    """Says NotSent itself when it cannot connect, and keeps its socket at hand: http.client gives it away."""

    def connect(self) -> None:
        try:
            super().connect()
        except (HTTPError, OSError) as error:
            raise NotSent(f"could not connect to {self.host}:{self.port}", detail=_reason(error)) from error
        self.wire = self.sock


class _TlsConnection(_PlainConnection, HTTPSConnection):
    """The same over TLS; a failed handshake is NotSent too."""

    def connect(self) -> None:
        super().connect()
        self.is_verified = True  # else urllib3 warns when verification is off, which was the operator's word


class _PlainPool(HTTPConnectionPool):
    """Knows the connections it made, also those in use, for as long as they live."""

    ConnectionCls = _PlainConnection

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._made: WeakSet[Any] = WeakSet()

    def _new_conn(self) -> Any:
        made = super()._new_conn()
        self._made.add(made)
        return made

    def cut(self) -> None:
        """Ends what is read from any of them, in whichever thread."""
        for made in tuple(self._made):
            _shut(getattr(made, "wire", None))


class _TlsPool(_PlainPool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _wire(response: BaseHTTPResponse) -> socket.socket | None:
    return getattr(response.connection, "wire", None)


def _read_some(response: BaseHTTPResponse, timeout: Seconds) -> bytes:
    """At least a byte within `timeout`; empty at the end of the answer. Raises urllib3's errors."""
    wire = _wire(response)
    if wire is not None and wire.fileno() >= 0:
        wire.settimeout(timeout)
    return response.read1(_CHUNK)


def _cut(response: BaseHTTPResponse) -> None:
    """Closes the connection under a response, waking a reader in another thread."""
    _shut(_wire(response))
    response.close()


def _shut(wire: socket.socket | None) -> None:
    if wire is not None:
        with contextlib.suppress(OSError):  # already gone
            wire.shutdown(socket.SHUT_RDWR)


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _place(url: str) -> str:
    """host:port of a URL: what a person needs, without credentials."""
    return parse_url(url).netloc or url


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words."""
    inner = error.__cause__ or error.__context__
    if isinstance(error, NameResolutionError):
        return "host name not found"
    if isinstance(error, HTTPError) and inner is not None:
        return _reason(inner)
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError, TimeoutError)):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted ({error.verify_message})"
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
