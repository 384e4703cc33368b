"""Laws of the codec: no text makes a reader raise, and what is written reads back as the same value."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgctl.model import codec, events, merge, settings
from pgctl.model.cluster import Status
from pgctl.model.events import Event, Journal, Refused, Seen
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, PendingParameter, ScheduledRestart
from pgctl.model.sync import SyncState

READERS: dict[str, Callable[[str], object]] = {
    "leader": codec.read_leader,
    "initialize": codec.read_initialize,
    "config": codec.read_config,
    "status": codec.read_status,
    "optime": codec.read_optime,
    "sync": codec.read_sync,
    "history": codec.read_history,
    "intent": codec.read_intent,
    "failsafe": codec.read_failsafe,
    "events": codec.read_journal,
    "member": lambda text: codec.read_member("a", text),
}

FIELDS = (
    "leader", "member", "scheduled_at", "sync_standby", "quorum", "optime", "slots", "retain_slots", "conn_url", "tags",
    "conn_kwargs", "host", "port", "state", "role", "timeline", "xlog_location", "pending_restart", "schedule", "pause",
    "pending_restart_reason", "scheduled_restart", "timeout", "nofailover", "failover_priority", "replicatefrom",
    "ttl", "loop_wait", "synchronous_mode", "standby_cluster", "postgresql", "parameters", "ignore_slots", "api_url",
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["2026-01-01T00:00:00+00:00", "0001-01-01T00:00:00+23:59", "0/5000060", "postgres://[", "on", "5min"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=5)), inner, max_size=8),
    ),
    max_leaves=20,
)
NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,10}", fullmatch=True)
LSNS = st.integers(0, 2**64 - 1).map(Lsn)
TEXTS = st.text(min_size=1, max_size=20)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(text=st.text())
def test_no_text_makes_a_reader_raise(reader: Callable[[str], object], text: str) -> None:
    reader(text)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(value=JSON)
def test_no_json_makes_a_reader_raise(reader: Callable[[str], object], value: object) -> None:
    reader(json.dumps(value))


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"leader":' * 900 + "1" + "}" * 900, "9" * 5000, "1e999", "NaN", "\x00",
                                  "postgres://[", "postgres://a:b:c/?application_name=%ff", '{"scheduled_at":1}', ""])
def test_no_hostile_text_makes_a_reader_raise(reader: Callable[[str], object], text: str) -> None:
    reader(text)


@given(JSON.map(lambda value: value if isinstance(value, dict) else {"ttl": value}))
def test_no_document_makes_settings_raise_and_the_timing_relation_always_holds(document: dict[str, object]) -> None:
    found, _ = settings.read(document)
    assert settings.faults(document) is not None
    assert found.loop_wait + 2 * found.retry_timeout <= found.ttl
    assert found.ttl >= 5 and found.loop_wait >= 1 and found.retry_timeout >= 1


@given(ttl=st.integers(5, 10_000), loop_wait=st.integers(1, 10_000), retry_timeout=st.integers(1, 10_000))
def test_the_repair_keeps_the_relation_and_what_keeps_it_already(ttl: int, loop_wait: int, retry_timeout: int) -> None:
    repaired = settings.repair(ttl, loop_wait, retry_timeout)
    assert repaired[0] == ttl and repaired[1] + 2 * repaired[2] <= ttl and min(repaired) >= 1
    if loop_wait + 2 * retry_timeout <= ttl:
        assert repaired == (ttl, loop_wait, retry_timeout)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_patch_applied_twice_changes_nothing_more(stored: dict[str, object], patch: dict[str, object]) -> None:
    once, changed = merge.merge_patch(stored, patch)
    assert merge.merge_patch(once, patch) == (once, False)
    assert changed or merge.same(once, stored)


@given(st.builds(Status, LSNS, st.dictionaries(NAMES, LSNS), st.sets(NAMES).map(lambda found: tuple(sorted(found)))))
def test_status_reads_back(status: Status) -> None:
    assert codec.read_status(codec.write_status(status)) == status


@given(st.builds(SyncState, NAMES, st.sets(NAMES).map(lambda found: tuple(sorted(found))), st.integers(0, 100)))
def test_sync_reads_back(sync: SyncState) -> None:
    assert codec.read_sync(codec.write_sync(sync)) == sync


@given(st.lists(st.builds(HistoryLine, st.integers(1, 2**32 - 1), LSNS, st.text(), st.text(), st.text(), st.just(5))))
def test_history_reads_back(lines: list[HistoryLine]) -> None:
    history = History(tuple(lines), True)
    assert codec.read_history(codec.write_history(history)) == history


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001 - bounds


WISHES = st.builds(Intent, NAMES, st.none() | NAMES, st.none() | MOMENTS, st.just(""))


@given(WISHES | st.builds(Intent, st.none(), NAMES, st.none(), st.just("")))
def test_an_intent_reads_back(intent: Intent) -> None:
    assert codec.read_intent(codec.write_intent(intent)) == intent


@given(st.dictionaries(TEXTS, TEXTS))
def test_failsafe_reads_back(failsafe: dict[str, str]) -> None:
    assert codec.read_failsafe(codec.write_failsafe(failsafe)) == failsafe


REFUSED = st.builds(lambda least, more: Refused(least, None if more is None else least + more),
                    st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
WORDS = st.text(max_size=12)
LINES = st.none() | st.integers(1, 2**32 - 1)
EVENTS = st.builds(Event, TEXTS, TEXTS, WORDS, WORDS, WORDS, LINES, WORDS, WORDS, WORDS, WORDS, st.none() | REFUSED)
SEEN = st.builds(Seen, WORDS, st.integers(0, 2**32 - 1), st.booleans(), WORDS, st.dictionaries(NAMES, WORDS))


@given(st.builds(Journal, st.lists(EVENTS).map(tuple), SEEN, st.just(True)))
def test_the_journal_reads_back(journal: Journal) -> None:
    assert codec.read_journal(codec.write_journal(journal)) == journal


@given(st.lists(EVENTS, max_size=30), st.integers(0, 30), st.integers(0, 3000))
def test_a_trimmed_journal_fits_and_keeps_its_order(found: list[Event], most: int, size: int) -> None:
    kept = events.trimmed(found, most, size)
    assert len(kept) <= most
    assert len(json.dumps([events.to_mapping(event) for event in kept], separators=(",", ":"))) <= size + 2
    rest = iter(found)
    assert all(any(event is other for other in rest) for event in kept)


RESTARTS = st.builds(ScheduledRestart, TEXTS, st.none() | TEXTS, st.none() | TEXTS, st.none() | TEXTS, st.booleans(),
                     st.none() | st.floats(0, 1e6))
TAGS = st.dictionaries(
    st.sampled_from(["nofailover", "failover_priority", "nosync", "sync_priority", "clonefrom", "zone"]),
    st.booleans() | st.integers(-3, 3) | TEXTS,
).map(codec.read_tags)
MEMBERS = st.builds(
    Member,
    name=NAMES.map(MemberName),
    conn_url=st.none() | TEXTS,
    api_url=st.none() | TEXTS,
    state=TEXTS,
    role=st.sampled_from(["", "primary", "replica", "standby_leader", "promoted", "odd"]),
    version=st.none() | TEXTS,
    timeline=st.none() | st.integers(1, 2**32 - 1),
    xlog_location=st.none() | LSNS,
    receive_lsn=st.none() | LSNS,
    replay_lsn=st.none() | LSNS,
    replication_state=st.none() | TEXTS,
    tags=TAGS,
    pending_restart=st.booleans(),
    pending_restart_reason=st.dictionaries(TEXTS, st.tuples(st.text(), st.text())).map(
        lambda found: tuple(PendingParameter(name, old, new) for name, (old, new) in found.items())),
    scheduled_restart=st.none() | RESTARTS,
    pause=st.booleans(),
    checkpoint_pending=st.booleans(),
    proxy_url=st.none() | TEXTS,
    unknown=st.dictionaries(st.sampled_from(["pod_labels", "slots", "new_field"]), st.integers() | st.text()),
)


@given(MEMBERS)
def test_a_member_reads_back_with_fields_that_are_not_ours(member: Member) -> None:
    assert codec.read_member(member.name, codec.write_member(member)) == member


@given(st.datetimes(timezones=st.just(UTC)))
def test_written_documents_are_compact(at: datetime) -> None:
    text = codec.write_intent(Intent("a", "b", at))
    assert " " not in text and "\n" not in text
