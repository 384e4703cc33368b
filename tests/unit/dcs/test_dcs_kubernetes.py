"""What Kubernetes holds for each key, what pods are labelled, whom a kubeconfig leads to, and when a lease is over."""

import base64
import json
from pathlib import Path

import pytest

from pgctl.config.sections import StoreSection
from pgctl.dcs import kubernetes_access, kubernetes_client, kubernetes_labels, kubernetes_layout, kubernetes_options
from pgctl.dcs.kubernetes_book import KubernetesBook
from pgctl.dcs.kubernetes_labels import LabelNames
from pgctl.dcs.kubernetes_layout import Layout, Spot, Thing
from pgctl.dcs.kubernetes_stamps import Stamps
from pgctl.errors import ConfigError
from pgctl.model import codec
from pgctl.model.intent import Intent
from pgctl.model.sync import SyncState
from pgctl.units import Instant, Seconds, Wall

MAPS = Layout("prod", False, {"application": "pg"}, "cluster-name")
ENDPOINTS = Layout("prod", True, {"application": "pg"}, "cluster-name")


def thing(name: str, version: int, notes: dict[str, str], labels: dict[str, str] | None = None) -> Thing:
    return Thing(Spot("configmaps", name), version, notes, labels or {})


def values(layout: Layout, *things: Thing) -> dict[str, str]:
    return {key: part.value for one in things for key, part in layout.parts(one).items()}


# --- layout ---


@pytest.mark.parametrize(("key", "maps", "endpoints"), [
    ("leader", "prod-leader", "prod"), ("status", "prod-leader", "prod"), ("failsafe", "prod-leader", "prod"),
    ("config", "prod-config", "prod-config"), ("initialize", "prod-config", "prod-config"),
    ("history", "prod-config", "prod-config"), ("sync", "prod-sync", "prod-sync"),
    ("failover", "prod-failover", "prod-failover"), ("events", "prod-events", "prod-events"),
])
def test_each_key_has_its_object(key: str, maps: str, endpoints: str) -> None:
    assert MAPS.spot(key) == Spot("configmaps", maps)
    assert ENDPOINTS.spot(key) == Spot("endpoints", endpoints)


def test_members_are_pods() -> None:
    assert MAPS.spot("members/prod-0") == Spot("pods", "prod-0")
    pod = Thing(Spot("pods", "prod-0"), 1, {"status": "{}"}, {})
    assert values(MAPS, pod) == {"members/prod-0": "{}"}
    assert values(MAPS, Thing(Spot("pods", "prod-1"), 1, {}, {})) == {}


def test_what_patroni_wrote_is_read() -> None:
    leader = thing("prod-leader", 7, {
        "leader": "a", "ttl": "30", "acquireTime": "x", "renewTime": "y", "transitions": "2", "optime": "67108960",
        "slots": '{"a":67108960}', "retain_slots": '["b", "c"]', "failsafe": '{"a":"http://h:8008/patroni"}',
        "kubectl.kubernetes.io/last-applied-configuration": "{}"})
    sync = thing("prod-sync", 8, {"leader": "a", "sync_standby": "b,c", "quorum": "1"})
    failover = thing("prod-failover", 9, {"leader": "a", "member": "b"})
    found = values(MAPS, leader, sync, failover)
    assert found["leader"] == "a"
    status = codec.read_status(found["status"])
    assert (status.optime, status.slots, status.retain_slots) == (67108960, {"a": 67108960}, ("b", "c"))
    assert codec.read_failsafe(found["failsafe"]) == {"a": "http://h:8008/patroni"}
    assert codec.read_sync(found["sync"]) == SyncState("a", ("b", "c"), 1)
    intent = codec.read_intent(found["failover"])
    assert intent is not None and (intent.leader, intent.candidate) == ("a", "b")


def test_what_is_written_is_what_patroni_reads() -> None:
    assert kubernetes_layout.written("sync", codec.write_sync(SyncState("a", ("c", "b"), 0)), "S") == {
        "leader": "a", "sync_standby": "b,c", "quorum": "0", "pgctl/sync": "S", "pgctl/sync.text": None}
    assert kubernetes_layout.written("status", '{"optime":5,"slots":{"a":5}}', "S") == {
        "optime": "5", "slots": '{"a":5}', "retain_slots": None, "pgctl/status": "S", "pgctl/status.text": None}
    assert kubernetes_layout.written("failover", "{}", "S") == {
        "leader": None, "member": None, "scheduled_at": None, "pgctl/failover": "S", "pgctl/failover.text": None}
    signed = codec.write_intent(Intent("a", "b", by="alice"))
    assert kubernetes_layout.written("failover", signed, "S") == {
        "leader": "a", "member": "b", "scheduled_at": None, "pgctl/failover": "S", "pgctl/failover.text": None}
    assert kubernetes_layout.written("members/a", "{}", "S") == {"status": "{}", "pgctl/member": "S"}


@pytest.mark.parametrize("key", ["leader", "status", "sync", "failover", "config", "events", "failsafe"])
@pytest.mark.parametrize("value", ["", "{}", "1", "null", "{\"x\": 1}", "{\"broken\": [1, ", '{"leader":"a"}'])
def test_any_text_comes_back(key: str, value: str) -> None:
    notes = {name: text for name, text in kubernetes_layout.written(key, value, "S").items() if text is not None}
    found = values(MAPS, thing(MAPS.spot(key).name, 1, notes))
    assert found[key] == value
    gone = kubernetes_layout.written(key, None, "")
    left = {name: text for name, text in notes.items() if name not in gone}
    assert values(MAPS, thing(MAPS.spot(key).name, 2, left)) == {}


def test_what_a_peer_writes_counts_more_than_a_text_kept_whole() -> None:
    notes = {name: text for name, text in kubernetes_layout.written("sync", "1", "S").items() if text is not None}
    assert values(MAPS, thing("prod-sync", 1, {**notes, "leader": "a"})) == {"sync": '{"leader":"a"}'}


def test_without_a_scope_each_key_says_whose_it_is() -> None:
    every = Layout("", False, {"application": "pg"}, "cluster-name")
    config = thing("prod-config", 1, {"config": "{}"}, {"cluster-name": "prod"})
    other = thing("test-2-leader", 1, {"leader": "x"}, {"cluster-name": "test-2"})
    assert values(every, config, other) == {"prod/config": "{}", "test-2/leader": "x"}
    assert every.selector == "application=pg" and MAPS.selector == "application=pg,cluster-name=prod"


# --- the book ---


def record(value: str, renewed: str, ttl: str = "30") -> dict[str, str]:
    return {"leader": value, "ttl": ttl, "acquireTime": "t", "renewTime": renewed, "transitions": "0"}


def test_a_lease_is_over_when_its_record_stood_still_for_its_ttl() -> None:
    book = KubernetesBook(MAPS)
    book.see(thing("prod-leader", 5, record("a", "1")), Instant(100))
    assert set(book.entries(Instant(129.9))) == {"leader"} and book.entries(Instant(130)) == {}
    book.see(thing("prod-leader", 6, {**record("a", "1"), "optime": "7"}), Instant(120))  # no renewal: only its status
    assert set(book.entries(Instant(130))) == {"status"}
    book.see(thing("prod-leader", 7, {**record("a", "2"), "optime": "7"}), Instant(131))
    assert set(book.entries(Instant(160))) == {"leader", "status"}
    assert book.entry("leader", Instant(160)).revision == 5  # renewed, not written


def test_old_news_renew_nothing() -> None:
    book = KubernetesBook(MAPS)
    book.see(thing("prod-leader", 6, record("a", "2")), Instant(100))
    book.see(thing("prod-leader", 5, record("a", "1")), Instant(125))
    assert book.entries(Instant(130)) == {}


@pytest.mark.parametrize(("ttl", "end"), [("5", 105), ("x", 120), ("", 120)])
def test_a_record_says_for_how_long_or_else_we_do(ttl: str, end: float) -> None:
    book = KubernetesBook(MAPS)
    book.ttl = Seconds(20)
    book.see(thing("prod-leader", 5, record("a", "1", ttl)), Instant(100))
    assert book.entries(Instant(end - 0.1)) and not book.entries(Instant(end))


def test_keys_of_one_object_have_revisions_of_their_own() -> None:
    book = KubernetesBook(MAPS)
    book.see(thing("prod-config", 5, {"config": "1", "initialize": "7"}), Instant(0))
    book.see(thing("prod-config", 9, {"config": "2", "initialize": "7"}), Instant(0))
    now = Instant(0)
    assert (book.entry("config", now).revision, book.entry("initialize", now).revision) == (9, 5)
    book.see(thing("prod-config", 7, {"config": "2", "initialize": "7"}), now)  # late: it was so before
    assert book.entry("config", now).revision == 7
    book.gone(Spot("configmaps", "prod-config"), 12)
    assert book.entries(now) == {} and book.changed({}, book.entry("config", now).revision) == {}


def test_a_list_takes_away_what_is_not_in_it() -> None:
    book = KubernetesBook(MAPS)
    book.see(thing("prod-sync", 5, {"leader": "a"}), Instant(0))
    book.see_all("configmaps", [thing("prod-config", 4, {"config": "1"})], 8, Instant(0))
    assert set(book.entries(Instant(0))) == {"config"} and book.highest("configmaps") == 8


# --- labels ---


@pytest.mark.parametrize(("state", "role", "leads", "label"), [
    ("running", "primary", True, "primary"), ("running", "standby_leader", True, "primary"),
    ("running", "primary", False, None), ("running", "replica", False, "replica"), ("running", "demoted", False, "demoted"),
    ("starting", "replica", False, None), ("stopped", "replica", False, None), ("starting", "replica", True, "primary"),
])
def test_the_role_label(state: str, role: str, leads: bool, label: str | None) -> None:
    member = json.dumps({"state": state, "role": role})
    assert kubernetes_labels.wanted(LabelNames(), member, leads=leads) == {"role": label}


def test_labels_go_by_the_names_that_were_chosen() -> None:
    names = LabelNames("r", "master", "master2", "slave", "tmp", {"boot": "yes"})
    running = {"boot": None, "tmp": "replica", "r": "slave"}
    assert kubernetes_labels.wanted(names, '{"state":"running","role":"replica"}', leads=False) == running
    assert kubernetes_labels.wanted(names, '{"state":"creating replica"}', leads=False) == {
        "boot": "yes", "tmp": None, "r": None}
    assert kubernetes_labels.differ({"tmp": "replica"}, running)
    assert not kubernetes_labels.differ({"tmp": "replica", "r": "slave", "x": "y"}, running)
    assert kubernetes_labels.wanted(names, "nonsense", leads=True)["r"] == "master"


# --- options and access ---


@pytest.mark.parametrize(("options", "message"), [
    ({}, "labels is missing"), ({"labels": {"a": "b"}, "use_endpoints": "perhaps"}, "neither true nor false"),
    ({"labels": {"a": "b"}, "ports": ["5432"]}, "no list of ports"), ({"labels": ["a"]}, "no mapping"),
])
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kubernetes_options.choice(StoreSection("kubernetes", options, scope="prod"))


def test_defaults_are_patronis() -> None:
    found = kubernetes_options.choice(StoreSection("kubernetes", {"labels": {"a": "b"}}, scope="prod"))
    assert found.ports == ({"port": 5432},) and found.names == LabelNames() and found.layout.scope_label == "cluster-name"
    named = kubernetes_options.choice(StoreSection("kubernetes", {
        "labels": {"a": "b"}, "ports": [{"name": "pg", "port": "6432"}], "use_endpoints": "on"}, scope="prod"))
    assert named.ports == ({"name": "pg", "port": 6432},) and named.layout.resource == "endpoints"


def kubeconfig(directory: Path, **user: object) -> dict[str, object]:
    path = directory / "config"
    path.write_text(json.dumps({
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "ns"}},
                     {"name": "plain", "context": {"cluster": "p", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://h:6443/", "insecure-skip-tls-verify": True}},
                     {"name": "p", "cluster": {"server": "http://h:8080"}}],
        "users": [{"name": "u", "user": user}]}), encoding="utf-8")
    return {"kubeconfig": str(path)}


def test_a_kubeconfig_leads_to_its_context(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("fresh\n", encoding="utf-8")
    options = kubeconfig(tmp_path, tokenFile="token")
    found = kubernetes_access.access(options)
    assert (found.server, found.namespace) == ("https://h:6443", "ns")
    assert found.headers == {"authorization": "Bearer fresh"}
    assert found.tls is not None and not found.tls.verify and str(tmp_path / "token") in found.files
    plain = kubernetes_access.access({**options, "context": "plain", "namespace": "mine"})
    assert (plain.server, plain.namespace, plain.tls) == ("http://h:8080", "mine", None)
    assert "fresh" not in repr(found)
    with pytest.raises(ConfigError, match='there is no context "other"'):
        kubernetes_access.access({**options, "context": "other"})


def test_a_user_may_have_a_password_and_may_not_have_a_program(tmp_path: Path) -> None:
    found = kubernetes_access.access(kubeconfig(tmp_path, username="u", password="p"))
    assert found.headers["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    with pytest.raises(ConfigError, match="gets its token from a program"):
        kubernetes_access.access(kubeconfig(tmp_path, exec={"command": "aws"}))


def test_in_a_pod_the_service_account_counts(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one", encoding="utf-8")
    options: dict[str, object] = {"service_host": "fd00::1", "service_port": "6443", "kubeconfig": "/nowhere"}
    found = kubernetes_access.access(options, service_account=str(tmp_path))
    assert (found.server, found.namespace) == ("https://[fd00::1]:6443", "default")
    before = kubernetes_access.state(found.files)
    (tmp_path / "new").write_text("two", encoding="utf-8")
    (tmp_path / "new").replace(tmp_path / "token")
    assert kubernetes_access.state(found.files) != before
    again = kubernetes_access.access(options, service_account=str(tmp_path))
    assert again.headers["authorization"] == "Bearer two"


def test_without_any_way_in_it_is_said_what_to_do() -> None:
    with pytest.raises(ConfigError, match="no way to the Kubernetes API server") as caught:
        kubernetes_access.access({"kubeconfig": "/nowhere"})
    assert "set KUBECONFIG" in caught.value.hint


def test_servers_behind_the_service() -> None:
    found = kubernetes_client.addresses({"subsets": [
        {"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::2"}],
         "ports": [{"name": "https", "port": 6443}, {"name": "http", "port": 80}]}, {"ports": None}]})
    assert found == ["https://10.0.0.1:6443", "https://[fd00::2]:6443"]
    assert kubernetes_client.addresses({}) == []


class StillClock:
    def now(self) -> Instant:
        return Instant(0)

    def wall(self) -> Wall:
        return Wall(1_700_000_000.5)

    def sleep(self, duration: Seconds) -> None:
        raise AssertionError("nothing waits here")


def test_stamps_differ_when_the_clock_stands_still() -> None:
    """Else a renewal would change nothing, and others would see a lease that is not renewed."""
    one, other = Stamps("a", StillClock()), Stamps("a", StillClock())
    assert one.time() == "2023-11-14T22:13:20.500000+00:00" < one.time()
    assert len({one.token(), one.token(), other.token(), other.token()}) == 4
