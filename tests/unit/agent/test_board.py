"""The three cells' two: a board that is swapped whole, an inbox that rings; and the bell."""

import select
import threading

from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import Decision, Lease, View
from pgctl.agent.inbox import FULL, Inbox, Order, Reply
from pgctl.units import Instant, Wall
from tests.unit.agent import boards


def decision(rule: str) -> Decision:
    return Decision(rule, "a sentence", "", (), Memory(), Instant(0))


def view(at: float, *, readable: bool = True) -> View:
    return View(Instant(at), Wall(5000 + at), boards.host(), boards.standby(), boards.cluster() if readable else None)


def blank() -> Board:
    return Board("prod", boards.host(), Instant(1), Wall(5001))


def test_a_blank_board_knows_nothing_and_says_so() -> None:
    found = blank().read()
    assert (found.decision, found.cluster, found.cluster_at, found.lease.held) == (None, None, None, False)
    assert found.view.me == "a" and not found.view.server.running


def test_a_view_is_shown_before_it_is_decided_on() -> None:
    board = blank()
    board.decide(view(10), decision("follow.90"), Instant(11))
    board.show(view(20))
    found = board.read()
    assert (found.looked_at, found.cycle_done_at) == (Instant(20), Instant(11))
    assert found.decision is not None and found.decision.rule == "follow.90"


def test_a_reading_that_failed_leaves_the_last_one_beside_the_view() -> None:
    board = blank()
    board.show(view(10))
    board.show(view(20, readable=False))
    found = board.read()
    assert found.view.cluster is None
    assert found.cluster is not None and (found.cluster_at, found.cluster_wall) == (Instant(10), Wall(5010))


def test_since_tells_how_long_the_rule_has_held() -> None:
    board = blank()
    for at, rule in ((10, "race.90"), (20, "follow.90"), (30, "follow.90")):
        board.decide(view(at), decision(rule))
    assert board.read().since == Instant(20)
    board.decide(view(40), decision("race.90"))
    assert board.read().since == Instant(40)


def test_the_lease_is_newer_than_the_view() -> None:
    board = blank()
    board.decide(view(10), decision("lead.90"))
    before = board.read()
    board.lease(Lease(True, Instant(50)))
    assert (before.lease.held, board.read().lease.left(Instant(20))) == (False, 30)


def rung(bell: Bell, timeout: float = 0) -> bool:
    return bool(select.select([bell], [], [], timeout)[0])


def test_a_bell_is_heard_once_however_often_it_was_rung() -> None:
    bell = Bell()
    assert not rung(bell)
    for _ in range(1000):
        bell.ring()
    assert rung(bell)
    bell.clear()
    assert not rung(bell)
    bell.clear()  # nothing to take: no wait, no error
    bell.close()


def test_a_bell_wakes_another_thread() -> None:
    bell = Bell()
    ringer = threading.Thread(target=bell.ring)
    ringer.start()
    assert rung(bell, 5)
    ringer.join()
    bell.close()


def order(path: str) -> Order:
    return Order("POST", path, {}, None, lambda reply: None, Instant(0))


def test_the_inbox_rings_and_gives_orders_in_turn() -> None:
    bell = Bell()
    inbox = Inbox(bell)
    assert inbox.put(order("/reload")) and inbox.put(order("/restart"))
    assert rung(bell)
    assert [taken.path for taken in inbox.take()] == ["/reload", "/restart"]
    assert inbox.take() == ()
    bell.close()


def test_a_full_inbox_refuses_and_takes_again_once_emptied() -> None:
    bell = Bell()
    inbox = Inbox(bell)
    assert all(inbox.put(order("/reload")) for _ in range(FULL))
    assert not inbox.put(order("/restart"))
    assert len(inbox.take()) == FULL
    assert inbox.put(order("/restart"))
    bell.close()


def test_a_reply_is_plain_text_unless_told() -> None:
    assert Reply(200, "<b>").content_type.startswith("text/plain")
