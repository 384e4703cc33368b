"""Promises to a leader without the store: made or kept from making, and remembered by the agent's next life."""

import threading
from pathlib import Path

import pytest

from pgctl.agent import promise as promises
from pgctl.agent.lease import LeaseCell
from pgctl.agent.promise import FileRecord, PromiseCell
from pgctl.errors import ServerError
from pgctl.model import failsafe
from pgctl.model.failsafe import Ping, Promise
from pgctl.model.settings import Settings
from pgctl.units import Instant
from tests.unit.agent.stand_ins import NotedRecord

NOW = Instant(1000.0)
PING = Ping("a", "postgres://10.0.0.1:5432/postgres", "http://10.0.0.1:8008/patroni", {"a": 5}, 30.0)

LEADS = "this member leads, or is about to, or its server may still take writes"


def cell(record: promises.Record | None = None) -> PromiseCell:
    made = PromiseCell(LeaseCell(), record or NotedRecord(Promise(Instant(0), PING)), lambda: False)
    made.begin(NOW)
    return made


def accept(cell: PromiseCell, seconds: float = 30.0, now: Instant = NOW) -> str:
    return cell.accept(PING, Instant(now + seconds), lambda: now)


def test_a_promise_keeps_the_key_from_being_asked_for_until_it_ends() -> None:
    own = cell()
    assert accept(own) == ""
    assert own.attempt(NOW) == "promised to a for 30.0s more"
    assert own.attempt(Instant(NOW + 30)) == ""


def test_nothing_is_promised_while_the_key_is_asked_for() -> None:
    own = cell()
    assert own.attempt(NOW) == ""
    assert accept(own) == LEADS
    own.attempted()
    assert accept(own) == ""


def test_a_member_that_leads_promises_nothing() -> None:
    lease = LeaseCell()
    own = PromiseCell(lease, NotedRecord(), lambda: False)
    lease.hold(Instant(NOW + 10))
    assert accept(own) == LEADS
    assert accept(own, now=Instant(NOW + 10)) == ""


def test_a_server_that_an_earlier_life_left_writable_keeps_from_promising() -> None:
    """Its lease is not in this life's cell, but the fence guards it."""
    armed = [True]
    own = PromiseCell(LeaseCell(), NotedRecord(), lambda: armed[0])
    assert accept(own) == LEADS
    armed.clear()
    armed.append(False)
    assert accept(own) == ""


def test_a_longer_promise_stays() -> None:
    own = cell()
    accept(own, 30)
    accept(own, 5)
    assert own.attempt(Instant(NOW + 6)) != ""


def test_what_cannot_be_kept_is_not_promised() -> None:
    record = NotedRecord(Promise(Instant(0), PING))
    own = cell(record)
    record.full = True
    assert "No space left" in accept(own)
    assert own.attempt(NOW) == ""


def test_either_a_promise_or_an_attempt_but_never_both() -> None:
    for _ in range(200):
        own, gate = cell(), threading.Barrier(2)
        said: list[str] = []

        def ask(own: PromiseCell = own, gate: threading.Barrier = gate, said: list[str] = said) -> None:
            gate.wait()
            said.append(accept(own))

        other = threading.Thread(target=ask)
        other.start()
        gate.wait()
        attempt = own.attempt(NOW)
        other.join()
        assert bool(attempt) != bool(said[0])


def test_the_next_life_of_an_agent_keeps_the_promise(tmp_path: Path) -> None:
    assert accept(cell(FileRecord(str(tmp_path)))) == ""
    found = cell(FileRecord(str(tmp_path))).read()
    assert found is not None and found.ping is not None
    assert (found.until, found.ping.name) == (NOW + 30, "a")


@pytest.mark.parametrize("change", [b"", b"\xff", b"another boot"])
def test_after_a_boot_or_a_torn_write_nothing_is_known(tmp_path: Path, change: bytes) -> None:
    """So an agent that finds no record does not stand for a ttl, where the mode is on; the next one finds one."""
    record = FileRecord(str(tmp_path))
    accept(cell(record))
    path = tmp_path / promises.FILE
    data = path.read_bytes()
    path.write_bytes(data[:8] + change + data[8 + len(change):] if change else b"")
    own = cell(record)
    assert own.read() == Promise(NOW)
    assert own.attempt(NOW) == ""
    assert Promise(NOW).end(Settings(failsafe_mode=True, ttl=20)) == NOW + 20
    assert Promise(NOW).end(Settings()) == 0
    again = cell(record).read()
    assert again is not None and again.ping is not None and again.until == 0


def test_a_run_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="file of promises"):
        cell(FileRecord(str(tmp_path / "missing")))


def test_the_document_reads_as_it_was_written() -> None:
    assert failsafe.read(failsafe.write(PING)) == PING
    body = {**failsafe.write(PING), "slots": {"a": "7", "b": None, "c": -1}, "pgctl": {"ttl": 1e9}}
    assert failsafe.read(body) == Ping("a", PING.conn_url, PING.api_url, {"a": 7})
    assert failsafe.read({"name": "a", "conn_url": "x"}) is None
