"""The lease's cell: answers on their way do not undo what the cycle did meanwhile."""

from pgctl.agent.core.view import Lease
from pgctl.agent.lease import LeaseCell
from pgctl.units import Instant

NOW = Instant(15)


def test_nothing_is_held_at_first() -> None:
    cell = LeaseCell()
    assert cell.read() == Lease() and cell.session == 0


def test_a_renewal_moves_the_deadline_and_a_lowered_ttl_shortens_it() -> None:
    cell = LeaseCell()
    cell.hold(Instant(30))
    assert cell.extend(cell.token(), Instant(40), NOW) == Lease(True, Instant(40))
    assert cell.extend(cell.token(), Instant(20), NOW) == Lease(True, Instant(20))
    assert cell.session == 20


def test_a_lowered_ttl_is_believed_before_it_is_asked_for() -> None:
    cell = LeaseCell()
    cell.hold(Instant(40))
    token = cell.token()
    assert cell.limit(Instant(20), 1.0) == Lease(True, Instant(20), 1.0)
    assert cell.read().deadline == cell.session == 20
    assert cell.limit(Instant(45)) is None
    assert cell.extend(token, Instant(21), NOW).deadline == 21


def test_without_the_lead_there_is_nothing_to_limit() -> None:
    cell = LeaseCell()
    cell.granted(Instant(40))
    assert cell.limit(Instant(20)) is None
    assert cell.session == 40


def test_a_renewal_without_the_lead_moves_the_session_alone() -> None:
    cell = LeaseCell()
    cell.granted(Instant(10))
    assert cell.session == 10
    assert cell.extend(cell.token(), Instant(20), NOW) == Lease()
    assert cell.session == 20
    cell.granted(Instant(15))
    assert cell.session == 20


def test_an_answer_sent_before_the_lead_was_taken_does_not_count() -> None:
    cell = LeaseCell()
    token = cell.token()
    cell.hold(Instant(30))
    assert cell.extend(token, Instant(25), NOW) == Lease(True, Instant(30))
    assert not cell.lose(token)
    assert cell.read().held


def test_an_answer_sent_before_the_lead_was_given_up_does_not_bring_it_back() -> None:
    cell = LeaseCell()
    cell.hold(Instant(30))
    token = cell.token()
    cell.give_up()
    assert cell.extend(token, Instant(40), NOW) == Lease()
    assert not cell.read().held


def test_a_lost_lease_is_lost_whole() -> None:
    cell = LeaseCell()
    cell.hold(Instant(30))
    assert cell.lose(cell.token())
    assert cell.read() == Lease() and cell.session == 0


def test_a_lead_that_lapsed_is_not_brought_back_by_a_renewal() -> None:
    """The lease ended, a new one was granted for the member key, and that one was renewed."""
    cell = LeaseCell()
    cell.hold(Instant(30))
    late = cell.token()
    cell.granted(Instant(41))
    assert cell.extend(cell.token(), Instant(42), Instant(32)) == Lease()
    assert cell.session == 42
    assert not cell.lose(late)


# --- without the store ------------------------------------------------------------------------------------------------


def test_promises_move_the_deadline_and_the_fences_margin_bounds_them() -> None:
    cell = LeaseCell()
    cell.hold(Instant(30), 2.0)
    assert cell.prolong(Instant(45), NOW, 2.0) == Lease(True, Instant(45), 2.0, failsafe=True)
    assert cell.prolong(Instant(60), Instant(44), 2.0) is None
    assert LeaseCell().prolong(Instant(60), NOW, 2.0) is None


def test_a_lead_by_promises_is_deaf_to_renewals_and_to_their_refusal() -> None:
    """What is renewed may be a lease that carries the member key alone, and what is gone is known to be gone."""
    cell = LeaseCell()
    cell.hold(Instant(30), 2.0)
    late = cell.token()
    lead = cell.prolong(Instant(45), NOW, 2.0)
    assert cell.extend(late, Instant(33), NOW) == lead
    assert cell.extend(cell.token(), Instant(50), NOW) == lead and cell.session == 50
    assert cell.lose(cell.token()) and cell.read() == lead and cell.session == 0
    assert cell.hold(Instant(40), 2.0) == Lease(True, Instant(40), 2.0)


def test_a_lead_by_promises_can_be_limited_and_given_up() -> None:
    cell = LeaseCell()
    cell.hold(Instant(30), 2.0)
    cell.prolong(Instant(45), NOW, 2.0)
    assert cell.limit(Instant(35), 2.0) == Lease(True, Instant(35), 2.0, failsafe=True)
    cell.give_up()
    assert cell.read() == Lease()
