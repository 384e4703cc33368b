"""The witness of split brain: it must see an overlap, and must not invent one."""

from tests.e2e.witness import Overlap, Span, overlaps


def test_spans_that_share_an_instant_overlap() -> None:
    a, b = Span("a", "1", 0.0, 5.0), Span("b", "1", 4.0, 9.0)
    assert overlaps([a, b]) == (Overlap(a, b),)
    assert overlaps([a, b])[0].seconds == 1.0


def test_one_after_the_other_is_no_overlap() -> None:
    assert overlaps([Span("a", "1", 0.0, 4.0), Span("b", "1", 4.0, 9.0)]) == ()


def test_two_lives_of_one_member_do_not_overlap_each_other() -> None:
    assert overlaps([Span("a", "1", 0.0, 5.0), Span("a", "2", 4.0, 9.0)]) == ()


def test_one_inside_another_overlaps() -> None:
    assert len(overlaps([Span("a", "1", 0.0, 9.0), Span("b", "1", 4.0, 5.0), Span("c", "1", 10.0, 11.0)])) == 1


def test_a_single_look_counts_only_well_inside_another_span() -> None:
    """It was out of recovery at some instant between asking (`end`) and the answer (`begin`)."""
    look = Span("b", "1", 5.0, 4.9)
    assert overlaps([Span("a", "1", 0.0, 9.0), look])[0].seconds == 0.0
    assert overlaps([Span("a", "1", 4.95, 9.0), look]) == ()
    assert overlaps([Span("a", "1", 5.0, 4.9), look]) == ()
