"""The event journal: what happened to the cluster, and what of the present it has already told. The key `events`. Pure.

Law. An event is derived from a level: `Seen` says what the journal has told of (the leader and its timeline, pause, the
settings, the members and the last deed of each), and what the store shows beside it is what has not been told. So a
write that is lost is made up for by the next one, and an agent that is started again neither loses an event nor tells it
twice. What nobody knows is left out: an absent field means unknown, never no.

The key is ours alone; readers that do not know it leave it alone (dcs.md 1). It is bounded in events and in bytes, for
every reading of the store carries it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pgctl.model import document

MOST_EVENTS = 200
MOST_BYTES = 32 * 1024
MOST_DEEDS = 3
"""Deeds that a member keeps in its own key until the leader has told them."""

LEADING = frozenset({"recorded", "bootstrap", "switchover", "failover", "promotion", "lead"})
"""Events by which the cluster has another leader or timeline than before."""
MINOR = frozenset({"joined", "gone", "start", "stop", "clone"})
"""Events that go first when the journal is full."""


class Refused(NamedTuple):
    """For how long writes were refused, in seconds: known exactly when both are equal, else between the two."""

    least: float
    most: float | None
    """None: nobody knows when it began."""


class Event(NamedTuple):
    """Something that happened at `at` (ISO 8601, UTC, by the clock of `member`, who tells of it).

    `source` and `target` are members, from whom and to whom. `by` names who ordered it, as far as the order said: an
    address was seen, a user is what the asker claimed. `failed` says why it did not work.
    """

    at: str
    what: str
    member: str = ""
    source: str = ""
    target: str = ""
    timeline: int | None = None
    rule: str = ""
    by: str = ""
    why: str = ""
    failed: str = ""
    refused: Refused | None = None


class Seen(NamedTuple):
    """What of the present the journal has told of. `members` maps a name to the time of its last deed told of."""

    leader: str = ""
    timeline: int = 0
    pause: bool = False
    config: str = ""
    """A digest of the settings."""
    members: Mapping[str, str] = MappingProxyType({})


class Journal(NamedTuple):
    """`known` is False when the key is absent or unreadable: then the journal begins anew."""

    events: tuple[Event, ...] = ()
    seen: Seen = Seen()
    known: bool = False


def digest(config: Mapping[str, object] | None) -> str:
    """Twelve letters that two documents share when they say the same, whether paused or not."""
    if config is None:
        return ""
    text = document.dump(_ordered({key: value for key, value in config.items() if key != "pause"}))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def _ordered(value: object) -> object:
    return {key: _ordered(value[key]) for key in sorted(value)} if isinstance(value, Mapping) else value


def changes(before: Mapping[str, object], after: Mapping[str, object], path: str = "") -> tuple[str, ...]:
    """Names of settings that differ, by path; with their values where those are numbers, so that no secret gets out."""
    found: list[str] = []
    for key in sorted({*before, *after} - ({"pause"} if not path else set())):
        old, new, name = before.get(key), after.get(key), f"{path}{key}"
        if old == new:
            continue
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            inner = [value if isinstance(value, Mapping) else {} for value in (old, new)]
            found += changes(inner[0], inner[1], f"{name}.") or (name,)
        elif all(isinstance(value, int | float | None) for value in (old, new)):
            found.append(f"{name} {_value(old)} -> {_value(new)}")
        else:
            found.append(name)
    return tuple(found)


def _value(value: object) -> str:
    return "unset" if value is None else document.dump(value)


def trimmed(events: Sequence[Event], most: int = MOST_EVENTS, size: int = MOST_BYTES) -> tuple[Event, ...]:
    """The events that fit, in order. While minor ones are more than half, the oldest of those goes first."""
    kept = list(events)
    sizes = [len(document.dump(to_mapping(event))) + 1 for event in kept]
    minor = sum(event.what in MINOR for event in kept)
    while kept and (len(kept) > most or sum(sizes) > size):
        at = next(place for place, event in enumerate(kept) if event.what in MINOR) if 2 * minor > len(kept) else 0
        minor -= kept[at].what in MINOR
        del kept[at], sizes[at]
    return tuple(kept)


# --- documents ---


def from_mapping(found: Mapping[str, object]) -> Event | None:
    """None when it does not say what happened, or when."""
    at, what = document.text(found.get("at")), document.text(found.get("what"))
    if not at or not what:
        return None
    words = {name: document.text(found.get(key)) or "" for name, key in _WORDS.items()}
    timeline, refused = document.timeline(found.get("timeline")), _refused(found.get("refused_s"))
    return Event(at, what, timeline=timeline, refused=refused, **words)


_WORDS = {"member": "member", "source": "from", "target": "to", "rule": "rule", "by": "by", "why": "why", "failed": "failed"}


def to_mapping(event: Event) -> dict[str, object]:
    """The event as it is stored and shown: what is not known is left out."""
    written: dict[str, object] = {"at": event.at, "what": event.what}
    written |= {key: getattr(event, name) for name, key in _WORDS.items() if getattr(event, name)}
    if event.timeline is not None:
        written["timeline"] = event.timeline
    if event.refused is not None:
        least, most = event.refused
        written["refused_s"] = least if least == most else [least, most]
    return written


def _refused(value: object) -> Refused | None:
    spans = value if isinstance(value, list) and len(value) == 2 else [value, value]
    least, most = (document.seconds(each) for each in spans)
    return None if least is None else Refused(least, most)


def read_list(value: object) -> tuple[Event, ...]:
    """The events of a list, in order; what is none is left out."""
    items = value if isinstance(value, list) else []
    found = (from_mapping(document.mapping(item) or {}) for item in items)
    return tuple(event for event in found if event is not None)


def read(text: str) -> Journal:
    """The journal in `events`; an empty one, not `known`, when it cannot be read."""
    found = document.mapping(document.load(text))
    if found is None:
        return Journal()
    seen = document.mapping(found.get("seen")) or {}
    members = document.mapping(seen.get("members")) or {}
    return Journal(
        read_list(found.get("events")),
        Seen(
            document.text(seen.get("leader")) or "",
            document.timeline(seen.get("timeline")) or 0,
            document.flag(seen.get("pause")),
            document.text(seen.get("config")) or "",
            {name: document.text(at) or "" for name, at in members.items()},
        ),
        known=bool(seen),
    )


def write(journal: Journal) -> str:
    seen = journal.seen
    told = {"leader": seen.leader, "timeline": seen.timeline, "pause": seen.pause, "config": seen.config,
            "members": dict(seen.members)}
    return document.dump({"seen": told, "events": [to_mapping(event) for event in journal.events]})
