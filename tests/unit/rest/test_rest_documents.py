"""Roles in the cluster document are derived, not claimed. Source: rest.md 6."""

import pytest

from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.member import Member, MemberName
from pgctl.model.settings import Settings, StandbyCluster, SyncMode
from pgctl.model.sync import SyncState
from pgctl.rest import documents

A = MemberName("a")
LED = Leader(A, Revision(1))
LISTED = SyncState("a", ("b",))


@pytest.mark.parametrize(("reading", "roles"), [
    (Cluster("x", LED), "leader replica"),
    (Cluster("x"), "replica replica"),
    (Cluster("x", LED, settings=Settings(standby_cluster=StandbyCluster(host="h"))), "standby_leader replica"),
    (Cluster("x", LED, settings=Settings(synchronous_mode=SyncMode.ON), sync=LISTED), "leader sync_standby"),
    (Cluster("x", LED, settings=Settings(synchronous_mode=SyncMode.QUORUM), sync=LISTED), "leader quorum_standby"),
    (Cluster("x", LED, sync=LISTED), "leader replica"),
])
def test_roles(reading: Cluster, roles: str) -> None:
    assert [documents.role(reading, name) for name in ("a", "b")] == roles.split()


def test_state_of_a_follower_is_how_it_replicates() -> None:
    streaming = Member(MemberName("b"), state="running", replication_state="streaming")
    unknown = Member(MemberName("c"))
    found = documents.cluster(Cluster("x", LED, (unknown, streaming)))
    members = found["members"]
    assert isinstance(members, list)
    assert [(member["name"], member["state"]) for member in members] == [("b", "streaming"), ("c", "")]
    assert members[1] == {"name": "c", "role": "replica", "state": "", "api_url": None, "lsn": "unknown", "lag": "unknown",
                          "receive_lsn": "unknown", "receive_lag": "unknown", "replay_lsn": "unknown",
                          "replay_lag": "unknown"}
