"""Members in every form that stands in a store (dcs.md 3.4, 3.5, 4)."""

import json

import pytest

from pgctl.model import codec
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, PendingParameter, ScheduledRestart, Tags

PEER = {
    "conn_url": "postgres://10.0.0.1:5432/postgres", "api_url": "http://10.0.0.1:8008/patroni", "state": "running",
    "role": "primary", "version": "4.1.5", "proxy_url": "postgres://10.0.0.9:6432/postgres",
    "tags": {"clonefrom": True, "zone": "b"}, "pending_restart": True,
    "pending_restart_reason": {"max_connections": {"old_value": "100", "new_value": "200"}},
    "xlog_location": 83886176, "timeline": 3,
    "scheduled_restart": {"schedule": "2026-05-01T12:00:00+00:00", "postmaster_start_time": None, "timeout": 30},
    "pause": True, "checkpoint_after_promote": False, "new_field": [1, {"a": None}],
}  # fmt: skip


def test_a_peers_document_reads_whole_and_is_written_back_the_same() -> None:
    member = codec.read_member("a", json.dumps(PEER))
    assert (member.name, member.role, member.timeline, member.xlog_location) == ("a", "primary", 3, Lsn(83886176))
    assert member.pending_restart_reason == (PendingParameter("max_connections", "100", "200"),)
    assert member.scheduled_restart == ScheduledRestart("2026-05-01T12:00:00+00:00", None, timeout=30)
    assert member.checkpoint_pending and member.pause and member.pending_restart and member.tags.clonefrom
    assert member.unknown == {"new_field": [1, {"a": None}]}
    assert json.loads(codec.write_member(member)) == PEER


def test_absent_fields_are_left_out() -> None:
    written = codec.write_member(Member(MemberName("a"), conn_url="u", api_url="v", state="stopped", role="replica"))
    assert written == '{"conn_url":"u","api_url":"v","state":"stopped","role":"replica"}'


def test_master_is_read_as_primary() -> None:
    assert codec.read_member("a", '{"role":"master"}').role == "primary"


def test_a_bare_url_of_old_members() -> None:
    member = codec.read_member("a", "postgres://h:5432/postgres?application_name=http://h:8008/patroni")
    assert (member.conn_url, member.api_url) == ("postgres://h:5432/postgres", "http://h:8008/patroni")


def test_conn_kwargs_stand_in_for_conn_url() -> None:
    assert codec.read_member("a", '{"conn_kwargs":{"host":"::1","port":"5433"}}').conn_url == "postgres://[::1]:5433/postgres"


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "5", '"running"'])
def test_what_cannot_be_used_is_a_member_of_which_nothing_is_known(text: str) -> None:
    assert codec.read_member("a", text) == Member(MemberName("a"))


def test_fields_of_wrong_types_count_as_absent() -> None:
    text = '{"state":5,"timeline":"x","xlog_location":-1,"tags":null,"scheduled_restart":[],"pause":"no","api_url":["x"]}'
    assert codec.read_member("a", text) == Member(MemberName("a"))


@pytest.mark.parametrize(("written", "tags"), [
    ({"nofailover": True}, Tags(nofailover=True, failover_priority=0, published={"nofailover": True})),
    ({"nofailover": False}, Tags()),
    ({"failover_priority": 0}, Tags(nofailover=True, failover_priority=0, published={"failover_priority": 0})),
    ({"failover_priority": "7"}, Tags(failover_priority=7, published={"failover_priority": "7"})),
    ({"failover_priority": "high"}, Tags(published={"failover_priority": "high"})),
    ({"nofailover": False, "failover_priority": 0},
     Tags(published={"nofailover": False, "failover_priority": 0})),
    ({"nofailover": "on", "failover_priority": 5},
     Tags(nofailover=True, failover_priority=0, published={"nofailover": "on", "failover_priority": 5})),
    ({"nosync": True, "sync_priority": 0},
     Tags(nosync=True, sync_priority=0, published={"nosync": True, "sync_priority": 0})),
    ({"nostream": "yes", "clonefrom": "off", "replicatefrom": "b", "zone": False},
     Tags(nostream=True, replicatefrom="b", published={"nostream": "yes", "replicatefrom": "b", "zone": False})),
    ({"zone": None}, Tags()),
])
def test_tags(written: dict[str, object], tags: Tags) -> None:
    assert codec.read_tags(written) == tags
