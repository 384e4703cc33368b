"""Each row of rest.md 13 that a cluster and an intent alone decide, alone and together."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from pgctl.model import objections
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.history import History, HistoryLine
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, Tags
from pgctl.model.settings import Settings, StandbyCluster, SyncMode
from pgctl.model.sync import SyncState

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@dataclass(frozen=True)
class Answered:
    reachable: bool = True
    problem: str = ""
    live: bool = True
    lsn: Lsn = Lsn(0)
    timeline: int | None = None
    tags: Tags = Tags()
    watchdog_failed: bool = False


def member(name: str, *, nofailover: bool = False) -> Member:
    return Member(MemberName(name), api_url=f"http://{name}:8008/patroni", tags=Tags(nofailover=nofailover))


THREE = Cluster("prod", Leader(MemberName("a"), Revision(1)), (member("a"), member("b"), member("c")),
                status=Status(Lsn(10_000_000)))
PAUSED = replace(THREE, settings=Settings(pause=True))
SYNC = replace(THREE, settings=Settings(synchronous_mode=SyncMode.ON), sync=SyncState("a", ("b",)))
QUORUM = replace(THREE, settings=Settings(synchronous_mode=SyncMode.QUORUM), sync=SyncState("a", ("b",)))
ALONE = replace(THREE, members=(member("a"),))
LEADERLESS = replace(THREE, leader=None)


def texts(cluster: Cluster, intent: Intent, failover: bool | None = None) -> list[tuple[int, str]]:
    return [(found.status, found.text) for found in objections.objections(cluster, intent, now=NOW, failover=failover)]


@pytest.mark.parametrize(("cluster", "intent"), [
    (THREE, Intent("a")),
    (THREE, Intent("a", "b")),
    (THREE, Intent(None, "b")),
    (THREE, Intent("a", "b", LATER)),
    (THREE, Intent("c", "nobody", LATER)),  # who leads and who is there is judged when the time comes
    (PAUSED, Intent("a", "b")),
    (SYNC, Intent("a", "b")),
    (SYNC, Intent("a")),
    (SYNC, Intent(None, "c")),  # a failover to an asynchronous member is allowed
    (QUORUM, Intent("a", "c")),
    (LEADERLESS, Intent(None, "b")),
])
def test_what_is_allowed(cluster: Cluster, intent: Intent) -> None:
    assert texts(cluster, intent) == []


@pytest.mark.parametrize(("cluster", "intent", "failover", "first"), [
    (THREE, Intent("a"), True, (400, "Failover could be performed only to a specific candidate")),
    (THREE, Intent(None, "b"), False, (400, "Switchover could be performed only from a specific leader")),
    (THREE, Intent(None, "b", LATER), True, (400, "Failover can't be scheduled")),
    (PAUSED, Intent("a", "b", LATER), None, (400, "Can't schedule switchover in the paused state")),
    (THREE, Intent("a", "b", None, '"x" has no time zone'), None,
     (400, "Timezone information is mandatory for the scheduled switchover")),
    (THREE, Intent("a", "b", NOW.replace(tzinfo=None)), None,
     (400, "Timezone information is mandatory for the scheduled switchover")),
    (THREE, Intent("a", "b", NOW - timedelta(seconds=1)), None, (422, "Cannot schedule switchover in the past")),
    (THREE, Intent("a", "b", None, '"x" is not a time in ISO 8601'), None,
     (422, "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601")),
    (PAUSED, Intent("a"), None, (400, "Switchover is possible only to a specific candidate in a paused state")),
    (THREE, Intent("a", "a"), None, (400, "Switchover target and source are the same")),
    (THREE, Intent("b", "c"), None, (412, "leader name does not match")),
    (LEADERLESS, Intent("a", "c"), None, (412, "leader name does not match")),
    (SYNC, Intent("a", "c"), None, (412, "candidate name does not match with sync_standby")),
    (THREE, Intent("a", "d"), None, (412, "candidate does not exists")),
    (THREE, Intent(None, "d"), None, (412, "candidate does not exists")),
    (replace(SYNC, sync=SyncState("a")), Intent("a"), None, (412, "switchover is not possible: can not find sync_standby")),
    (replace(SYNC, sync=SyncState("a", ("gone",))), Intent("a"), None,
     (412, "switchover is not possible: can not find sync_standby")),
    (ALONE, Intent("a"), None, (412, "switchover is not possible: cluster does not have members except leader")),
    (THREE, Intent(None, "a"), None, (412, "failover is not possible: no good candidates have been found")),
    (replace(THREE, members=(member("a"), member("b", nofailover=True))), Intent("a"), None,
     (412, "switchover is not possible: no good candidates have been found")),
])
def test_the_first_objection_is_what_the_api_answers(
    cluster: Cluster, intent: Intent, failover: bool | None, first: tuple[int, str]
) -> None:
    assert texts(cluster, intent, failover)[0] == first


def test_every_objection_is_listed() -> None:
    found = texts(PAUSED, Intent("c", "c", NOW - timedelta(days=1)))
    assert [text for _, text in found] == [
        "Can't schedule switchover in the paused state",
        "Cannot schedule switchover in the past",
        "Switchover target and source are the same",
    ]
    assert [status for status, _ in texts(THREE, Intent("b", "nobody"))] == [412, 412]


@pytest.mark.parametrize(("answer", "hint"), [
    (None, "b does not answer."),
    (Answered(reachable=False, problem="connection refused"), "b does not answer (connection refused)."),
    (Answered(tags=Tags(nofailover=True)), "b has the tag nofailover."),
    (Answered(watchdog_failed=True), "b has no working watchdog, which it requires."),
    (Answered(lsn=Lsn(1)), "b is 9.5 MB behind, more than maximum_lag_on_failover."),
])
def test_a_named_candidate_that_is_not_healthy_is_refused_with_the_reason(answer: Answered | None, hint: str) -> None:
    asked = {"c": Answered()} | ({} if answer is None else {"b": answer})
    found = objections.objections(THREE, Intent("a", "b"), now=NOW, asked=asked)
    assert [(objection.text, objection.hint) for objection in found] == [
        ("switchover is not possible: no good candidates have been found", hint)]
    assert objections.objections(THREE, Intent("a"), now=NOW, asked=asked) == ()


def test_a_position_of_an_earlier_look_is_no_ground_to_refuse() -> None:
    cluster = replace(THREE, settings=Settings(check_timeline=True), history=History((HistoryLine(2, Lsn(5), "r"),), True))
    old = {"b": Answered(live=False, lsn=Lsn(1), timeline=2)}
    assert objections.objections(cluster, Intent("a", "b"), now=NOW, asked=old) == ()


def test_without_a_leader_the_timeline_of_an_earlier_look_counts() -> None:
    history = History((HistoryLine(2, Lsn(5), "r"),), True)
    cluster = replace(THREE, leader=None, settings=Settings(check_timeline=True), history=history)
    old = {"b": Answered(live=False, timeline=2)}
    assert objections.objections(cluster, Intent(None, "b"), now=NOW, asked=old)[0].hint == (
        "b is on timeline 2, and the cluster on 3.")


def test_a_failover_may_lose_what_the_candidate_misses() -> None:
    assert objections.objections(THREE, Intent(None, "b"), now=NOW, asked={"b": Answered(lsn=Lsn(1))}) == ()


def test_with_check_timeline_a_candidate_on_an_older_timeline_is_refused() -> None:
    history = History((HistoryLine(2, Lsn(5), "r"),), True)
    cluster = replace(THREE, settings=Settings(check_timeline=True), history=history)
    behind, level = {"b": Answered(timeline=2)}, {"b": Answered(timeline=3)}
    assert objections.objections(cluster, Intent("a", "b"), now=NOW, asked=behind)[0].hint == (
        "b is on timeline 2, and the cluster on 3.")
    assert objections.objections(cluster, Intent("a", "b"), now=NOW, asked=level) == ()
    remote = replace(cluster, settings=Settings(check_timeline=True, standby_cluster=StandbyCluster("h")))
    assert objections.objections(remote, Intent("a", "b"), now=NOW, asked=behind) == ()
