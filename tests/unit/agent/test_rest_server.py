"""The REST server over real sockets: what comes in whole, broken, slow, too big, in parallel; TLS; orders; reload."""

import base64
import json
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core.view import Host, Lease, View
from pgctl.agent.inbox import FULL, Inbox, Order, Reply
from pgctl.agent.lease import LeaseCell
from pgctl.agent.rest_server import RestServer
from pgctl.clock import SystemClock
from pgctl.config.sections import RestSection
from pgctl.errors import ConfigError
from pgctl.model import failsafe
from pgctl.model.cluster import Cluster
from pgctl.model.failsafe import Ping
from pgctl.model.settings import Settings
from pgctl.units import Instant
from tests.unit.agent import boards
from tests.unit.agent.stand_ins import promises

LOCAL = RestSection(listen_host="127.0.0.1", listen_port=0)
CLOCK = SystemClock()
FAILSAFE = Settings(failsafe_mode=True)


class Site:
    """A server with its board and inbox, and ways to talk to it."""

    def __init__(self, section: RestSection = LOCAL, slowest: float = 10.0) -> None:
        self.bell = Bell()
        self.inbox = Inbox(self.bell)
        self.board = Board("prod", boards.host(), CLOCK.now(), CLOCK.wall())
        self.lead()
        self.lease = LeaseCell()
        self.server = RestServer(section, self.board, self.inbox, promises(self.lease), CLOCK, slowest=slowest)
        self.server.start()

    def lead(self, reading: Cluster | None = None, me: Host | None = None) -> None:
        view = View(CLOCK.now(), CLOCK.wall(), me or boards.host(), boards.primary(), reading or boards.cluster("a"))
        self.board.show(view)
        self.board.lease(Lease(True, Instant(CLOCK.now() + 60)))

    def connect(self, host: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection((host, self.server.ports[0]), timeout=5)

    def send(self, raw: bytes) -> bytes:
        """Everything the server says to these bytes until it ends its half."""
        with self.connect() as wire:
            wire.sendall(raw)
            return drain(wire)

    def order(self, timeout: float = 5) -> Order:
        """The next order; waits for the bell."""
        assert select.select([self.bell], [], [], timeout)[0], "no order came"
        self.bell.clear()
        return self.inbox.take()[0]


def drain(wire: socket.socket) -> bytes:
    received = b""
    while chunk := wire.recv(65536):
        received += chunk
    return received


def status(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1])


def reply(wire: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One reply of a connection that is kept."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        chunk = wire.recv(65536)
        assert chunk, raw
        raw += chunk
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += wire.recv(65536)
    return int(lines[0].split()[1]), headers, body


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.stop()
    made.bell.close()


@pytest.fixture
def impatient() -> Iterator[Site]:
    made = Site(slowest=0.3)
    yield made
    made.server.stop()
    made.bell.close()


GET = b"GET /primary HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET /primary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_a_health_check_and_its_headers(site: Site) -> None:
    raw = site.send(CLOSE)
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    names = [line.partition(":")[0] for line in lines[1:]]
    assert names == ["Server", "Date", "Content-Type", "Content-Length", "Connection"]
    assert json.loads(body)["role"] == "primary"


def test_a_leader_without_the_store_is_promised_the_lead(site: Site) -> None:
    """At once and by this thread: no loop takes orders here. The next status says so."""
    site.board.show(View(CLOCK.now(), CLOCK.wall(), boards.host(), boards.standby(), boards.cluster("b", FAILSAFE)))
    site.board.lease(Lease())
    body = json.dumps(failsafe.write(Ping("b", "postgres://b", "http://b", {}, 45.0))).encode()
    raw = b"POST /failsafe HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with site.connect() as wire:
        before = CLOCK.now()
        wire.sendall(raw)
        code, headers, text = reply(wire)
        assert (code, text, headers["lsn"]) == (200, b"Accepted", str(int(boards.END)))
        promise = site.board.read().promise
        assert promise is not None and before + 45 <= promise.until <= CLOCK.now() + 45
        wire.sendall(GET)
        assert json.loads(reply(wire)[2])["failsafe_mode_is_active"] is True
        site.lease.hold(Instant(CLOCK.now() + 60))
        wire.sendall(raw)
        assert reply(wire)[0] == 500


def test_a_connection_is_kept_where_the_client_wants_it(site: Site) -> None:
    with site.connect() as wire:
        for _ in range(5):
            wire.sendall(GET)
            code, headers, _ = reply(wire)
            assert (code, headers["connection"]) == (200, "keep-alive")
        wire.sendall(CLOSE)
        assert reply(wire)[1]["connection"] == "close"
        assert wire.recv(1) == b""


@pytest.mark.parametrize(("raw", "kept"), [
    (b"GET / HTTP/1.0\r\n\r\n", False),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
])
def test_http_1_0_is_kept_only_when_asked(site: Site, raw: bytes, kept: bool) -> None:
    with site.connect() as wire:
        wire.sendall(raw)
        assert reply(wire)[1]["connection"] == ("keep-alive" if kept else "close")


def test_requests_in_line_are_answered_in_their_order(site: Site) -> None:
    paths = ["/primary", "/replica", "/liveness", "/config", "/foo"]
    raw = b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths) + CLOSE
    received = site.send(raw)
    codes = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert codes == [200, 503, 200, 200, 503, 200]


@pytest.mark.parametrize("path", ["/primary", "/liveness", "/metrics"])
def test_head_has_the_length_and_no_body_options_has_neither(site: Site, path: str) -> None:
    with site.connect() as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        length = reply(wire)[1]["content-length"]
    head = site.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status(head) == 200 and head.endswith(b"\r\n\r\n")
    assert abs(int(length) - int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])) < 8  # ages have digits
    options = site.send(f"OPTIONS {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status(options) == 200 and b"Content-Length: 0\r\n" in options


@pytest.mark.parametrize("raw", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS greeting on a plain port
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
    b"POST /reload HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /reload HTTP/1.1\r\nContent-Length: five\r\n\r\n",
    b"POST /reload HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"POST /reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /reload HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
])
def test_what_is_not_http_is_400_and_the_end(site: Site, raw: bytes) -> None:
    received = site.send(raw)
    assert status(received) == 400 and b"Connection: close" in received
    assert site.inbox.take() == ()


def test_the_requests_before_a_broken_one_are_answered(site: Site) -> None:
    received = site.send(GET + b"BROKEN\r\n\r\n")
    assert [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]] == [200, 400]


@pytest.mark.parametrize("raw", [
    b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 20000,  # the header never ends
    b"GET / HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 3000,
])
def test_a_head_without_end_is_431(site: Site, raw: bytes) -> None:
    assert status(site.send(raw)) == 431


def test_a_body_too_large_is_413_before_it_is_read(site: Site) -> None:
    announced = b"PATCH /config HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n"
    assert status(site.send(announced)) == 413
    assert status(site.send(announced.replace(b"99999999999999", b"1048577"))) == 413


def test_a_body_too_large_in_chunks_is_413(site: Site) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    raw = b"PATCH /config HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 17
    assert status(site.send(raw)) == 413


def test_a_client_that_sends_slowly_is_told_and_closed(impatient: Site) -> None:
    with impatient.connect() as wire:
        wire.sendall(b"GET / HT")
        assert status(drain(wire)) == 408


def test_a_client_that_drips_is_not_given_more_time(impatient: Site) -> None:
    with impatient.connect() as wire:
        started = CLOCK.now()
        for byte in b"GET /primary HTTP/1.1\r\nHost: some.host.example\r\n":
            wire.sendall(bytes([byte]))
            threading.Event().wait(0.05)
            if CLOCK.now() - started > 0.6:
                break
        assert status(wire.recv(65536)) == 408


def test_a_client_that_says_nothing_is_closed(impatient: Site) -> None:
    with impatient.connect() as wire:
        assert wire.recv(1) == b""


def test_slow_clients_do_not_slow_others(site: Site) -> None:
    idlers = [site.connect() for _ in range(100)]
    for wire in idlers:
        wire.sendall(b"GET / HT")
    started = CLOCK.now()
    assert status(site.send(CLOSE)) == 200
    assert CLOCK.now() - started < 2
    for wire in idlers:
        wire.close()


def test_two_hundred_checks_at_once(site: Site) -> None:
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(status(site.send(CLOSE)))) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert codes == [200] * 200


def test_the_longest_idle_connection_makes_room(site: Site) -> None:
    """Each has been answered before the next one comes, so all that are there are idle."""
    wires = []
    for _ in range(401):
        wires.append(site.connect())
        wires[-1].sendall(GET)
        assert reply(wires[-1])[0] == 200
    assert len(site.server.connections) <= 400
    for wire in wires:
        wire.close()


def post(path: str, body: bytes = b"", extra: bytes = b"", method: bytes = b"POST") -> bytes:
    head = method + b" " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + extra
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_an_order_goes_into_the_inbox_and_its_reply_comes_back_from_another_thread(site: Site) -> None:
    received: list[bytes] = []
    asker = threading.Thread(target=lambda: received.append(site.send(post("/restart?x=1", b'{"timeout": "5s"}'))))
    asker.start()
    order = site.order()
    assert (order.method, order.path, order.query, order.body) == ("POST", "/restart", {"x": "1"}, {"timeout": 5.0})
    assert order.deadline > order.received
    assert status(site.send(CLOSE)) == 200, "others do not wait for it"
    order.reply(Reply(200, "restarted successfully"))
    order.reply(Reply(503, "too late to count"))
    asker.join(5)
    assert status(received[0]) == 200 and received[0].endswith(b"restarted successfully")


def test_an_order_nobody_takes_is_answered_at_its_limit(site: Site) -> None:
    short = replace(boards.cluster("a"), settings=replace(boards.cluster().settings, ttl=0.2))
    site.lead(short)
    received = site.send(post("/reload"))
    assert status(received) == 503 and b"may still be carried out" in received
    site.order().reply(Reply(202, "reload scheduled"))  # and a reply after that does no harm
    site.lead()
    assert status(site.send(CLOSE)) == 200


def test_a_full_inbox_is_503_at_once(site: Site) -> None:
    for _ in range(FULL):
        site.inbox.put(Order("POST", "/reload", {}, None, lambda reply: None, CLOCK.now()))
    assert status(site.send(post("/reload"))) == 503


def test_an_asker_who_leaves_does_not_disturb(site: Site) -> None:
    with site.connect() as wire:
        wire.sendall(post("/reload"))
        order = site.order()
    order.reply(Reply(202, "reload scheduled"))
    assert status(site.send(CLOSE)) == 200


def test_a_client_that_ended_its_half_still_gets_its_reply(site: Site) -> None:
    with site.connect() as wire:
        wire.sendall(post("/reload"))
        wire.shutdown(socket.SHUT_WR)
        site.order().reply(Reply(202, "reload scheduled"))
        assert drain(wire).endswith(b"reload scheduled")


def test_a_client_that_waits_to_be_told_is_told(site: Site) -> None:
    with site.connect() as wire:
        wire.sendall(b"PATCH /config HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(b"{}")
        assert reply(wire)[0] == 400


def test_an_upgrade_is_not_followed(site: Site) -> None:
    raw = b"GET /primary HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    assert status(site.send(raw)) == 200


def test_passwords_guard_changes_and_nothing_else() -> None:
    made = Site(replace(LOCAL, username="admin", password="secret"))
    try:
        token = base64.b64encode(b"admin:secret")
        assert status(made.send(CLOSE)) == 200
        refused = made.send(post("/reload"))
        assert status(refused) == 401 and b'WWW-Authenticate: Basic realm="' in refused
        assert status(made.send(post("/mpp", b'{"type": "x"}'))) == 401
        good = made.send(post("/mpp", b'{"type": "x"}', b"Authorization: Basic " + token + b"\r\n"))
        assert status(good) == 200
        assert made.inbox.take() == ()
    finally:
        made.server.stop()


def test_members_are_known_by_address_and_by_name() -> None:
    made = Site(replace(LOCAL, allowlist_include_members=True))
    try:
        assert status(made.send(post("/citus", b'{"a": 1}'))) == 403
        for url in ("http://127.0.0.1:8008/patroni", "http://localhost:8008/patroni"):
            reading = boards.cluster("a")
            made.lead(replace(reading, members=(replace(reading.members[0], api_url=url), *reading.members[1:])))
            assert status(made.send(post("/citus", b'{"a": 1}'))) == 200
    finally:
        made.server.stop()


def test_extra_headers_and_tokens() -> None:
    section = replace(LOCAL, http_extra_headers={"X-Frame-Options": "DENY\r\nX-Smuggled: 1"}, server_tokens="ProductOnly")
    made = Site(section)
    try:
        raw = made.send(CLOSE)
        assert b"\r\nServer: pgctl\r\n" in raw and b"\r\nX-Frame-Options: DENY  X-Smuggled: 1\r\n" in raw
    finally:
        made.server.stop()


# --- the listener -----------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_named_with_the_next_step(site: Site) -> None:
    section = replace(LOCAL, listen_port=site.server.ports[0])
    with pytest.raises(ConfigError) as raised:
        Site(section)
    assert str(section.listen_port) in raised.value.message and "ss -ltnp" in raised.value.hint
    assert raised.value.detail == "address already in use"


@pytest.mark.parametrize("host", ["203.0.113.77", "no such host.invalid"])
def test_an_address_that_is_not_ours_is_a_fault_of_the_configuration(host: str) -> None:
    with pytest.raises(ConfigError, match="cannot listen on"):
        Site(replace(LOCAL, listen_host=host))


@pytest.mark.parametrize(("listen", "way"), [
    ("*", "127.0.0.1"), ("*", "::1"), ("", "127.0.0.1"), ("::1", "::1"), ("localhost", "localhost"),
])
def test_addresses_to_listen_on(listen: str, way: str) -> None:
    if way == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this host has no IPv6")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    made = Site(replace(LOCAL, listen_host=listen, listen_port=free))
    try:
        with socket.create_connection((way, free), timeout=5) as wire:
            wire.sendall(CLOSE)
            assert status(drain(wire)) == 200
    finally:
        made.server.stop()


def test_reload_keeps_the_socket_where_the_address_stays(site: Site) -> None:
    section = replace(LOCAL, username="admin", password="secret")
    with site.connect() as wire:
        assert site.server.reload(section) is False
        wire.sendall(GET)
        assert reply(wire)[0] == 200, "a connection outlives it"
    assert status(site.send(post("/reload"))) == 401


def test_reload_to_another_address(site: Site) -> None:
    old = site.server.ports[0]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    assert site.server.reload(replace(LOCAL, listen_port=free)) is True
    assert site.server.ports == (free,)
    assert status(site.send(CLOSE)) == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), timeout=5)


def test_a_reload_that_cannot_be_carried_out_changes_nothing(site: Site) -> None:
    port = site.server.ports[0]
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError):
        site.server.reload(replace(LOCAL, listen_port=taken.getsockname()[1]))
    with pytest.raises(ConfigError, match="TLS"):
        site.server.reload(replace(LOCAL, certfile="/nowhere/server.pem"))
    assert site.server.ports == (port,) and status(site.send(CLOSE)) == 200


def test_stopping_ends_everything(site: Site) -> None:
    with site.connect() as wire:
        wire.sendall(post("/reload"))
        order = site.order()
        site.server.stop()
        assert wire.recv(1) == b""
    order.reply(Reply(202, "nobody listens"))
    site.server.stop()


# --- TLS --------------------------------------------------------------------------------------------------------------


def openssl(*words: str) -> None:
    subprocess.run(("openssl", *words), check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem; server.pem and client.pem of that authority, keys beside them; other.pem of its own."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    place = tmp_path_factory.mktemp("certificates")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "other"):
        openssl("req", "-x509", *new, "-subj", f"/CN={name}", "-keyout", f"{place}/{name}.key",
                "-out", f"{place}/{name}.pem")
    (place / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", *new, "-subj", f"/CN={name}", "-keyout", f"{place}/{name}.key", "-out", f"{place}/{name}.csr")
        openssl("x509", "-req", "-in", f"{place}/{name}.csr", "-CA", f"{place}/ca.pem", "-CAkey", f"{place}/ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{place}/names", "-out", f"{place}/{name}.pem")
    return place


def secured(place: Path, verify: str = "none") -> RestSection:
    return replace(LOCAL, certfile=f"{place}/server.pem", keyfile=f"{place}/server.key", cafile=f"{place}/ca.pem",
                   verify_client=verify, https_extra_headers={"Strict-Transport-Security": "max-age=1"})


def tls_send(made: Site, place: Path, raw: bytes, *, certified: bool = False, ca: str = "ca.pem") -> bytes:
    context = ssl.create_default_context(cafile=str(place / ca))
    if certified:
        context.load_cert_chain(place / "client.pem", place / "client.key")
    with made.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as wire:
        wire.sendall(raw)
        return drain(wire)


def test_tls(certificates: Path) -> None:
    made = Site(secured(certificates))
    try:
        raw = tls_send(made, certificates, CLOSE)
        assert status(raw) == 200 and b"Strict-Transport-Security: max-age=1" in raw
        with made.connect() as plain:
            plain.sendall(GET)
            assert plain.recv(100)[:5] != b"HTTP/", "plain text gets no answer in plain text"
        assert status(tls_send(made, certificates, CLOSE)) == 200
    finally:
        made.server.stop()


@pytest.mark.parametrize(("verify", "certified", "get", "change"), [
    ("none", False, 200, 200), ("optional", False, 200, 403), ("optional", True, 200, 200), ("required", True, 200, 200),
])
def test_client_certificates(certificates: Path, verify: str, certified: bool, get: int, change: int) -> None:
    made = Site(secured(certificates, verify))
    try:
        assert status(tls_send(made, certificates, CLOSE, certified=certified)) == get
        event = post("/citus", b'{"a": 1}')
        assert status(tls_send(made, certificates, event, certified=certified)) == change
    finally:
        made.server.stop()


def test_without_a_required_certificate_there_is_no_answer_at_all(certificates: Path) -> None:
    made = Site(secured(certificates, "required"))
    try:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert tls_send(made, certificates, CLOSE) == b"", "no reply"
            raise ConnectionError
    finally:
        made.server.stop()


def test_a_replaced_certificate_is_noticed_on_reload(certificates: Path, tmp_path: Path) -> None:
    for name in ("server.pem", "server.key", "ca.pem"):
        shutil.copy(certificates / name, tmp_path / name)
    made = Site(secured(tmp_path))
    try:
        assert made.server.reload(secured(tmp_path)) is False
        for name in ("pem", "key"):
            shutil.copy(certificates / f"other.{name}", tmp_path / f"server.{name}")
        assert made.server.reload(secured(tmp_path)) is True
        with made.connect() as plain:
            trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            with trusting.wrap_socket(plain) as wire:
                shown = wire.getpeercert(binary_form=True)
        assert shown == ssl.PEM_cert_to_DER_cert((certificates / "other.pem").read_text())
    finally:
        made.server.stop()


def test_a_silent_client_does_not_hold_the_handshake_open(certificates: Path) -> None:
    made = Site(secured(certificates), slowest=0.3)
    try:
        with made.connect() as wire:
            assert wire.recv(1) == b""
    finally:
        made.server.stop()
