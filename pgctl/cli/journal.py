"""Events of the journal as lines for people and rows for programs. Pure.

Newest last, where the eye is when a terminal has printed them. What is not known is left out, or said to be unknown.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pgctl.cli.output import Shown
from pgctl.cli.tables import Table
from pgctl.model import events
from pgctl.model.document import moment
from pgctl.model.events import LEADING, Event, Journal, Refused
from pgctl.units import show_seconds

_COLUMNS = ("At", "Event", "Member", "From", "To", "TL", "Refused From", "Refused To", "Rule", "By", "Why", "Failed")
_NEEDS_WRITES = LEADING - {"recorded", "bootstrap", "lead"}


def chosen(journal: Journal, since: datetime | None, limit: int | None) -> tuple[Event, ...]:
    """The events in the order of their times: those since then, the newest `limit` of them."""
    found = sorted(journal.events, key=_time)
    if since is not None:
        found = [event for event in found if _time(event) >= since]
    return tuple(found[-limit:] if limit else found)


def _time(event: Event) -> datetime:
    return moment(event.at)[0] or datetime.min.replace(tzinfo=UTC)


def render(journal: Journal, found: Sequence[Event]) -> Shown:
    rows = tuple(_row(event) for event in found)
    lines = [_line(event) for event in found]
    if not journal.known:
        lines = ["no journal: the cluster's leader keeps none, or has not led since it can"]
    elif not lines:
        lines = ["no event"]
    else:
        lines = ["times are UTC, each by the clock of the member that tells it", *lines]
    return Shown(tuple(lines), Table(_COLUMNS, rows), [events.to_mapping(event) for event in found])


def _row(event: Event) -> tuple[str, ...]:
    where = (event.member, event.source, event.target, event.timeline)
    cells = (event.at, event.what, *where, *(event.refused or (None, None)), event.rule, event.by, event.why, event.failed)
    return tuple("" if cell is None else str(cell) for cell in cells)


def _line(event: Event) -> str:
    time = _time(event)
    at = f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time.year > 1 else event.at
    return f"{at}  {event.what:<12} {sentence(event)}".rstrip()


def sentence(event: Event) -> str:
    """All that is known beside time and kind, in one line."""
    return "; ".join(filter(None, (
        _who(event),
        f"timeline {event.timeline}" if event.timeline and event.what in (*LEADING, "timeline") else "",
        refused(event),
        f"failed: {event.failed}" if event.failed else "",
        f"by {event.by}" if event.by else "",
        event.why,
        event.rule,
    )))


def _who(event: Event) -> str:
    if event.what == "unfulfilled":
        return f"order to move the lead{f' to {event.target}' if event.target else ''}"
    if event.target and event.source != event.target:
        return f"{event.source} -> {event.target}" if event.source else event.target
    return f"{event.member} from {event.source}" if event.source not in ("", event.member) else event.member


def refused(event: Event) -> str:
    """For how long writes were refused; for a change of leader that nobody timed, that it is not known."""
    if event.refused is None:
        return "writes refused for an unknown time" if event.what in _NEEDS_WRITES and not event.failed else ""
    return f"writes refused for {_span(event.refused)}"


def _span(span: Refused) -> str:
    if span.most is None:
        return f"{show_seconds(span.least)} or more"
    least, most = show_seconds(span.least), show_seconds(span.most)
    return least if least == most else f"{least} to {most}"
