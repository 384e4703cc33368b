"""Calls of the v3 JSON gateway over several endpoints: failover, retries, authentication. Knows no key.

A request that changes something goes out once: to the next endpoint, or again, only when it certainly did nothing.
Source: dcs.md 6.2.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from pgctl.clock import Clock
from pgctl.dcs import etcd3_wire as wire
from pgctl.dcs import etcd_access, retry
from pgctl.dcs.etcd3_wire import Document, Meaning, Refusal
from pgctl.dcs.etcd_access import Access
from pgctl.endpoints import Endpoints, Finder
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.net import Http, NoReply, NotSent, Stream, json_body
from pgctl.units import Instant, Seconds

T = TypeVar("T")


class Etcd3Client:
    """May be used from several threads."""

    def __init__(self, access: Access, clock: Clock, find: Finder | None = None) -> None:
        """Raises ConfigError for unusable TLS files."""
        self._access = access
        self._clock = clock
        self._http = Http(access.tls, clock=clock)
        self._endpoints = Endpoints(access.urls, find)
        self._prefixes: dict[str, tuple[str, Instant]] = {}
        """By endpoint, and until when that and the list of members that it gave count as known."""
        self._cluster = ""
        """The cluster's id; known once its members have been learnt."""
        self._token = ""

    def call(self, path: str, body: Document, *, budget: Seconds, repeatable: bool) -> Document:
        """The answer of the first endpoint that gives one, tried until the budget is spent.

        Raises StoreUnreachable, Refusal (not done; only with meanings LEASE_GONE and REFUSED), and, unless it is
        `repeatable`, OutcomeUnknown.
        """
        return self._persist(lambda url, timeout: self._post(url, path, body, timeout), budget, repeatable)

    def stream(self, path: str, body: Document, *, budget: Seconds) -> tuple[str, Stream]:
        """An endpoint and its answer that goes on; one round over the endpoints. Raises StoreUnreachable."""
        try:
            return self._endpoints.ask(partial(self._start, path, body), budget=budget, clock=self._clock,
                                       repeatable=True)
        except (NotSent, NoReply, Refusal) as error:
            raise StoreUnreachable("etcd cannot be watched", detail=str(error)) from error

    def distrust(self, url: str) -> None:
        """Asks this endpoint last from now on."""
        self._endpoints.distrust(url)

    def renew_token(self) -> None:
        """Authenticates again at the next call."""
        self._token = ""

    def close(self) -> None:
        self._http.close()

    def _persist(self, call: Callable[[str, Seconds], T], budget: Seconds, repeatable: bool) -> T:
        failure: Exception = StoreUnreachable("no time to ask etcd")
        renewed = False
        for left in retry.attempts(budget, self._clock):
            try:
                return self._endpoints.ask(call, budget=left, clock=self._clock, repeatable=repeatable)
            except NotSent as error:
                failure = error
            except NoReply as error:
                if not repeatable:
                    raise OutcomeUnknown("etcd gave no answer to a write", detail=str(error)) from error
                failure = error
            except Refusal as error:
                if error.meaning is not Meaning.TOKEN or renewed or not self._access.username:
                    raise self._refused(error) from error
                renewed, failure = True, error
                self.renew_token()
        raise StoreUnreachable("could not reach etcd", detail=str(failure)) from failure

    @staticmethod
    def _refused(error: Refusal) -> Exception:
        """A refusal the caller can use, or what it comes to."""
        if error.meaning in (Meaning.LEASE_GONE, Meaning.REFUSED) and "space exceeded" not in error.detail:
            return error
        hint = "Compact and defragment etcd, then disarm its alarm." if "space exceeded" in error.detail else ""
        return StoreUnreachable("etcd refused", detail=error.detail, hint=hint)

    def _post(self, url: str, path: str, body: Document, timeout: Seconds) -> Document:
        """One answer of one endpoint. Raises NotSent, NoReply, Refusal."""
        deadline = Instant(self._clock.now() + timeout)
        target, headers = self._enter(url, path, deadline)
        response = self._http.request("POST", target, body=json_body(body), headers=headers,
                                      timeout=Seconds(deadline - self._clock.now()))
        return _judged(response.status, response.body)

    def _start(self, path: str, body: Document, url: str, timeout: Seconds) -> tuple[str, Stream]:
        deadline = Instant(self._clock.now() + timeout)
        target, headers = self._enter(url, path, deadline)
        stream = self._http.stream("POST", target, body=json_body(body), headers=headers,
                                   timeout=Seconds(deadline - self._clock.now()))
        if stream.status != 200:
            stream.close()
            self.renew_token()
            raise NoReply(f"{url} answered a watch with status {stream.status}")
        return url, stream

    def _enter(self, url: str, path: str, deadline: Instant) -> tuple[str, Mapping[str, str]]:
        """The address of a call and its headers. Nothing was asked for yet, so every failure is NotSent."""
        try:
            prefix, until = self._prefixes.get(url, ("", Instant(0)))
            if self._clock.now() >= until:
                prefix = self._discover(url, Seconds((deadline - self._clock.now()) / 2))
            token = self._token or self._authenticate(url + prefix, Seconds(deadline - self._clock.now()))
        except NoReply as error:
            raise NotSent(error.message, detail=error.detail) from error
        return url + prefix + path, {"authorization": token} if token else {}

    def _discover(self, url: str, timeout: Seconds) -> str:
        response = self._http.request("GET", f"{url}/version", timeout=timeout)
        try:
            prefix = wire.api_prefix(wire.mapping(response.json()))
        except ValueError:
            prefix = None
        if prefix is None:
            raise NotSent(f"no etcd of version 3.3 or later at {url}", detail=f"status {response.status} for /version")
        if self._access.learn:
            self._learn(url, url + prefix, timeout)
        self._prefixes[url] = prefix, Instant(self._clock.now() + etcd_access.LEARN_EVERY)
        return prefix

    def _learn(self, url: str, base: str, timeout: Seconds) -> None:
        """Adds the other members of the cluster. One may advertise an address that means another host here, so what
        was learnt must say that it is of the same cluster before it is asked anything. Raises NotSent, NoReply."""
        headers = {"authorization": self._token} if self._token else {}
        response = self._http.request("POST", f"{base}/cluster/member/list", body=b"{}", headers=headers, timeout=timeout)
        try:
            cluster, members = wire.members(wire.answer(response.status, response.body))
        except Refusal:
            cluster, members = "", ()
        if url not in self._access.urls and cluster != self._cluster:
            raise NotSent(f"{url} is not known to be of the same etcd cluster")
        self._cluster = cluster or self._cluster
        self._endpoints.learn(members)

    def _authenticate(self, base: str, timeout: Seconds) -> str:
        """A token; empty when none is needed. Raises NoReply, and Refusal for a wrong password."""
        if not self._access.username:
            return ""
        body = json_body({"name": self._access.username, "password": self._access.password})
        response = self._http.request("POST", f"{base}/auth/authenticate", body=body, timeout=timeout)
        try:
            self._token = str(_judged(response.status, response.body).get("token", ""))
        except Refusal as error:
            if "authentication is not enabled" not in error.detail:
                raise Refusal(error.detail, Meaning.REFUSED) from error
        return self._token


def _judged(status: int, body: bytes) -> Document:
    """An answer that leaves the outcome open is as good as none."""
    try:
        return wire.answer(status, body)
    except Refusal as error:
        if error.meaning is Meaning.ELSEWHERE:
            raise NotSent("etcd could not serve the request", detail=error.detail) from error
        if error.meaning is Meaning.UNSURE:
            raise NoReply("etcd did not finish the request", detail=error.detail) from error
        raise
