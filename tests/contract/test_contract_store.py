"""What every store obeys: the seven verbs of pgctl/dcs/store.py, alone and against each other."""

import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from pgctl.clock import SystemClock
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.store import ABSENT, Applied, Rejected, Store
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract.conftest import Place
from tests.contract.services import in_processes, wait_for

pytestmark = pytest.mark.contract

SOON = Seconds(10)
TTL = Seconds(30)
CLOCK = SystemClock()


def values(store: Store) -> Mapping[str, str]:
    return {key: item.value for key, item in store.snapshot(budget=SOON).items.items()}


def applied(answer: Applied | Rejected) -> Applied:
    assert isinstance(answer, Applied), answer
    return answer


def lasting(place: Place, *members: str) -> Mapping[str, str]:
    """What is left of these keys when their lease has ended."""
    return {} if place.members_expire else dict.fromkeys(members, "1")


def revision(store: Store) -> Revision:
    return store.snapshot(budget=SOON).revision


# --- snapshot, put, delete ---


def test_an_empty_store_has_no_keys(place: Place) -> None:
    assert values(place.open()) == {}


def test_what_was_written_is_read_by_others(place: Place) -> None:
    store, other = place.open(), place.open()
    first = applied(store.put("config", "1", budget=SOON))
    second = applied(store.put("config", "2", budget=SOON))
    found = other.snapshot(budget=SOON)
    assert (found.items["config"].value, found.items["config"].revision) == ("2", second.revision)
    assert first.revision < second.revision <= found.revision
    assert second.deadline is None


def test_a_put_is_compared_with_the_revision_expected(place: Place) -> None:
    store = place.open()
    first = applied(store.put("sync", "1", expect=ABSENT, budget=SOON))
    assert isinstance(store.put("sync", "x", expect=ABSENT, budget=SOON), Rejected)
    second = applied(store.put("sync", "2", expect=first.revision, budget=SOON))
    assert isinstance(store.put("sync", "x", expect=first.revision, budget=SOON), Rejected)
    assert isinstance(store.put("absent", "x", expect=second.revision, budget=SOON), Rejected)
    assert values(store) == {"sync": "2"}


def test_a_key_written_again_with_the_same_value_has_a_new_revision(place: Place) -> None:
    store = place.open()
    first = applied(store.put("sync", "1", budget=SOON))
    applied(store.put("sync", "1", budget=SOON))
    assert isinstance(store.put("sync", "2", expect=first.revision, budget=SOON), Rejected)


def test_a_key_made_anew_is_not_the_one_seen_before(place: Place) -> None:
    store = place.open()
    first = applied(store.put("failover", "{}", budget=SOON))
    store.delete("failover", budget=SOON)
    applied(store.put("failover", "{}", budget=SOON))
    assert isinstance(store.put("failover", "x", expect=first.revision, budget=SOON), Rejected)


def test_delete(place: Place) -> None:
    store = place.open()
    assert isinstance(store.delete("initialize", budget=SOON), Applied)
    first = applied(store.put("initialize", "", budget=SOON))
    assert isinstance(store.delete("initialize", expect=Revision(first.revision + 999), budget=SOON), Rejected)
    assert isinstance(store.delete("initialize", expect=ABSENT, budget=SOON), Rejected)
    assert values(store) == {"initialize": ""}
    applied(store.delete("initialize", expect=first.revision, budget=SOON))
    assert isinstance(store.delete("initialize", expect=first.revision, budget=SOON), Rejected)
    assert values(store) == {}


def test_clusters_do_not_see_each_other(place: Place) -> None:
    stores = [place.open(scope) for scope in ("prod", "prod2", "pro")]
    for number, store in enumerate(stores):
        applied(store.put("leader", str(number), budget=SOON))
    stores[0].delete("leader", budget=SOON)
    assert [values(store) for store in stores] == [{}, {"leader": "1"}, {"leader": "2"}]


@pytest.mark.parametrize("value", ["", "Zo\u00eb \u2713 \U0001f418\n\t\"'\\", "x" * 200_000, "0", "null", " "], ids=len)
def test_values_come_back_as_they_were_written(place: Place, value: str) -> None:
    store = place.open()
    applied(store.put(f"members/{place.member}", value, budget=SOON))
    assert values(place.open()) == {f"members/{place.member}": value}


def test_a_thousand_members(place: Place) -> None:
    stores = [place.open() for _ in range(4)]
    document = json.dumps({"conn_url": "postgres://h:5432/postgres", "xlog_location": 1, "padding": "x" * 300})

    def write(number: int) -> None:
        applied(stores[number % 4].put(f"members/m{number:03}", document, leased=True, ttl=TTL, budget=SOON))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1000)))
    found = place.open().snapshot(budget=SOON).items
    assert len(found) == 1000 and {item.value for item in found.values()} == {document}


def test_documents_that_make_no_sense_stop_nobody(place: Place) -> None:
    """Written by hand, or by a program that broke off: read as far as they go, and the cluster can still be led."""
    store = place.open()
    for key in ("config", "status", "sync", "history", "failover", "failsafe", "initialize", "members/a", "members/b/c"):
        applied(store.put(key, "{\"broken\": [1, ", budget=SOON))
    cluster = ClusterStore(store, "prod").read(budget=SOON)
    assert [member.name for member in cluster.members] == ["a"] and cluster.leader is None
    applied(store.hold("leader", "a", ttl=TTL, budget=SOON))


# --- the lease ---


def test_hold_creates_a_key_that_nobody_else_can_hold(place: Place) -> None:
    a, b = place.open(), place.open()
    before = CLOCK.now()
    held = applied(a.hold("leader", "a", ttl=TTL, budget=SOON))
    assert held.deadline is not None and before + TTL <= held.deadline <= CLOCK.now() + TTL
    refused = b.hold("leader", "b", ttl=TTL, budget=SOON)
    assert isinstance(refused, Rejected) and refused.reason == "leader is held by a"
    assert isinstance(b.hold("leader", "a", ttl=TTL, budget=SOON), Rejected)  # the name alone is not enough
    assert a.snapshot(budget=SOON).items["leader"].mine
    assert not b.snapshot(budget=SOON).items["leader"].mine


def test_a_repeated_hold_is_applied_and_changes_nothing(place: Place) -> None:
    a = place.open()
    first = applied(a.hold("leader", "a", ttl=TTL, budget=SOON))
    again = applied(a.hold("leader", "a", ttl=TTL, guard={"sync": Revision(77)}, budget=SOON))
    assert again.revision == first.revision
    assert first.deadline is not None and again.deadline is not None and again.deadline >= first.deadline
    assert isinstance(a.hold("leader", "other", ttl=TTL, budget=SOON), Rejected)


def test_a_key_that_was_released_can_be_held(place: Place) -> None:
    a, b = place.open(), place.open()
    held = applied(a.hold("leader", "a", ttl=TTL, budget=SOON))
    applied(a.delete("leader", expect=held.revision, budget=SOON))
    applied(b.hold("leader", "b", ttl=TTL, budget=SOON))
    assert isinstance(a.hold("leader", "a", ttl=TTL, budget=SOON), Rejected)
    assert values(a) == {"leader": "b"}


def test_hold_checks_its_guards(place: Place) -> None:
    a = place.open()
    seen = applied(a.put("sync", "1", budget=SOON)).revision
    applied(a.put("sync", "2", budget=SOON))
    assert isinstance(a.hold("leader", "a", ttl=TTL, guard={"sync": seen}, budget=SOON), Rejected)
    assert isinstance(a.hold("leader", "a", ttl=TTL, guard={"sync": ABSENT}, budget=SOON), Rejected)
    assert isinstance(a.hold("leader", "a", ttl=TTL, guard={"failover": seen}, budget=SOON), Rejected)
    assert values(a) == {"sync": "2"}
    now = a.snapshot(budget=SOON).items["sync"].revision
    applied(a.hold("leader", "a", ttl=TTL, guard={"sync": now, "failover": ABSENT}, budget=SOON))


def test_all_keys_of_a_lease_end_with_it_and_not_before(place: Place) -> None:
    a, b = place.open(), place.open()
    applied(a.put("members/a", "1", leased=True, ttl=Seconds(2), budget=SOON))
    held = applied(a.hold("leader", "a", ttl=Seconds(2), budget=SOON))
    applied(b.put("members/b", "1", leased=True, ttl=TTL, budget=SOON))
    applied(a.put("status", "1", budget=SOON))
    assert held.deadline is not None
    last_seen = CLOCK.now()
    while "leader" in (found := values(b)):
        last_seen = CLOCK.now()
        assert last_seen < held.deadline + place.slack
        time.sleep(0.01)
    assert last_seen >= held.deadline - 0.1  # others never see it end before its holder believes so
    assert found == {**lasting(place, "members/a"), "members/b": "1", "status": "1"}
    assert isinstance(a.renew(ttl=Seconds(2), budget=SOON), Rejected)


def test_renew_extends_from_now(place: Place) -> None:
    a, b = place.open(), place.open()
    assert isinstance(a.renew(ttl=TTL, budget=SOON), Rejected)
    applied(a.hold("leader", "a", ttl=Seconds(2), budget=SOON))
    for _ in range(4):
        time.sleep(0.8)
        before = CLOCK.now()
        renewed = applied(a.renew(ttl=Seconds(2), budget=SOON))
        assert renewed.deadline is not None and before + 2 <= renewed.deadline <= CLOCK.now() + 2
        assert values(b) == {"leader": "a"}


def test_writing_a_key_does_not_extend_the_lease(place: Place) -> None:
    """Else a member that must lose its lead would keep it by publishing itself."""
    a = place.open()
    held = applied(a.hold("leader", "a", ttl=Seconds(2), budget=SOON))
    time.sleep(1)
    put = applied(a.put("members/a", "1", leased=True, ttl=Seconds(2), budget=SOON))
    assert put.deadline == held.deadline
    wait_for(lambda: values(a) == lasting(place, "members/a"), within=1 + place.slack, what="the lease to end")


def test_hold_extends_a_lease_that_is_there(place: Place) -> None:
    a = place.open()
    applied(a.put("members/a", "1", leased=True, ttl=Seconds(2), budget=SOON))
    time.sleep(1)
    before = CLOCK.now()
    held = applied(a.hold("leader", "a", ttl=Seconds(2), budget=SOON))
    assert held.deadline is not None and held.deadline >= before + 2


def test_after_a_lease_has_ended_a_new_one_is_granted(place: Place) -> None:
    a = place.open()
    applied(a.hold("leader", "a", ttl=Seconds(1), budget=SOON))
    wait_for(lambda: values(a) == {}, within=2 + place.slack, what="the lease to end")
    applied(a.put("members/a", "1", leased=True, ttl=TTL, budget=SOON))
    assert applied(a.hold("leader", "a", ttl=TTL, budget=SOON)).deadline
    assert {key: item.mine for key, item in a.snapshot(budget=SOON).items.items()} == {"leader": True, "members/a": True}


@pytest.mark.parametrize(("before", "after"), [(2, 30), (30, 2)])
def test_a_changed_ttl_keeps_the_keys(place: Place, before: float, after: float) -> None:
    a, b = place.open(), place.open()
    applied(a.put("members/a", "1", leased=True, ttl=Seconds(before), budget=SOON))
    applied(a.hold("leader", "a", ttl=Seconds(before), budget=SOON))
    now = CLOCK.now()
    renewed = applied(a.renew(ttl=Seconds(after), budget=SOON))
    assert renewed.deadline is not None and now + after <= renewed.deadline <= CLOCK.now() + after
    found = a.snapshot(budget=SOON).items
    shown = {key: (item.value, item.mine) for key, item in found.items()}
    assert shown == {"leader": ("a", True), "members/a": ("1", True)}
    if after < before:
        kept = lasting(place, "members/a")
        wait_for(lambda: values(b) == kept, within=2 + place.slack, what="the shorter lease to end")
        assert isinstance(a.renew(ttl=Seconds(after), budget=SOON), Rejected)
    else:
        time.sleep(2 + place.slack)
        assert set(values(b)) == {"leader", "members/a"}


def test_a_key_of_an_earlier_life_can_be_put_on_the_present_lease(place: Place) -> None:
    earlier, now = place.open(), place.open()
    held = applied(earlier.hold("leader", "a", ttl=Seconds(2), budget=SOON))
    applied(now.put("leader", "a", expect=held.revision, leased=True, ttl=TTL, budget=SOON))
    assert now.snapshot(budget=SOON).items["leader"].mine
    time.sleep(2 + place.slack)
    assert values(now) == {"leader": "a"}


# --- races ---


def test_of_many_threads_one_holds(place: Place) -> None:
    stores = [place.open() for _ in range(6)]
    with ThreadPoolExecutor(len(stores)) as pool:
        for key in (f"leader{number}" for number in range(10)):
            asked = [pool.submit(store.hold, key, f"m{at}", ttl=TTL, budget=SOON) for at, store in enumerate(stores)]
            winners = [f"m{at}" for at, answer in enumerate(asked) if isinstance(answer.result(), Applied)]
            assert winners == [values(stores[0])[key]]


_CONTENDER = """
import json, sys, time
from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
store = factory.open_store(StoreSection(**json.loads(sys.argv[1])), SystemClock())
name = "%s"
for number in range(20):
    answer = store.hold(f"leader{number}", name, ttl=30, budget=10)
    if type(answer).__name__ == "Applied":
        print(number)
store.close()
"""


def test_of_many_processes_one_holds(place: Place) -> None:
    if place.section is None:
        pytest.skip("inproc lives in one process")
    arguments = [json.dumps(asdict(place.section))]
    written = in_processes([_CONTENDER % f"m{number}" for number in range(4)], arguments)
    won = {f"leader{number}": f"m{at}" for at, text in enumerate(written) for number in text.split()}
    assert sum(len(text.split()) for text in written) == 20
    assert values(place.open()) == won


def test_compared_writes_lose_no_update(place: Place) -> None:
    place.open().put("config", "0", budget=SOON)

    def count(store: Store) -> None:
        done = 0
        while done < 10:
            item = store.snapshot(budget=SOON).items["config"]
            done += isinstance(store.put("config", str(int(item.value) + 1), expect=item.revision, budget=SOON), Applied)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, [place.open() for _ in range(4)]))
    assert values(place.open()) == {"config": "40"}


def test_of_a_delete_and_a_put_one_wins(place: Place) -> None:
    a, b = place.open(), place.open()
    with ThreadPoolExecutor(2) as pool:
        for number in range(15):
            seen = applied(a.put("failover", str(number), budget=SOON)).revision
            put = pool.submit(a.put, "failover", "new", expect=seen, budget=SOON)
            delete = pool.submit(b.delete, "failover", expect=seen, budget=SOON)
            won = isinstance(put.result(), Applied), isinstance(delete.result(), Applied)
            assert sorted(won) == [False, True]
            assert values(a) == ({"failover": "new"} if won[0] else {})


def test_one_store_serves_many_threads(place: Place) -> None:
    store = place.open()

    def work(number: int) -> bool:
        applied(store.put(f"members/m{number}", "1", leased=True, ttl=TTL, budget=SOON))
        applied(store.renew(ttl=TTL, budget=SOON))
        return store.snapshot(budget=SOON).items[f"members/m{number}"].mine

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(30)))
    assert all(item.mine for item in store.snapshot(budget=SOON).items.values())


def test_a_holder_believes_no_longer_than_others_wait(place: Place) -> None:
    """Renewals come ever later, until one comes too late: nobody else may hold while the first still believes."""
    holder, other = place.open(), place.open()
    believed = [applied(holder.hold("leader", "a", ttl=Seconds(1), budget=SOON)).deadline or 0.0]
    taken: list[float] = []

    def take() -> None:
        while not isinstance(other.hold("leader", "b", ttl=TTL, budget=SOON), Applied):
            time.sleep(0.005)
        taken.append(CLOCK.now())

    thread = threading.Thread(target=take)
    thread.start()
    for pause in (0.6, 0.9, 0.97, 1.0, 1.03, 1.2, 1 + place.slack):
        time.sleep(pause)
        if isinstance(renewed := holder.renew(ttl=Seconds(1), budget=SOON), Rejected):
            break
        believed.append(renewed.deadline or 0.0)
    thread.join(10)
    assert len(taken) == 1 and taken[0] >= believed[-1]


# --- watch ---


class Watching:
    """A watch in a thread; `heard` are the sets it told of, with their times."""

    def __init__(self, store: Store, since: Revision, budget: float = 20) -> None:
        self.heard: list[tuple[float, frozenset[str]]] = []
        self.ended = 0.0
        self._rang = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(store, since, Seconds(budget)))
        self._thread.start()

    def _run(self, store: Store, since: Revision, budget: Seconds) -> None:
        store.watch(since, self._hear, budget=budget)
        self.ended = time.monotonic()

    def _hear(self, keys: frozenset[str]) -> None:
        with self._rang:
            self.heard.append((time.monotonic(), keys))
            self._rang.notify_all()

    def wait(self, key: str, within: float = 5) -> float:
        """When `key` was first told of."""
        def told() -> bool:
            return any(key in keys for _, keys in self.heard)

        with self._rang:
            assert self._rang.wait_for(told, within), f"{key} was not told of: {self.heard}"
            return next(at for at, keys in self.heard if key in keys)

    def join(self) -> None:
        self._thread.join(25)
        assert not self._thread.is_alive()


def test_a_watch_tells_of_what_others_write_and_delete(place: Place) -> None:
    a, b = place.open(), place.open()
    watching = Watching(a, revision(a))
    applied(b.put("failover", "{}", budget=SOON))
    watching.wait("failover")
    watching.heard.clear()
    applied(b.delete("failover", budget=SOON))
    watching.wait("failover")
    a.close()
    watching.join()


def test_a_watch_misses_nothing_since_its_reading(place: Place) -> None:
    a, b = place.open(), place.open()
    applied(b.put("status", "0", budget=SOON))
    since = revision(a)
    applied(b.put("config", "1", budget=SOON))
    applied(b.put("sync", "1", budget=SOON))
    applied(b.delete("sync", budget=SOON))
    watching = Watching(a, since, 0.5)
    watching.join()
    told = frozenset[str]().union(*(keys for _, keys in watching.heard))
    assert "status" not in told  # which was seen
    # Where a store compares what it sees, a key that came and went has no name any more: then it says so.
    assert told == {"config", "sync"} or any(not keys for _, keys in watching.heard)


def test_a_watch_tells_of_a_lease_that_ends(place: Place) -> None:
    a, b = place.open(), place.open()
    held = applied(b.hold("leader", "b", ttl=Seconds(1), budget=SOON))
    watching = Watching(a, revision(a))
    assert held.deadline is not None
    left = held.deadline - CLOCK.now()
    at = watching.wait("leader", left + place.slack)
    assert values(a) == {} and at
    a.close()
    watching.join()


def test_a_watch_ends_with_its_budget(place: Place) -> None:
    a = place.open()
    started = time.monotonic()
    a.watch(revision(a), lambda keys: None, budget=Seconds(0.5))
    assert 0.4 < time.monotonic() - started < 1.5


def test_closing_ends_a_watch(place: Place) -> None:
    a = place.open()
    watching = Watching(a, revision(a))
    time.sleep(0.3)
    started = time.monotonic()
    a.close()
    watching.join()
    assert watching.ended - started < 1


def test_an_error_of_the_listener_comes_out_of_the_watch(place: Place) -> None:
    a, b = place.open(), place.open()
    since = revision(a)
    applied(b.put("config", "1", budget=SOON))

    def fail(keys: frozenset[str]) -> None:
        raise KeyError(*keys)

    with pytest.raises(KeyError, match="config"):
        a.watch(since, fail, budget=SOON)


def test_watchers_are_woken_at_once(place: Place) -> None:
    a, b = place.open(), place.open()
    watching = Watching(a, revision(a))
    time.sleep(0.2)
    delays = []
    for number in range(21):
        sent = time.monotonic()
        applied(b.put(f"key{number}", "1", budget=SOON))
        delays.append(watching.wait(f"key{number}") - sent)
    a.close()
    watching.join()
    assert statistics.median(delays) < 0.1


def test_several_watches_of_one_store_run_beside_its_writes(place: Place) -> None:
    a, b = place.open(), place.open()
    since = revision(a)
    watches = [Watching(a, since, 3) for _ in range(3)]
    applied(b.put("config", "1", budget=SOON))
    applied(a.put("sync", "1", budget=SOON))
    for watching in watches:
        watching.wait("config")
        watching.wait("sync")
    a.close()
    for watching in watches:
        watching.join()


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def test_reading_and_writing_are_quick(place: Place) -> None:
    """Loose: it is there to catch a pause that should not be, such as a retry nobody asked for."""
    store = place.open()
    store.put("config", "1", budget=SOON)
    assert statistics.median(timed(lambda: store.put("status", "1", budget=SOON)) for _ in range(9)) < 0.3
    assert statistics.median(timed(lambda: store.snapshot(budget=SOON)) for _ in range(9)) < 0.1
