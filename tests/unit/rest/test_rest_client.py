"""Calls to members that answer, refuse, keep silent, drip, or are not there. No test waits for a fixed time."""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import CtlSection
from pgctl.errors import ConfigError, OutcomeUnknown, PeerError
from pgctl.rest.client import Call, Client
from pgctl.units import Seconds

CLOCK = SystemClock()
Behaviour = Callable[[socket.socket], None]


class Member:
    """A listening socket; each connection is handed to `behave` in a thread. Remembers what it was sent."""

    def __init__(self, behave: Behaviour) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._behave = behave
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/patroni"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(wire)
            threading.Thread(target=self._behave, args=(wire,), daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)
        for wire in self._open:
            wire.close()


Start = Callable[[Behaviour], Member]


@pytest.fixture
def start() -> Iterator[Start]:
    members: list[Member] = []

    def begin(behave: Behaviour) -> Member:
        members.append(Member(behave))
        return members[-1]

    yield begin
    for member in members:
        member.close()


def answers(status: int, body: object, seen: list[bytes] | None = None) -> Behaviour:
    """As a Patroni: HTTP/1.0, no length, the connection ends the body."""
    def behave(wire: socket.socket) -> None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += wire.recv(65536)
        if seen is not None:
            seen.append(raw)
        text = body if isinstance(body, str) else json.dumps(body)
        wire.sendall(f"HTTP/1.0 {status} X\r\nContent-Type: application/json\r\n\r\n{text}".encode())
        wire.shutdown(socket.SHUT_WR)

    return behave


def silent(wire: socket.socket) -> None:
    """Accepts, reads, and never says a word."""
    try:
        while wire.recv(65536):
            pass
    except OSError:
        pass


def drips(wire: socket.socket) -> None:
    """A byte of an endless answer every hundredth of a second."""
    try:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            wire.sendall(b" ")
            threading.Event().wait(0.01)
    except OSError:
        pass


def nobody() -> str:
    """A URL where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}/patroni"


STATUS = {"state": "running", "role": "replica", "xlog": {"received_location": 9, "replayed_location": 9}}
CLIENT = Client(CtlSection())


def took(deed: Callable[[], object]) -> float:
    began = CLOCK.now()
    deed()
    return CLOCK.now() - began


def test_status_of_members_in_the_order_asked(start: Start) -> None:
    good, down = start(answers(503, STATUS)), start(answers(200, {"state": "stopped", "role": "replica"}))
    page = start(answers(502, "<html>bad gateway</html>"))
    found = CLIENT.status([("a", nobody()), ("b", good.url), ("c", down.url), ("d", page.url)], budget=Seconds(5))
    assert [(status.name, status.reachable) for status in found] == [
        ("a", False), ("b", True), ("c", False), ("d", False)]
    assert found[1].lsn == 9, "the HTTP status is not looked at"
    assert "refused" in found[0].problem and found[3].problem == "answered 502"


def test_a_refused_connection_is_an_answer_at_once() -> None:
    assert took(lambda: CLIENT.status([("a", nobody())], budget=Seconds(30))) < 1


def test_a_silent_member_does_not_delay_the_others_beyond_the_deadline(start: Start) -> None:
    good, mute, slow = start(answers(200, STATUS)), start(silent), start(drips)
    found = CLIENT.status([("a", mute.url), ("b", good.url), ("c", slow.url)], budget=Seconds(0.5))
    assert [status.reachable for status in found] == [False, True, False]
    assert took(lambda: CLIENT.status([("a", mute.url), ("c", slow.url)], budget=Seconds(0.5))) < 2


def test_the_optional_are_not_waited_for(start: Start) -> None:
    good, mute = start(answers(200, STATUS)), start(silent)
    ask = [("dead", mute.url), ("b", good.url)]
    assert took(lambda: CLIENT.status(ask, budget=Seconds(30), optional=frozenset({"dead"}))) < 5
    assert [status.reachable for status in CLIENT.status(ask, budget=Seconds(30), optional=frozenset({"dead"}))] == [
        False, True]


def test_when_all_are_optional_all_are_waited_for(start: Start) -> None:
    good = start(answers(200, STATUS))
    assert CLIENT.status([("b", good.url)], budget=Seconds(5), optional=frozenset({"b"}))[0].reachable


def test_nobody_to_ask() -> None:
    assert CLIENT.status([], budget=Seconds(5)) == ()


def test_many_members_at_once(start: Start) -> None:
    members = [(str(number), start(answers(200, STATUS)).url) for number in range(40)]
    assert all(status.reachable for status in CLIENT.status(members, budget=Seconds(10)))


def test_an_order_carries_its_body_and_the_credentials(start: Start) -> None:
    seen: list[bytes] = []
    member = start(answers(202, "reload scheduled", seen))
    client = Client(CtlSection(username="admin", password="secret"))
    response = client.post(member.url, "/switchover", {"leader": "a"}, budget=Seconds(5))
    assert (response.status, response.text) == (202, "reload scheduled")
    head = seen[0].lower()
    assert head.startswith(b"post /switchover http/1.1\r\n") and b"connection: close" in head
    assert b"authorization: Basic " + base64.b64encode(b"admin:secret") in seen[0]


def test_each_verb(start: Start) -> None:
    seen: list[bytes] = []
    url = start(answers(200, {"ttl": 30}, seen)).url
    assert CLIENT.get(url, "/config", budget=Seconds(5)).document == {"ttl": 30}
    CLIENT.patch(url, "/config", {"pause": None}, budget=Seconds(5))
    CLIENT.delete(url, "/restart", budget=Seconds(5))
    assert [raw.split(b" ")[0] for raw in seen] == [b"GET", b"PATCH", b"DELETE"]


def test_an_order_that_was_never_sent_is_not_an_unknown_outcome() -> None:
    with pytest.raises(PeerError, match="could not reach b"):
        CLIENT.post(nobody(), "/restart", budget=Seconds(5), name="b")


def test_an_order_without_an_answer_may_have_been_carried_out(start: Start) -> None:
    with pytest.raises(OutcomeUnknown, match="no answer from b to POST /restart"):
        CLIENT.post(start(silent).url, "/restart", budget=Seconds(0.3), name="b")


def test_a_question_without_an_answer_has_no_outcome(start: Start) -> None:
    with pytest.raises(PeerError):
        CLIENT.get(start(silent).url, "/config", budget=Seconds(0.3))


@pytest.mark.parametrize("url", ["", "not a url", "http://", "http://[::1", "ftp://127.0.0.1/x", "http://a b/"])
def test_an_unusable_address_is_a_problem_and_no_crash(url: str) -> None:
    answer = CLIENT.call_all([Call("a", url, "GET", "/config")], budget=Seconds(5))[0]
    assert answer.response is None and answer.problem


def test_unusable_certificate_files_are_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        Client(CtlSection(cacert="/nowhere/ca.pem"))
