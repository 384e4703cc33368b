"""What each document's reader takes from the forms that peers, old members and broken writers leave (dcs.md 3, 4)."""

from datetime import UTC, datetime

import pytest

from pgctl.model import codec
from pgctl.model.cluster import Status
from pgctl.model.history import HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.sync import SyncState

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("text", "status"), [
    ("100", Status(Lsn(100))),
    ('"100"', Status()),
    ('{"optime":"100"}', Status(Lsn(100))),
    ('{"optime":5,"slots":{"a":7,"b":"8","c":"x","d":null},"retain_slots":["b","a",1]}',
     Status(Lsn(5), {"a": 7, "b": 8, "c": 0, "d": 0}, ("b", "a"))),
    ('{"optime":"5","slots":"{\\"a\\":7}","retain_slots":"[\\"b\\", \\"c\\"]"}', Status(Lsn(5), {"a": 7}, ("b", "c"))),
    ('{"optime":5,"slots":[1],"retain_slots":{"a":1}}', Status(Lsn(5))),
    ('{"optime":-1}', Status()),
    ("true", Status()),
    ("[]", Status()),
    ("no json", Status()),
])
def test_read_status(text: str, status: Status) -> None:
    assert codec.read_status(text) == status


def test_optime_is_decimal_text() -> None:
    assert codec.read_optime("83886176") == Status(Lsn(83886176))
    assert codec.read_optime("0/5000060") == Status()


def test_status_is_written_compactly_without_empty_parts() -> None:
    assert codec.write_status(Status(Lsn(5))) == '{"optime":5}'
    full = Status(Lsn(5), {"a": 7}, ("z", "b"))
    assert codec.write_status(full) == '{"optime":5,"slots":{"a":7},"retain_slots":["b","z"]}'


@pytest.mark.parametrize(("text", "sync"), [
    ('{"leader":"a","sync_standby":" b , c,","quorum":1}', SyncState("a", ("b", "c"), 1)),
    ('{"leader":"a","sync_standby":null,"quorum":"0"}', SyncState("a")),
    ('{"leader":"a","sync_standby":["b"]}', SyncState("a", ("b",))),
    ('{"leader":"a","sync_standby":"b","quorum":-1}', SyncState("a", ("b",), 0)),
    ('{"leader":null,"sync_standby":"b"}', SyncState()),
    ('{"leader":"a","sync_standby":"b","quorum":"many"}', SyncState()),
    ('{"leader":"a","sync_standby":"b","quorum":[]}', SyncState()),
    ("{}", SyncState()),
    ("[1]", SyncState()),
    ("{", SyncState()),
])
def test_read_sync(text: str, sync: SyncState) -> None:
    assert codec.read_sync(text) == sync


def test_sync_is_written_with_nulls_and_sorted_names() -> None:
    assert codec.write_sync(SyncState("a", ("c", "b"), 1)) == '{"leader":"a","sync_standby":"b,c","quorum":1}'
    assert codec.write_sync(SyncState("a")) == '{"leader":"a","sync_standby":null,"quorum":0}'
    assert codec.write_sync(SyncState()) == "{}"


@pytest.mark.parametrize(("text", "timeline"), [
    ("[]", 1),
    ('[[1,100,"no reason"],[2,200,"why","2026-01-01T00:00:00+00:00","b"]]', 3),
    ('[["4","100","text numbers"]]', 5),
    ('[[1,100,"fine"],["x",1,"last line unusable"]]', 0),
    ('[[1,100]]', 0),
    ("{}", 0),
    ("[", 0),
])
def test_history_gives_the_cluster_timeline(text: str, timeline: int) -> None:
    assert codec.read_history(text).timeline == timeline


def test_history_keeps_as_many_fields_as_a_line_had() -> None:
    text = '[[1,100,"r"],[2,200,"r","t"],[3,300,"r","t","b"]]'
    history = codec.read_history(text)
    assert history.lines[2] == HistoryLine(3, Lsn(300), "r", "t", "b")
    assert codec.write_history(history) == text


@pytest.mark.parametrize(("text", "intent"), [
    ("{}", None),
    ('{"scheduled_at":"2026-05-01T12:00:00+00:00"}', None),
    ('{"leader":"a"}', Intent("a")),
    ('{"member":"b"}', Intent(None, "b")),
    ('{"leader":"a","candidate":"b"}', Intent("a")),
    ('{"leader":"a","member":"b","scheduled_at":"2026-05-01T12:00:00Z"}', Intent("a", "b", AT)),
    ("a : b", Intent("a", "b")),
    ("a:", Intent("a")),
    (":b", Intent(None, "b")),
    (":", None),
    ("a", None),
    ('{"leader":"a"', None),
    ("[1]", None),
    ("null", None),
    ('{"leader":5,"member":"b"}', Intent("5", "b")),
])
def test_read_intent(text: str, intent: Intent | None) -> None:
    assert codec.read_intent(text) == intent


@pytest.mark.parametrize("written", ['"tomorrow"', '"2026-05-01T12:00:00"', "5", "[]", '""', '"0001-01-01T00:00:00+23:59"'])
def test_a_time_that_cannot_be_read_is_a_fault_and_not_now(written: str) -> None:
    intent = codec.read_intent(f'{{"leader":"a","scheduled_at":{written}}}')
    assert intent is not None and intent.scheduled_at is None and intent.schedule_fault


def test_intents_are_written_without_empty_fields() -> None:
    assert codec.write_intent(None) == "{}"
    written = '{"leader":"a","member":"b","scheduled_at":"2026-05-01T12:00:00+00:00"}'
    assert codec.write_intent(Intent("a", "b", AT)) == written


def test_failsafe_keeps_a_member_whose_url_is_of_no_use() -> None:
    assert codec.read_failsafe('{"a":"http://a:8008/patroni","b":null}') == {"a": "http://a:8008/patroni", "b": ""}
    assert codec.read_failsafe("[]") is None


def test_config_is_an_object_or_nothing() -> None:
    assert codec.read_config('{"ttl":30,"mine":{"a":null}}') == {"ttl": 30, "mine": {"a": None}}
    assert codec.read_config("[1]") is None and codec.read_config("x") is None
    assert codec.write_config({"ttl": 30, "pause": True}) == '{"ttl":30,"pause":true}'


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert codec.read_config('{"a":NaN,"b":1e999,"c":-Infinity}') == {"a": None, "b": None, "c": None}


def test_leader_and_initialize_are_plain_text() -> None:
    assert codec.read_leader("a b") == "a b"
    assert codec.read_leader("") is None
    assert codec.read_initialize(" 7301234567890123456\n") == "7301234567890123456"


def test_the_journal_leaves_out_what_is_no_event() -> None:
    found = codec.read_journal('{"seen":{"leader":"a"},"events":[{"at":"t","what":"pause"},{"what":"x"},2,null]}')
    assert found.known and found.seen.leader == "a" and [event.what for event in found.events] == ["pause"]
    assert not codec.read_journal('[{"at":"t","what":"pause"}]').known


@pytest.mark.parametrize(("url", "pair"), [
    ("postgres://10.0.0.1:5433/postgres", ("10.0.0.1", 5433)),
    ("postgres://user:secret@host:5433/db?x=y", ("host", 5433)),
    ("postgres://[::1]:5433/db", ("::1", 5433)),
    ("postgres://host/db", ("host", 5432)),
    ("postgres://a:1,b:2/db", None),
    ("postgres://host:0/db", None),
    ("postgres://host:70000/db", None),
    ("postgres:///db", None),
    ("postgres://[/db", None),
    ("", None),
])
def test_host_port(url: str, pair: tuple[str, int] | None) -> None:
    assert codec.host_port(url) == pair


def test_postgres_url_brackets_ipv6() -> None:
    assert codec.postgres_url("::1", 5432) == "postgres://[::1]:5432/postgres"
    assert codec.postgres_url("h", 5433, "db") == "postgres://h:5433/db"


def test_a_text_that_was_read_lately_is_not_parsed_again() -> None:
    text = '{"optime":5,"slots":{"a":3}}'
    assert codec.read_status(text) is codec.read_status(str(text))
    assert codec.read_status(text) != codec.read_status('{"optime":6}')
