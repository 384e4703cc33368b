"""Points in time as people write them → an instant with its zone. Pure but for the rules of the local zone.

`now`; `+90s`, `+30min`, `+1h`, `+2d`; ISO 8601, with a blank for the T if you like; `18:00`, today; a zone as offset, `Z`
or at the end by name (`Europe/Berlin`). Without a zone it is the local one.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pgctl.errors import UsageError
from pgctl.units import Wall, parse_seconds

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?([+-]\d{2}(:?\d{2})?|Z)?\Z")
_AGO = re.compile(r"\d+(\.\d+)?\s*[a-z]+\Z", re.IGNORECASE)
_ZONE = re.compile(r"(.*\S)\s+([A-Za-z][A-Za-z0-9_+/-]*)\Z")


def local(wall: Wall) -> datetime:
    """Calendar time on this host, with its zone."""
    return datetime.fromtimestamp(wall, UTC).astimezone()


def parse(text: str | None, now: datetime) -> datetime | None:
    """The time meant, or None for at once. `now` carries the local zone. Raises UsageError."""
    words = (text or "now").strip()
    if words.lower() in ("", "now"):
        return None
    try:
        return _parse(words, now)
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        raise UsageError(f'"{text}" is not a time',
                         hint="Write it like 2030-01-31T18:00+01:00, 18:00, +30min, or now.") from None


def past(text: str | None, now: datetime) -> datetime | None:
    """The same for a time gone by: `-2h` or `2h` is two hours ago; None when nothing was asked. Raises UsageError."""
    words = (text or "").strip()
    if not words:
        return None
    ago = words.removeprefix("-")
    return now - (parse(f"+{ago}", now) - now) if _AGO.match(ago) else parse(words, now)  # type: ignore[operator]


def _parse(words: str, now: datetime) -> datetime:
    if words.startswith("+"):
        return now + timedelta(seconds=parse_seconds(words[1:]))
    zone = now.tzinfo
    if named := _ZONE.match(words):
        words, zone = named[1], ZoneInfo(named[2])
    if _CLOCK.match(words):
        words = f"{now.astimezone(zone).date().isoformat()}T{words.zfill(len(words) + (words.find(':') < 2))}"
    found = datetime.fromisoformat(words)
    if found.tzinfo is not None:
        return found
    # a summer time may begin or end before then: the local zone is asked anew for that date
    return found.astimezone() if zone is now.tzinfo else found.replace(tzinfo=zone)


def shown(moment: datetime) -> str:
    """`2030-01-31T18:00:00+01:00`."""
    return moment.isoformat(timespec="seconds")
