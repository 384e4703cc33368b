"""What only Kubernetes does to a store: old news, throttling, lost versions, pods, labels, Endpoints."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pgctl.dcs.store import ABSENT, Applied, Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract.kube_lab import CLOCK, LABELS, RUNNING, SOON, TTL, Lab, applied, values
from tests.contract.kube_proxy import Between
from tests.contract.services import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.store("kubernetes")]


# --- together with Patroni members ---


def patroni_record(name: str, renewed: int, ttl: int = 2) -> dict[str, Any]:
    return {"metadata": {"labels": LABELS, "annotations": {
        "leader": name, "ttl": str(ttl), "acquireTime": "2026-01-01T00:00:00.000000+00:00", "transitions": "3",
        "renewTime": f"2026-01-01T00:00:{renewed:02}.000000+00:00", "optime": "50331648"}}}


def test_a_lead_that_patroni_keeps_is_seen_and_taken_when_it_stands_still(lab: Lab) -> None:
    store = lab.open()
    document = patroni_record("p", 0)
    lab.server.make(f"{lab.path}/configmaps", {**document, "metadata": {**document["metadata"], "name": "prod-leader"}})
    for renewed in range(1, 4):  # kept for longer than its ttl
        assert values(store) == {"leader": "p", "status": '{"optime":50331648}'}
        assert isinstance(store.hold("leader", "a", ttl=TTL, budget=SOON), Rejected)
        time.sleep(0.9)
        lab.server.patch(f"{lab.path}/configmaps/prod-leader", patroni_record("p", renewed))
    seen = CLOCK.now()
    assert "leader" in values(store)
    wait_for(lambda: "leader" not in values(store), within=4, what="the lead to be over")
    assert CLOCK.now() - seen >= 2
    applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    found = lab.notes("prod-leader")
    assert (found["leader"], found["ttl"], found["transitions"]) == ("a", "30", "4")
    assert found["acquireTime"] == found["renewTime"] > "2026-01-02" and found["optime"] == "50331648"


def test_a_lead_taken_over_by_patroni_is_not_ours_and_cannot_be_renewed(lab: Lab) -> None:
    store = lab.open()
    applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    lab.server.patch(f"{lab.path}/configmaps/prod-leader", patroni_record("p", 1))
    item = store.snapshot(budget=SOON).items["leader"]
    assert item.value == "p" and not item.mine
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Rejected)
    assert lab.notes("prod-leader")["renewTime"] == "2026-01-01T00:00:01.000000+00:00"


def test_a_member_is_called_like_its_pod(lab: Lab) -> None:
    with pytest.raises(StoreUnreachable, match='no pod "a" in namespace') as caught:
        lab.open().put("members/a", "{}", leased=True, ttl=TTL, budget=SOON)
    assert "called like the pod" in caught.value.hint


# --- labels and Endpoints ---

LEADING = json.dumps({"state": "running", "role": "primary"})


def test_the_pod_says_what_it_is(lab: Lab) -> None:
    lab.pod("a")
    store = lab.open("a", tmp_role_label="tmp")
    applied(store.put("members/a", RUNNING, leased=True, ttl=TTL, budget=SOON))
    assert lab.labels("a") == {"role": "replica", "tmp": "replica"}
    held = applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    applied(store.put("members/a", LEADING, leased=True, ttl=TTL, budget=SOON))
    assert lab.labels("a") == {"role": "primary", "tmp": "primary"}
    lab.server.patch(f"{lab.path}/pods/a", {"metadata": {"labels": {"role": "nonsense"}}})
    store.snapshot(budget=SOON)
    applied(store.renew(ttl=TTL, budget=SOON))
    assert lab.labels("a")["role"] == "primary"  # put right
    applied(store.delete("leader", expect=held.revision, budget=SOON))
    applied(store.renew(ttl=TTL, budget=SOON))
    assert lab.labels("a") == {}


def test_the_leaders_endpoints_point_at_its_pod(lab: Lab) -> None:
    lab.pod("a", "10.1.2.3")
    ports = [{"name": "postgresql", "port": 5433}]
    store, other = lab.open("a", use_endpoints=True, ports=ports), lab.open("b", use_endpoints=True, pod_ip="10.9.9.9")
    applied(store.put("initialize", "", expect=ABSENT, budget=SOON))
    held = applied(store.hold("leader", "a", ttl=TTL, guard={"sync": ABSENT}, budget=SOON))
    path = f"{lab.path}/endpoints/prod"

    def subsets() -> object:
        return lab.server.ask("GET", path).get("subsets")

    expected = [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"name": "postgresql", "port": 5433, "protocol": "TCP"}]}]
    assert subsets() == expected
    lab.server.patch(path, {"subsets": []})
    applied(store.renew(ttl=TTL, budget=SOON))
    assert subsets() == expected
    applied(store.delete("leader", expect=held.revision, budget=SOON))
    assert not subsets()
    applied(other.hold("leader", "b", ttl=TTL, budget=SOON))
    assert subsets() == [{"addresses": [{"ip": "10.9.9.9"}], "ports": [{"port": 5432, "protocol": "TCP"}]}]
    assert lab.server.ask("GET", f"{lab.path}/services/prod-config")["spec"]["clusterIP"] == "None"
    assert values(other) == {"initialize": "", "leader": "b"}


# --- guards ---


def test_a_guard_that_changes_while_the_lead_is_taken_gives_it_back(lab: Lab, middle: Between) -> None:
    """The first look finds it well, then it changes, then the leader's object is written: a second look tells."""
    other = lab.open()
    store = lab.open(port=middle.port)
    seen = applied(other.put("sync", '{"leader":"x"}', budget=SOON)).revision

    def change(method: str, path: str) -> None:
        if method == "POST":
            middle.before = lambda method, path: None
            applied(other.put("sync", '{"leader":"y"}', budget=SOON))

    middle.before = change
    assert isinstance(store.hold("leader", "a", ttl=TTL, guard={"sync": seen}, budget=SOON), Rejected)
    assert "leader" not in values(other)
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)  # the lease is there, and nothing hangs on it
    applied(other.hold("leader", "b", ttl=TTL, budget=SOON))


def test_a_lead_taken_in_doubt_is_not_used_before_its_guards_were_looked_at(lab: Lab, middle: Between) -> None:
    other, store = lab.open(), lab.open(port=middle.port)
    seen = applied(other.put("sync", '{"leader":"x"}', budget=SOON)).revision
    middle.lost.append(504)
    with pytest.raises(OutcomeUnknown):
        store.hold("leader", "a", ttl=TTL, guard={"sync": seen}, budget=SOON)
    assert values(other)["leader"] == "a"
    applied(other.put("sync", '{"leader":"y"}', budget=SOON))
    at = store.snapshot(budget=SOON).items["leader"].revision
    assert isinstance(store.put("leader", "a", expect=at, leased=True, ttl=TTL, budget=SOON), Rejected)
    assert "leader" not in values(other)


# --- old news ---


def test_old_news_never_give_a_lead_that_was_renewed(lab: Lab, middle: Between) -> None:
    """A server that shows the past, for longer than the ttl: whoever believes it writes on a version that is gone."""
    holder, misled = lab.open(), lab.open(port=middle.port)
    applied(holder.hold("leader", "a", ttl=Seconds(1), budget=SOON))
    assert "leader" in values(misled)
    assert isinstance(misled.delete("leader", expect=Revision(1), budget=SOON), Rejected)  # by that object alone
    middle.stale = True
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        applied(holder.renew(ttl=Seconds(1), budget=SOON))
        time.sleep(0.2)
        with contextlib.suppress(StoreUnreachable):  # "it shows a prod-leader of the past"
            assert not isinstance(misled.hold("leader", "b", ttl=TTL, budget=SOON), Applied)
    assert "leader" not in values(misled)  # it does believe that the lead is over
    assert lab.notes("prod-leader")["leader"] == "a"


def test_a_watch_whose_place_was_compacted_says_that_anything_may_have_changed(alone: Lab) -> None:
    store, server = alone.open(), alone.server
    since = applied(store.put("config", "0", budget=SOON)).revision
    for number in range(5):
        applied(store.put("config", str(number), budget=SOON))
    revision = int(str(applied(store.put("status", "1", budget=SOON)).revision))
    server.etcd.post("/v3/kv/compaction", {"revision": str(revision), "physical": True})
    server.kill_api()
    server.start_api()
    wait_for(server.healthy, within=60, what="the server")
    heard: list[frozenset[str]] = []
    thread = threading.Thread(target=lambda: store.watch(Revision(since), heard.append, budget=Seconds(5)))
    thread.start()
    wait_for(lambda: frozenset() in heard, within=4, what="the loss to be told")
    other = alone.open()
    applied(other.put("failover", "{}", budget=SOON))
    wait_for(lambda: any("failover" in keys for keys in heard), within=4, what="a change after the loss")
    store.close()
    thread.join(10)


# --- answers that are none ---


def test_throttling_is_obeyed_and_costs_no_write(lab: Lab, middle: Between) -> None:
    store = lab.open(port=middle.port)
    middle.refusals += [(429, {"retry-after": "1"})]
    started = time.monotonic()
    applied(store.put("config", "1", expect=ABSENT, budget=SOON))
    assert 1 <= time.monotonic() - started < 4 and values(store) == {"config": "1"}
    middle.refusals += [(429, {"retry-after": "30"})]
    started = time.monotonic()
    with pytest.raises(StoreUnreachable, match="asks to wait"):
        store.put("config", "2", budget=Seconds(3))
    assert time.monotonic() - started < 1  # certainly not applied, and no use waiting
    assert values(store) == {"config": "1"}


@pytest.mark.parametrize("status", [500, 503, 504, 418])
def test_what_a_server_gave_up_on_is_unknown_to_a_writer_and_repeated_for_a_reader(lab: Lab, middle: Between,
                                                                                    status: int) -> None:
    store = lab.open(port=middle.port, scheme="http", retriable_http_codes=[418])
    held = applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    middle.refusals += [(status, {})]
    assert set(values(store)) == {"leader"}
    middle.refusals += [(status, {})]
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)
    middle.lost += [status]
    assert isinstance(store.renew(ttl=TTL, budget=SOON), Applied)  # applied at first, and seen to be so
    middle.refusals += [(status, {})]
    with pytest.raises(OutcomeUnknown):
        store.put("config", "1", budget=SOON)
    middle.lost += [status]
    with pytest.raises(OutcomeUnknown):
        store.delete("leader", expect=held.revision, budget=SOON)
    assert values(store) == {}


def test_a_refusal_is_the_stores_fault_and_never_a_lost_lock(lab: Lab, middle: Between) -> None:
    store = lab.open(port=middle.port)
    applied(store.hold("leader", "a", ttl=TTL, budget=SOON))
    calls: list[Callable[[], object]] = [lambda: store.renew(ttl=TTL, budget=SOON),
                                         lambda: store.put("config", "1", budget=SOON),
                                         lambda: store.snapshot(budget=SOON)]
    for status in (400, 403, 422):
        for call in calls:
            middle.refusals += [(status, {})]
            with pytest.raises(StoreUnreachable):
                call()
    assert store.snapshot(budget=SOON).items["leader"].mine


def test_an_idle_cluster_asks_little(lab: Lab, middle: Between) -> None:
    """A cycle is two lists; a renewal one write; a follower's renewal nothing."""
    lab.pod("b")
    leader, follower = (lab.open(name, port=middle.port) for name in "ab")
    applied(leader.hold("leader", "a", ttl=TTL, budget=SOON))
    applied(follower.put("members/b", RUNNING, leased=True, ttl=TTL, budget=SOON))
    for store, asked in ((leader, ["PATCH"]), (follower, [])):
        store.snapshot(budget=SOON)
        middle.asked.clear()
        applied(store.renew(ttl=TTL, budget=SOON))
        assert [line.split()[0] for line in middle.asked] == asked
        store.snapshot(budget=SOON)
        assert len(middle.asked) == len(asked) + 2
