"""What every store with a server obeys when that server is frozen, killed, restarted, slow, or answers to nobody.

The law of pgctl/dcs/store.py under faults: a write that certainly was not applied raises StoreUnreachable, one that may
have been raises OutcomeUnknown, and no fault of the way or the server is ever a `Rejected`.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pgctl.clock import SystemClock
from pgctl.dcs.store import Applied, Rejected, Store
from pgctl.errors import OutcomeUnknown, PgctlError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract import services
from tests.contract.conftest import Frail, served
from tests.contract.launchers import EVERY
from tests.contract.services import wait_for

pytestmark = pytest.mark.contract

SOON = Seconds(10)
TTL = Seconds(30)
CLOCK = SystemClock()
EITHER = (OutcomeUnknown, StoreUnreachable)


def took(call: Callable[[], object], *errors: type[PgctlError]) -> tuple[float, str]:
    """Seconds until one of these errors, and its words."""
    started = time.monotonic()
    with pytest.raises(errors) as caught:
        call()
    return time.monotonic() - started, str(caught.value)


def settled(write: Callable[[], Applied | Rejected]) -> Applied | Rejected:
    """A write that is harmless twice, repeated while the store is coming back."""
    for _ in range(5):
        with contextlib.suppress(*EITHER):
            return write()
    return write()


def held(store: Store) -> Applied:
    answer = store.hold("leader", "a", ttl=TTL, budget=SOON)
    assert isinstance(answer, Applied)
    return answer


@contextlib.contextmanager
def watched(store: Store, since: Revision) -> Iterator[list[frozenset[str]]]:
    """What a watch hears, taken up again after each failure as the agent's watcher does."""
    heard: list[frozenset[str]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            try:
                store.watch(since, heard.append, budget=SOON)
            except StoreUnreachable:
                done.wait(0.1)

    thread = threading.Thread(target=watch)
    thread.start()
    yield heard
    done.set()
    store.close()
    thread.join(15)
    assert not thread.is_alive()


# --- nobody there ---


def test_when_nothing_listens_a_write_was_certainly_not_applied(frail: Frail) -> None:
    (port,) = services.free_ports(1)
    store = served(frail.kind, frail.server, port, "nobody").open()
    seconds, said = took(lambda: store.put("config", "1", budget=Seconds(1)), StoreUnreachable)
    assert 0.8 < seconds < 1.5
    assert f"could not connect to 127.0.0.1:{port}: connection refused" in said
    took(lambda: store.hold("leader", "a", ttl=TTL, budget=Seconds(0.3)), StoreUnreachable)
    took(lambda: store.delete("leader", budget=Seconds(0.3)), StoreUnreachable)
    took(lambda: store.snapshot(budget=Seconds(0.3)), StoreUnreachable)
    took(lambda: store.watch(Revision(1), lambda keys: None, budget=Seconds(5)), StoreUnreachable)
    store.close()


def test_a_killed_server_is_unreachable_and_never_says_no(frail: Frail) -> None:
    store = frail.direct.open()
    held(store)
    frail.server.kill()
    calls: list[Callable[[], object]] = [
        lambda: store.put("config", "1", budget=Seconds(0.5)),
        lambda: store.renew(ttl=TTL, budget=Seconds(0.5)),
        lambda: store.hold("leader", "a", ttl=TTL, budget=Seconds(0.5)),
        lambda: store.delete("leader", budget=Seconds(0.5)),
        lambda: store.snapshot(budget=Seconds(0.5)),
    ]
    for call in calls:
        seconds, _ = took(call, *EITHER)
        assert seconds < 1.2


# --- restarted ---


def test_a_restarted_server_is_found_again_with_lease_and_keys(frail: Frail) -> None:
    store = frail.direct.open()
    leader = held(store)
    frail.server.kill()
    threading.Timer(0.5, frail.server.start).start()
    wait_for(frail.server.healthy, within=60, what="the server")
    assert isinstance(settled(lambda: store.renew(ttl=TTL, budget=SOON)), Applied)
    assert store.snapshot(budget=SOON).items["leader"].mine
    assert isinstance(store.delete("leader", expect=leader.revision, budget=SOON), Applied)


def test_a_watch_survives_a_restart_and_misses_nothing(frail: Frail) -> None:
    store, other = frail.direct.open(), frail.direct.open()
    other.put("config", "0", budget=SOON)
    with watched(store, store.snapshot(budget=SOON).revision) as heard:
        time.sleep(0.3)
        frail.server.kill()
        time.sleep(0.3)
        frail.server.start()
        wait_for(frail.server.healthy, within=60, what="the server")
        assert isinstance(settled(lambda: other.put("config", "1", budget=SOON)), Applied)
        wait_for(lambda: any("config" in keys or not keys for keys in heard), within=15, what="the change")


# --- frozen ---


def test_a_frozen_server_costs_the_budget_and_the_outcome_is_unknown(frail: Frail) -> None:
    store = frail.direct.open()
    leader = held(store)
    frail.server.signal(signal.SIGSTOP)
    unknown = EITHER if EVERY[frail.kind].greets else (OutcomeUnknown,)
    calls: list[tuple[Callable[[], object], tuple[type[PgctlError], ...]]] = [
        (lambda: store.snapshot(budget=Seconds(1)), (StoreUnreachable,)),
        (lambda: store.renew(ttl=TTL, budget=Seconds(1)), EITHER),
        (lambda: store.put("config", "1", budget=Seconds(1)), unknown),
        (lambda: store.delete("sync", budget=Seconds(1)), unknown),
        (lambda: store.hold("leader", "a", ttl=TTL, budget=Seconds(1)), EITHER),
    ]
    for call, errors in calls:
        seconds, _ = took(call, *errors)
        assert 0.8 < seconds < 1.5
    frail.server.signal(signal.SIGCONT)
    wait_for(frail.server.healthy, within=20, what="the server to be well")
    assert isinstance(settled(lambda: store.renew(ttl=TTL, budget=SOON)), Applied)
    item = store.snapshot(budget=SOON).items["leader"]
    assert item.mine and item.revision == leader.revision


def test_an_unknown_hold_is_settled_by_repeating_it(frail: Frail) -> None:
    store = frail.direct.open()
    store.put("members/a", "1", leased=True, ttl=TTL, budget=SOON)
    frail.server.signal(signal.SIGSTOP)
    took(lambda: store.hold("leader", "a", ttl=TTL, budget=Seconds(0.5)), *EITHER)
    frail.server.signal(signal.SIGCONT)
    wait_for(frail.server.healthy, within=20, what="the server to be well")
    assert isinstance(settled(lambda: store.hold("leader", "a", ttl=TTL, budget=SOON)), Applied)
    assert store.snapshot(budget=SOON).items["leader"].mine


# --- a bad way ---


def test_on_a_slow_way_a_lease_counts_from_before_the_request_was_sent(frail: Frail) -> None:
    store = frail.distant.open()
    held(store)
    frail.proxy.delay = 0.2
    verbs: list[Callable[[], Applied | Rejected]] = [
        lambda: store.renew(ttl=TTL, budget=SOON),
        lambda: store.hold("leader", "a", ttl=TTL, budget=SOON),
    ]
    for verb in verbs:
        before = CLOCK.now()
        answer = verb()
        after = CLOCK.now()
        assert isinstance(answer, Applied) and answer.deadline is not None
        assert after - before >= 0.4 and answer.deadline <= after + TTL - 0.4
    assert store.snapshot(budget=SOON).items["leader"].mine
    assert isinstance(store.put("config", "1", budget=SOON), Applied)


def test_a_way_slower_than_the_budget_leaves_a_write_unknown(frail: Frail) -> None:
    store = frail.distant.open()
    store.put("config", "1", budget=SOON)
    frail.proxy.delay = 1.0
    seconds, _ = took(lambda: store.put("config", "2", budget=Seconds(0.6)), OutcomeUnknown)
    assert seconds < 1.0
    seconds, _ = took(lambda: store.snapshot(budget=Seconds(0.6)), StoreUnreachable)
    assert seconds < 1.0


def test_a_write_whose_answer_was_lost_is_unknown_and_was_applied(frail: Frail) -> None:
    store, other = frail.distant.open(), frail.direct.open()
    seen = store.put("config", "1", budget=SOON)
    assert isinstance(seen, Applied)
    frail.proxy.deaf = True
    took(lambda: store.put("config", "2", budget=Seconds(0.7)), OutcomeUnknown)
    wait_for(lambda: other.snapshot(budget=SOON).items["config"].value == "2", within=5, what="the write")
    frail.proxy.deaf = False
    frail.proxy.cut()
    assert isinstance(store.put("config", "3", expect=seen.revision, budget=SOON), Rejected)


def test_a_cut_connection_is_made_again(frail: Frail) -> None:
    store, other = frail.distant.open(), frail.direct.open()
    held(store)
    with watched(store, store.snapshot(budget=SOON).revision) as heard:
        for number in range(3):
            frail.proxy.cut()
            assert store.snapshot(budget=SOON).items["leader"].mine
            assert isinstance(settled(lambda: store.renew(ttl=TTL, budget=SOON)), Applied)
            heard.clear()
            other.put(f"key{number}", "1", budget=SOON)
            name = f"key{number}"
            wait_for(lambda: any(name in keys or not keys for keys in heard), within=5, what="the change")  # noqa: B023
