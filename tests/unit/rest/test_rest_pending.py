"""A call that is begun and not waited for."""

import socket
import time

from pgctl.config.sections import CtlSection
from pgctl.rest.client import Call, Client
from pgctl.units import Seconds


def test_the_answer_is_given_when_it_comes_and_not_waited_for_longer() -> None:
    client = Client(CtlSection())
    with socket.create_server(("127.0.0.1", 0)) as server:
        pending = client.begin(Call("a", f"http://127.0.0.1:{server.getsockname()[1]}/patroni"), budget=Seconds(5))
        begun = time.monotonic()
        assert pending.answer(Seconds(0.1)) is None
        assert time.monotonic() - begun < 2
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            answer = pending.answer(Seconds(5))
    client.close()
    assert answer is not None and answer.response is not None and answer.response.text == "ok"


def test_a_refused_connection_is_known_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = Client(CtlSection())
    answer = client.begin(Call("a", f"http://127.0.0.1:{port}/patroni", "POST", "/switchover", {}),
                          budget=Seconds(5)).answer(Seconds(3))
    client.close()
    assert answer is not None and answer.response is None and not answer.unknown
