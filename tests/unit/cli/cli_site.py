"""A cluster that is only documents in a SQLite store, small HTTP servers in place of its agents, and the program itself."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from pgctl.cli.program import cli
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.store import Store
from pgctl.units import Seconds

Reply = tuple[int, object]
Answer = Reply | Callable[[Mapping[str, object]], Reply]
BUDGET = Seconds(5.0)
OPTIME = 0x5000000


def interrupt() -> None:
    """Ctrl-C, from a thread of a test."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def later(seconds: float, reply: Reply) -> Answer:
    """An answer that takes its time."""

    def answer(_: Mapping[str, object]) -> Reply:
        time.sleep(seconds)
        return reply

    return answer


class Agent:
    """One member's API: answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Answer] = {}
        self.asked: list[tuple[str, str, Mapping[str, object]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/patroni"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                text = self.rfile.read(int(self.headers.get("content-length") or 0))
                body = json.loads(text) if text else {}
                agent.asked.append((self.command, self.path, body))
                answer = agent.answers.get((self.command, self.path), (404, "not told"))
                status, found = answer(body) if callable(answer) else answer
                data = (found if isinstance(found, str) else json.dumps(found)).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _reply

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def changes(self) -> list[tuple[str, str, Mapping[str, object]]]:
        """What it was asked beyond reading."""
        return [request for request in self.asked if request[0] != "GET"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Terminal:
    """A program and the terminal it runs on."""

    def __init__(self, master: int, process: "subprocess.Popen[bytes]") -> None:
        self._master = master
        self._process = process
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, words: str) -> None:
        """Reads on until `words` stand on the screen."""
        while words not in self.shown:
            assert select.select([self._master], [], [], 20)[0], self.shown
            self.shown += os.read(self._master, 4096).decode()

    def end(self) -> int:
        """Reads all that is left; the exit code."""
        with suppress(OSError):  # EIO: the other side is closed
            while select.select([self._master], [], [], 20)[0]:
                self.shown += os.read(self._master, 4096).decode()
        return self._process.wait(20)


class Site:
    """One cluster called `prod`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "store.db"
        self.config = directory / "pgctl.yaml"
        self.configure()
        self.agents: dict[str, Agent] = {}
        self.stores: list[Store] = []
        self.store = self.open("prod")

    def configure(self, more: str = "") -> None:
        self.config.write_text(f"scope: prod\nsqlite:\n  path: {self.path}\n{more}", encoding="utf-8")

    def away(self, name: str) -> None:
        """The configuration of that member's own agent, with a store that nobody serves."""
        address = self.agent(name).url.split("/")[2]
        self.config.write_text(f"scope: prod\netcd3:\n  host: 127.0.0.1:9\nrestapi:\n  connect_address: {address}\n",
                               encoding="utf-8")

    def open(self, scope: str) -> Store:
        section = StoreSection("sqlite", {"path": str(self.path)}, "service", scope)
        self.stores.append(factory.open_store(section, SystemClock()))
        return self.stores[-1]

    def put(self, key: str, value: object) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.store.put(key, text, budget=BUDGET)

    def get(self, key: str) -> object:
        item = self.store.snapshot(budget=BUDGET).items.get(key)
        return None if item is None else json.loads(item.value)

    def stored(self) -> set[str]:
        """Names of the keys there are."""
        return set(self.store.snapshot(budget=BUDGET).items)

    def agent(self, name: str) -> Agent:
        """The member's API, made when first asked for."""
        if name not in self.agents:
            self.agents[name] = Agent()
        return self.agents[name]

    def member(self, name: str, role: str = "replica", timeline: int = 3, lag: int = 0, *, awake: bool = True,
               **fields: object) -> None:
        """Writes a member's document, and has its agent tell the same."""
        api_url = self.agent(name).url if awake else "http://127.0.0.1:9/patroni"
        at = OPTIME - lag
        leads = role in ("primary", "standby_leader")
        place = {} if leads else {"receive_lsn": at, "replay_lsn": at, "replication_state": "streaming"}
        document: dict[str, object] = {
            "conn_url": f"postgres://{name}.example:5432/postgres", "api_url": api_url, "state": "running", "role": role,
            "version": "4.1.0", "timeline": timeline, "xlog_location": at, **place, **fields}
        self.put(f"members/{name}", document)
        if awake:
            xlog = {"location": at} if leads else {"received_location": at, "replayed_location": at}
            body: dict[str, object] = {
                "state": document["state"], "role": role, "timeline": timeline, "xlog": xlog, "server_version": 160004,
                "postmaster_start_time": "2030-01-01 00:00:00.000000+00:00", "tags": fields.get("tags", {}),
                "patroni": {"version": "4.1.0", "scope": "prod", "name": name}}
            self.agent(name).answers["GET", "/patroni"] = (200, body)

    def fill(self, config: Mapping[str, object] | None = None) -> None:
        """a leads, b and c stream."""
        self.put("initialize", "7300000000000000001")
        self.put("config", {"ttl": 30, "loop_wait": 10, "retry_timeout": 10, **(config or {})})
        self.put("status", {"optime": OPTIME})
        self.put("history", [[1, 0x3000000, "no recovery target specified", "2030-01-01T00:00:00+00:00", "b"],
                             [2, 0x4000000, "no recovery target specified", "2030-01-02T00:00:00+00:00", "a"]])
        self.put("leader", "a")
        self.member("a", "primary")
        self.member("b")
        self.member("c")

    def run(self, *arguments: str, input: str | None = None) -> Result:
        """The program, as from a shell without a terminal."""
        return CliRunner().invoke(cli, ["-c", str(self.config), *arguments], input=input, prog_name="pgctl")

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """The result as a list of objects; the program must have ended well."""
        result = self.run(*arguments, "-f", "json")
        assert result.exit_code == 0, result.stderr
        rows: list[dict[str, Any]] = json.loads(result.stdout)
        return rows

    @contextmanager
    def terminal(self, *arguments: str, **environment: str) -> Iterator["Terminal"]:
        """The program on a terminal of its own."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "pgctl.cli.main", "-c", str(self.config), *arguments], stdin=slave, stdout=slave,
            stderr=slave, cwd=Path(__file__).parents[3], env={**os.environ, **environment}, close_fds=True)
        os.close(slave)
        try:
            yield Terminal(master, process)
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def close(self) -> None:
        for store in self.stores:
            store.close()
        for agent in self.agents.values():
            agent.close()
