"""net: what a caller learns when the other side refuses, is silent, drips, breaks off or answers."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.endpoints import Endpoints
from pgctl.errors import ConfigError
from pgctl.net import Http, NoReply, NotSent, Tls, basic, json_body
from pgctl.units import Seconds

Handler = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(handler: Handler) -> Iterator[str]:
    """A server on a free port that gives each connection, its request read, to `handler`; yields host:port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    handler(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def answering(text: bytes) -> Handler:
    def handler(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return handler


def refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def elapsed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    with pytest.raises((NoReply, NotSent)):
        call()
    return time.monotonic() - started


def test_a_complete_answer_whatever_its_status() -> None:
    with listening(answering(b'HTTP/1.1 503 Busy\r\nX-Some: One\r\nContent-Length: 7\r\n\r\n{"a":1}')) as place:
        response = Http().request("POST", f"http://{place}/x", body=b"{}", timeout=Seconds(5))
    assert (response.status, response.headers["x-some"], response.json()) == (503, "One", {"a": 1})


def test_no_redirect_is_followed() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with listening(answering(redirect)) as place:
        assert Http().request("GET", f"http://{place}/", timeout=Seconds(5)).status == 302


def test_refused_is_not_sent_at_once_and_names_the_place() -> None:
    place = refused()
    with pytest.raises(NotSent) as caught:
        Http().request("GET", f"http://{place}/", timeout=Seconds(5))
    assert str(caught.value) == f"could not connect to {place}: connection refused"


def test_an_unknown_name_is_not_sent() -> None:
    with pytest.raises(NotSent, match="host name not found"):
        Http().request("GET", "http://no-such-host.invalid:1/", timeout=Seconds(5))


def test_no_time_is_not_sent() -> None:
    with pytest.raises(NotSent, match="no time left"):
        Http().request("GET", "http://127.0.0.1:1/", timeout=Seconds(0))


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                                  b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                                  b"nonsense\r\n\r\n"])
def test_a_broken_answer_is_no_reply(text: bytes) -> None:
    with listening(answering(text)) as place, pytest.raises(NoReply):
        Http().request("GET", f"http://{place}/", timeout=Seconds(5))


def test_silence_ends_at_the_timeout() -> None:
    with listening(lambda connection: time.sleep(1)) as place:
        assert 0.25 < elapsed(lambda: Http().request("GET", f"http://{place}/", timeout=Seconds(0.3))) < 0.8


def test_a_dripping_body_ends_at_the_timeout() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(20):
            connection.sendall(b"x")
            time.sleep(0.1)

    with listening(drip) as place:
        assert 0.3 < elapsed(lambda: Http().request("GET", f"http://{place}/", timeout=Seconds(0.4))) < 0.8


def test_too_much_is_no_reply() -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    with listening(answering(large)) as place, pytest.raises(NoReply, match="too large"):
        Http().request("GET", f"http://{place}/", timeout=Seconds(5), limit=1000)


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


def test_a_stream_yields_lines_as_they_come_and_ends_in_time() -> None:
    def slowly(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b'{"a":1}\n{"b"'))
        time.sleep(0.1)
        connection.sendall(chunk(b':2}\n'))
        time.sleep(1)

    with listening(slowly) as place:
        stream = Http().stream("POST", f"http://{place}/", body=b"{}", timeout=Seconds(5))
        started = time.monotonic()
        assert list(stream.lines(Seconds(0.4))) == [b'{"a":1}', b'{"b":2}']
        assert 0.3 < time.monotonic() - started < 0.8
        stream.close()


def test_a_stream_ended_by_the_other_side_is_no_reply() -> None:
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one\n") + b"0\r\n\r\n"
    with listening(answering(text)) as place:
        lines = Http().stream("GET", f"http://{place}/", timeout=Seconds(5)).lines(Seconds(5))
        assert next(lines) == b"one"
        with pytest.raises(NoReply, match="ended by the other side"):
            next(lines)


def test_closing_a_stream_wakes_its_reader() -> None:
    def hang(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one\n"))
        connection.recv(1)

    with listening(hang) as place:
        stream = Http().stream("GET", f"http://{place}/", timeout=Seconds(5))
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.extend(stream.lines(Seconds(20))))
        reader.start()
        time.sleep(0.1)
        stream.close()
        reader.join(2)
        assert not reader.is_alive() and got == [b"one"]


def test_connections_are_kept_and_a_dropped_one_is_replaced() -> None:
    connections = []

    def twice(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(2):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with listening(twice) as place:
        http = Http()
        for _ in range(4):
            assert http.request("GET", f"http://{place}/", timeout=Seconds(5)).body == b"ok"
            time.sleep(0.05)
        http.close()
    assert len(connections) == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path / "key.pem"),
                    "-out", str(path / "cert.pem")], check=True, capture_output=True)
    return path


def over_tls(certificate: Path) -> Handler:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    def handler(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return handler


def test_tls_trusts_the_given_authority_only(certificate: Path) -> None:
    with listening(over_tls(certificate)) as place:
        trusting = Http(Tls(cacert=str(certificate / "cert.pem")))
        assert trusting.request("GET", f"https://{place}/", timeout=Seconds(5)).body == b"ok"
        anyone = Http(Tls(verify=False))
        assert anyone.request("GET", f"https://{place}/", timeout=Seconds(5)).body == b"ok"
        with pytest.raises(NotSent, match="certificate not accepted"):
            Http(Tls()).request("GET", f"https://{place}/", timeout=Seconds(5))


def test_a_host_may_go_by_another_name_than_its_certificate_where_names_do_not_count(certificate: Path) -> None:
    with listening(over_tls(certificate)) as place:
        url = f"https://localhost:{place.rpartition(':')[2]}/"
        authority = str(certificate / "cert.pem")
        with pytest.raises(NotSent, match="certificate not accepted"):
            Http(Tls(cacert=authority)).request("GET", url, timeout=Seconds(5))
        by_any_name = Http(Tls(cacert=authority, check_host=False))
        assert by_any_name.request("GET", url, timeout=Seconds(5)).body == b"ok"
        with pytest.raises(NotSent, match="certificate not accepted"):
            Http(Tls(check_host=False)).request("GET", url, timeout=Seconds(5))


def test_plain_text_where_tls_is_expected_is_not_sent() -> None:
    with listening(answering(b"HTTP/1.1 400 Bad\r\n\r\n")) as place, pytest.raises(NotSent):
        Http(Tls(verify=False)).request("GET", f"https://{place}/", timeout=Seconds(5))


def test_unusable_tls_files_are_the_operators_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not load TLS files .*absent.pem: no such file or directory"):
        Http(Tls(cacert=str(tmp_path / "absent.pem")))
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    with pytest.raises(ConfigError, match="garbage.pem"):
        Http(Tls(cert=str(garbage)))


def test_aborting_ends_what_is_under_way_in_another_thread() -> None:
    silence = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        silence.wait(10)

    with listening(say_nothing) as address:
        http = Http()
        threading.Timer(0.2, http.abort).start()
        with pytest.raises(NoReply):
            http.request("GET", f"http://{address}/", timeout=Seconds(8))
        with pytest.raises(NotSent, match="closed meanwhile"):
            http.request("GET", f"http://{address}/", timeout=Seconds(8))
        silence.set()


class TestEndpoints:
    def test_the_one_that_answered_is_asked_first_next_time(self) -> None:
        asked: list[str] = []

        def call(url: str, timeout: Seconds) -> str:
            asked.append(url)
            if url == "a":
                raise NotSent("down")
            return url

        endpoints = Endpoints(["a", "b", "c"])
        for _ in range(2):
            assert endpoints.ask(call, budget=Seconds(6), clock=SystemClock(), repeatable=False) == "b"
        assert asked == ["a", "b", "b"]

    def test_a_write_without_reply_is_not_sent_again(self) -> None:
        def call(url: str, timeout: Seconds) -> str:
            assert url == "a" and timeout > 5.9  # all the time there is
            raise NoReply("silent")

        endpoints = Endpoints(["a", "b"])
        with pytest.raises(NoReply):
            endpoints.ask(call, budget=Seconds(6), clock=SystemClock(), repeatable=False)
        assert endpoints.urls == ("b", "a")

    def test_a_reading_shares_the_time_between_servers(self) -> None:
        def call(url: str, timeout: Seconds) -> float:
            if url != "c":
                raise NoReply("silent")
            return timeout

        left = Endpoints(["a", "b", "c"]).ask(call, budget=Seconds(6), clock=SystemClock(), repeatable=True)
        assert 5.9 < left <= 6  # a and b took no time of theirs

    def test_the_last_failure_is_told(self) -> None:
        def call(url: str, timeout: Seconds) -> None:
            raise NotSent(url)

        with pytest.raises(NotSent, match="b"):
            Endpoints(["a", "b"]).ask(call, budget=Seconds(1), clock=SystemClock(), repeatable=True)


def test_headers_and_bodies() -> None:
    assert basic("u", "p\u00e4") == {"authorization": "Basic dTpww6Q="}
    assert basic("", "x") == {}
    assert json_body({"a": ["\u00e4", None]}) == '{"a":["\u00e4",null]}'.encode()
