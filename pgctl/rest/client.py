"""Calls to members' REST APIs: one or many at once, under one deadline. Knows no store, keeps no state between calls.

Each call has a thread of its own, and nobody waits for a thread longer than the deadline: a member that is silent, a
name that does not resolve, an answer that drips in byte by byte neither delay the others' answers nor move it. A thread
left behind ends soon after by the timeouts of its own socket, and what it brings is dropped.
"""

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from pgctl.clock import Clock, SystemClock
from pgctl.config.ctl_sections import CtlSection
from pgctl.errors import OutcomeUnknown, PeerError
from pgctl.model import document
from pgctl.net import Http, NoReply, NotSent, Tls, basic, json_body
from pgctl.rest import schema
from pgctl.rest.schema import PeerStatus
from pgctl.units import Instant, Seconds

_ANSWER_LIMIT = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Without `path` the `api_url` is asked as it stands; else its path is replaced."""

    name: str
    api_url: str
    method: str = "GET"
    path: str | None = None
    body: Mapping[str, object] | None = None

    @property
    def url(self) -> str:
        return self.api_url if self.path is None else schema.endpoint(self.api_url, self.path)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer, whatever its status. Header names are in lower case."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Mapping[str, object] | None:
        """The body as a JSON object; None when it is none."""
        return document.mapping(document.load(self.text))


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What became of a call: a response, or why there is none. `unknown`: it may have been carried out all the same."""

    call: Call
    response: Response | None = None
    problem: str = ""
    unknown: bool = False


class Pending:
    """A call under way."""

    def __init__(self, answers: "queue.SimpleQueue[tuple[int, PeerAnswer]]") -> None:
        self._answers = answers

    def answer(self, wait: Seconds) -> PeerAnswer | None:
        """The answer if it comes within `wait`; given once."""
        try:
            return self._answers.get(timeout=wait)[1]
        except queue.Empty:
            return None


class Client:
    """Calls members as this section says: credentials, certificates, whom to trust."""

    def __init__(self, section: CtlSection, *, verify: bool = True, check_host: bool = True,
                 clock: Clock | None = None, asker: str = "") -> None:
        """`asker` is who it says it is, in the header `From`.

        `insecure` in the section wins over `verify`. Raises ConfigError when a certificate file cannot be used."""
        self._clock = clock or SystemClock()
        tls = Tls(section.cacert, section.certfile, section.keyfile, section.keyfile_password,
                  verify and not section.insecure, check_host)
        self._http = Http(None if tls == Tls() else tls)  # all defaults: authorities are loaded when first needed
        self._headers = {"content-type": "application/json", "connection": "close",
                         **basic(section.username, section.password), **({"from": asker} if asker else {})}

    @classmethod
    def of_member(cls, section: CtlSection, clock: Clock | None = None) -> "Client":
        """As members call each other: chains are verified only where a client certificate is configured, and host
        names never, for a mixed cluster must understand itself. Source: rest.md 18.1.
        """
        return cls(section, verify=bool(section.certfile), check_host=False, clock=clock)

    def call(self, call: Call, *, budget: Seconds) -> Response:
        """One call. Raises PeerError when it certainly had no effect, OutcomeUnknown when it may have had one."""
        answer = self.call_all((call,), budget=budget)[0]
        if answer.response is not None:
            return answer.response
        if answer.unknown:
            raise OutcomeUnknown(f"no answer from {call.name} to {call.method} {call.path or schema.STATUS}",
                                 detail=answer.problem, hint="Look at the cluster before you order it again.")
        raise PeerError(f"could not reach {call.name}", detail=answer.problem)

    def get(self, api_url: str, path: str, *, budget: Seconds, name: str = "") -> Response:
        return self.call(Call(name or api_url, api_url, "GET", path), budget=budget)

    def post(self, api_url: str, path: str, body: Mapping[str, object] | None = None, *, budget: Seconds,
             name: str = "") -> Response:
        return self.call(Call(name or api_url, api_url, "POST", path, body), budget=budget)

    def patch(self, api_url: str, path: str, body: Mapping[str, object], *, budget: Seconds,
              name: str = "") -> Response:
        return self.call(Call(name or api_url, api_url, "PATCH", path, body), budget=budget)

    def delete(self, api_url: str, path: str, *, budget: Seconds, name: str = "") -> Response:
        return self.call(Call(name or api_url, api_url, "DELETE", path), budget=budget)

    def status(self, members: Sequence[tuple[str, str]], *, budget: Seconds,
               optional: frozenset[str] = frozenset()) -> tuple[PeerStatus, ...]:
        """Status of (name, api_url) pairs, in their order.

        Those in `optional` are not waited for once all others have answered; they then count as unreachable.
        """
        calls = [Call(name, api_url) for name, api_url in members]
        return tuple(_status(answer) for answer in self.call_all(calls, budget=budget, optional=optional))

    def call_all(self, calls: Sequence[Call], *, budget: Seconds,
                 optional: frozenset[str] = frozenset()) -> tuple[PeerAnswer, ...]:
        """All calls at once; answers in their order, within `budget`. Never raises."""
        deadline = Instant(self._clock.now() + budget)
        answers: queue.SimpleQueue[tuple[int, PeerAnswer]] = queue.SimpleQueue()
        found: dict[int, PeerAnswer] = {}
        for place, call in enumerate(calls):
            threading.Thread(target=self._work, args=(place, call, deadline, answers), daemon=True).start()
        waited = {place for place, call in enumerate(calls) if call.name not in optional} or set(range(len(calls)))
        while waited - found.keys():
            try:
                place, answer = answers.get(timeout=max(0.0, deadline - self._clock.now()))
            except queue.Empty:
                break
            found[place] = answer
        return tuple(found.get(place) or _silent(call, budget) for place, call in enumerate(calls))

    def begin(self, call: Call, *, budget: Seconds) -> Pending:
        """Sends a call without waiting for its answer, for callers who can watch its effect meanwhile."""
        answers: queue.SimpleQueue[tuple[int, PeerAnswer]] = queue.SimpleQueue()
        deadline = Instant(self._clock.now() + budget)
        threading.Thread(target=self._work, args=(0, call, deadline, answers), daemon=True).start()
        return Pending(answers)

    def close(self) -> None:
        self._http.close()

    def _work(self, place: int, call: Call, deadline: Instant,
              answers: "queue.SimpleQueue[tuple[int, PeerAnswer]]") -> None:
        answers.put((place, self._answer(call, deadline)))

    def _answer(self, call: Call, deadline: Instant) -> PeerAnswer:
        body = None if call.body is None else json_body(dict(call.body))
        fault = _fault(call)
        if fault:
            return PeerAnswer(call, problem=fault)
        try:
            reply = self._http.request(call.method, call.url, timeout=Seconds(deadline - self._clock.now()), body=body,
                                       headers=self._headers, limit=_ANSWER_LIMIT)
        except NotSent as error:
            return PeerAnswer(call, problem=str(error))
        except NoReply as error:
            return PeerAnswer(call, problem=str(error), unknown=call.method != "GET")
        return PeerAnswer(call, Response(reply.status, reply.body.decode(errors="replace"), reply.headers))


def _fault(call: Call) -> str:
    """Why this URL, which came from the store, cannot be asked; empty when it can."""
    try:
        parts = urlsplit(call.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    clean = call.api_url.isprintable() and " " not in call.api_url
    return "" if usable and clean else f'"{call.api_url}" is not the address of an API'


def _silent(call: Call, budget: Seconds) -> PeerAnswer:
    return PeerAnswer(call, problem=f"no answer within {budget:.1f} s", unknown=call.method != "GET")


def _status(answer: PeerAnswer) -> PeerStatus:
    name = answer.call.name
    if answer.response is None:
        return PeerStatus(name, False, problem=answer.problem)
    status = schema.read_status(name, answer.response.text)
    if status.body or answer.response.status < 400:
        return status
    return replace(status, problem=f"answered {answer.response.status}")
