"""Calls of the Kubernetes REST API: retries, throttling, credentials that change, several servers. Knows no key.

What an answer means for a write: 429 was turned away before it was looked at; other answers below 500 are a no that
changed nothing; from 500 on the server gave up on something that it may have done. A Retry-After is kept to.

With `bypass_api_service` the servers behind the service are asked directly: a server that hangs then costs its share of
a call's time, not all of it. Source: kubernetes.io/docs/reference/using-api/api-concepts, dcs.md 6.5.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode

from pgctl.clock import Clock
from pgctl.dcs import kubernetes_access as kube_access
from pgctl.dcs import outcomes, retry
from pgctl.dcs.kubernetes_access import Access, Options
from pgctl.dcs.outcomes import Outcome
from pgctl.endpoints import Endpoints
from pgctl.errors import ConfigError, OutcomeUnknown, PgctlError, StoreUnreachable
from pgctl.net import Http, NoReply, NotSent, Response, Stream, json_body
from pgctl.units import Instant, Seconds

Document = Mapping[str, object]

_META = ";g=meta.k8s.io;v=v1,application/json"
ONE = f"application/json;as=PartialObjectMetadata{_META}"
"""We need no more than metadata: of a pod that is a tenth."""
LIST = f"application/json;as=PartialObjectMetadataList{_META}"
_CREDENTIALS_AGE = 60.0
_SERVERS_AGE = 9.5

T = TypeVar("T")


class Refusal(PgctlError):
    """A complete answer that says no: nothing was changed. `code` is its HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__("Kubernetes refused", detail=text)
        self.code = code


class _Throttled(NotSent):
    """Turned away before it was looked at; `after` seconds it may come again."""

    def __init__(self, text: str, after: Seconds) -> None:
        super().__init__("Kubernetes asks to wait", detail=text)
        self.after = after


class KubernetesClient:
    """May be used from several threads."""

    def __init__(self, options: Options, clock: Clock, *, service_account: str = kube_access.SERVICE_ACCOUNT) -> None:
        """Raises ConfigError."""
        self._load = partial(kube_access.access, options, service_account=service_account)
        self._clock = clock
        self._unsure = frozenset(int(str(code)) for code in _listed(options.get("retriable_http_codes")))
        self._bypass = bool(options.get("bypass_api_service"))
        self._looked = Instant(0)
        self._endpoints = Endpoints(())
        self._renew()

    @property
    def namespace(self) -> str:
        return self._access.namespace

    def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None,
             accept: str = ONE, budget: Seconds, repeatable: bool) -> Document:
        """The answer of a server, tried until the budget is spent.

        Raises StoreUnreachable; Refusal for what its caller can use (404, 409, 410); OutcomeUnknown unless `repeatable`.
        """
        end = Instant(self._clock.now() + budget)
        self._refresh(budget)
        send = partial(self._send, method, _target(path, query), body, accept)
        return self._persist(send, end, repeatable)

    def stream(self, path: str, query: Mapping[str, str], *, budget: Seconds) -> Stream:
        """An answer that goes on. Raises StoreUnreachable; Refusal (410)."""
        self._refresh(budget)
        return self._persist(partial(self._start, _target(path, query)), Instant(self._clock.now() + budget), True, 1)

    def close(self) -> None:
        self._http.close()

    def _persist(self, call: Callable[[str, Seconds], T], end: Instant, repeatable: bool, most: int = 1000) -> T:
        failure: Exception = StoreUnreachable("no time to ask Kubernetes")
        renewed = False
        for number, _ in enumerate(retry.attempts(Seconds(max(0.0, end - self._clock.now())), self._clock)):
            if number >= most:
                break
            try:
                left = Seconds(end - self._clock.now())
                return self._endpoints.ask(call, budget=left, clock=self._clock, repeatable=repeatable)
            except _Throttled as error:
                failure = error
                if self._clock.now() + error.after >= end:
                    break
                self._clock.sleep(error.after)
            except NotSent as error:
                failure = error
            except NoReply as error:
                if not repeatable:
                    raise OutcomeUnknown("Kubernetes gave no answer to a write", detail=str(error)) from error
                failure = error
            except Refusal as error:
                if error.code != 401 or renewed:
                    raise _explained(error) from error
                renewed, failure = True, error
                self._renew()
        self._read = Instant(0)  # the authorities may have changed: look at their file before the next call
        raise StoreUnreachable("could not reach Kubernetes", detail=str(failure)) from failure

    def _send(self, method: str, target: str, body: object, accept: str, url: str, timeout: Seconds) -> Document:
        headers = {**self._access.headers, "accept": accept}
        if body is not None:
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            headers["content-type"] = kind
        data = None if body is None else json_body(body)
        response = self._http.request(method, url + target, body=data, headers=headers, timeout=timeout)
        return self._judged(response)

    def _start(self, target: str, url: str, timeout: Seconds) -> Stream:
        stream = self._http.stream("GET", url + target, headers={**self._access.headers, "accept": ONE}, timeout=timeout)
        if stream.status == 200:
            return stream
        stream.close()
        if stream.status in (401, 403, 410):
            raise Refusal(stream.status, f"a watch was answered with status {stream.status}")
        raise NoReply(f"a watch was answered with status {stream.status}")

    def _judged(self, response: Response) -> Document:
        """The document of an answer. Raises Refusal, NotSent, NoReply.

        What is no object and no Status is not the API server's: a gateway's 404 does not make a leader's object vanish.
        """
        document = _document(response.body)
        if 200 <= response.status < 300 and _is_object(document):
            return document
        text = str(document.get("message") or f"status {response.status}")
        if response.status == 429:
            raise _Throttled(text, _seconds(response.headers.get("retry-after")))
        refused = outcomes.of_status(response.status) is Outcome.REFUSED and response.status not in self._unsure
        if refused and document.get("kind") == "Status":
            raise Refusal(response.status, text)
        raise NoReply("Kubernetes did not finish the request", detail=text)

    # --- credentials and servers --------------------------------------------------------------------------------------

    def _renew(self) -> None:
        """Reads credentials and authorities again. Raises ConfigError."""
        access: Access = self._load()
        self._state = kube_access.state(access.files)
        self._read = self._clock.now()
        self._http = Http(access.tls, clock=self._clock)
        self._access = access
        self._endpoints = Endpoints([access.server])
        self._looked = Instant(0)

    def _refresh(self, budget: Seconds) -> None:
        """Once a minute: have files changed; with the bypass, every few seconds: where are the servers."""
        now = self._clock.now()
        if now - self._read > _CREDENTIALS_AGE:
            self._read = now
            if kube_access.state(self._access.files) != self._state:
                try:
                    self._renew()
                except ConfigError:  # half-written: what we have may still be good, and is tried again in a minute
                    return
        if self._bypass and now - self._looked > _SERVERS_AGE:
            self._looked = now
            self._find_servers(Seconds(budget / 3))

    def _find_servers(self, timeout: Seconds) -> None:
        """The servers behind the service, and the service itself last."""
        service = self._access.server
        try:
            found = self._send("GET", "/api/v1/namespaces/default/endpoints/kubernetes", None, "application/json",
                               self._endpoints.urls[0], timeout)
        except Refusal as error:
            self._bypass = error.code != 403
            return
        except (NotSent, NoReply):
            self._endpoints.distrust(self._endpoints.urls[0])
            return
        urls = [url for url in addresses(found) if url != service]
        if urls and set(urls) | {service} != set(self._endpoints.urls):
            tls = self._access.tls
            self._http = Http(kube_access.any_host(tls), clock=self._clock) if tls else self._http
            self._endpoints = Endpoints([*urls, service])


def addresses(endpoints: Document) -> list[str]:
    """https addresses of an Endpoints document: the port named `https` of each subset."""
    found = []
    subsets = endpoints.get("subsets")
    for subset in subsets if isinstance(subsets, list) else []:
        ports = [port["port"] for port in subset.get("ports") or [] if port.get("name") == "https"]
        hosts = [str(each["ip"]) for each in subset.get("addresses") or []]
        found += [f"https://{f'[{host}]' if ':' in host else host}:{port}" for host in hosts for port in ports]
    return found


def _explained(error: Refusal) -> Exception:
    """A refusal the caller can use, or what it comes to: the store cannot be used."""
    if error.code in (404, 409, 410):
        return error
    hint = {
        401: "The API server does not accept the credentials: look at the service account's token or the kubeconfig.",
        403: "Give the service account the rights of kubernetes/rbac.yaml.",
    }.get(error.code, "")
    return StoreUnreachable("Kubernetes refused", detail=error.detail, hint=hint)


def _target(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _document(body: bytes) -> Document:
    """Empty, where the body is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_object(document: Document) -> bool:
    """An object or a list of them: each has a version."""
    metadata = document.get("metadata")
    return isinstance(metadata, dict) and str(metadata.get("resourceVersion", "")).isdigit()


def _seconds(text: str | None) -> Seconds:
    """Of a Retry-After; a second where it does not say, or says a date."""
    return Seconds(min(float(text), 60.0) if text and text.isdigit() else 1.0)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]
