"""A released Patroni and pgctl's agent in one cluster, on each store but etcd3, which has test_e2e_patroni.py to itself.

What a store is to both kinds: the place of the keys, the form of the leader's lease, and how a lease ends.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import cluster as clusters
from tests.e2e import patroni_peer
from tests.e2e.patroni_peer import PATRONI, PGCTL, MixedCluster
from tests.e2e.served import outside
from tests.e2e.witness import Witness
from tests.e2e.writer import Writer, note

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

THEIRS, OURS = "pg1", "pg2"


@dataclass(frozen=True)
class Case:
    """A store, with the options of its section that make it another."""

    kind: str
    options: Mapping[str, object]


CASES = [pytest.param(Case(kind, options), marks=pytest.mark.store(kind), id=name) for name, kind, options in (
    ("etcd", "etcd", {}),
    ("consul", "consul", {}),
    ("zookeeper", "zookeeper", {}),
    ("configmaps", "kubernetes", {"context": "lab"}),
    ("endpoints", "kubernetes", {"context": "lab", "use_endpoints": True}),
)]


@pytest.fixture(scope="module", params=CASES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedCluster]:
    """A Patroni, which bootstraps, and a pgctl member, which joins it."""
    why = patroni_peer.why_not() or clusters.why_not("sqlite")
    if why:
        pytest.skip(why)
    case: Case = request.param
    place = tmp_path_factory.mktemp(case.kind)
    with (outside(place / "store", case.kind, "mixed", case.options) as store,
          MixedCluster(str(place / "cluster"), (PATRONI, PGCTL), store=store).running() as made):
        yield made


@pytest.fixture
def mixed(running: MixedCluster) -> MixedCluster:
    running.heal()
    return running


def _done(result: Any) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return str(result.stdout)


def test_a_member_joins_and_both_tools_see_both(mixed: MixedCluster) -> None:
    assert mixed.query(mixed.wait_leader(), "SELECT slot_name FROM pg_replication_slots WHERE active") == [
        (mixed.replicas()[0],)]
    theirs, ours = ({row["Member"]: (row["Role"], row["State"], row["TL"]) for row in json.loads(_done(
        run("list", "-f", "json")))} for run in (mixed.patronictl, mixed.pgctl))
    assert theirs == ours and set(ours) == {THEIRS, OURS}


def test_switchover_there_and_back(mixed: MixedCluster) -> None:
    """By each kind's tool to the other kind: nothing acknowledged is lost, one server is writable at a time."""
    if mixed.wait_leader() != THEIRS:
        _done(mixed.pgctl("switchover", "--candidate", THEIRS, "--force"))
        mixed.wait_healthy()
    with Witness(mixed) as witness, Writer(mixed) as writer:
        writer.wait_more(10)
        _done(mixed.patronictl("switchover", "--leader", THEIRS, "--candidate", OURS, "--force"))
        mixed.wait_healthy()
        assert mixed.leader() == OURS
        writer.wait_more(10)
        _done(mixed.pgctl("switchover", "--candidate", THEIRS, "--force"))
        mixed.wait_healthy()
        assert mixed.leader() == THEIRS
        writer.wait_more(10)
    note("mixed switchover", writer)
    assert writer.lost() == () and witness.overlaps == ()
    told = [json.loads(_done(run("history", "-f", "json"))) for run in (mixed.patronictl, mixed.pgctl)]
    assert told[0] == told[1] and [row["New Leader"] for row in told[0][-2:]] == [OURS, THEIRS]


@pytest.mark.slow
@pytest.mark.parametrize("leader", [THEIRS, OURS])
def test_a_lost_leader_is_followed_by_the_other_kind(mixed: MixedCluster, leader: str) -> None:
    """The lease of one kind ends for the other too; slow, for a Patroni's takes twenty seconds and more."""
    heir = OURS if leader == THEIRS else THEIRS
    if mixed.wait_leader() != leader:
        _done(mixed.pgctl("switchover", "--candidate", leader, "--force"))
        mixed.wait_healthy()
    with Witness(mixed) as witness, Writer(mixed) as writer:
        writer.wait_more(10)
        mixed.lose_host(leader)
        assert mixed.wait_leader(other_than=leader, timeout=90) == heir
        writer.wait_more(10)
        mixed.heal()
    note(f"mixed: {leader} lost", writer)
    assert witness.overlaps == ()
