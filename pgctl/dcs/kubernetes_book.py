"""What this process has seen in Kubernetes, and when: the revision of each key, and the age of each lease. No I/O.

Law. A lease that another process holds is over when its record was seen unchanged for its whole ttl, on this host's
boot-time clock, counted from when the answer with it was here; the times in the record are never looked at. Proof, with
`kubernetes_lease`, that two never believe to hold one key: a holder believes until s + ttl, where s is before it sent the
write that the server confirmed. Whoever sees the record of that write sees it later than s, and waits for ttl from then.
What it sends after that compares the object's version with the one it has seen: a renewal that it has not heard of, as
behind a slow server or a cut watch, has changed the version, and the write is refused. So old news costs time, not truth.
(Clocks must run at the same rate; ttl / 6, the fence's margin, is far more than crystals are apart.) Who sees a record
for the first time waits for a whole ttl.

An object has one version for all its keys, and a renewal changes it too. The revision of a key is therefore the version of
its object when this process first saw the key as it is now; two processes may count the same write differently, and
either's is one that later changes never have. Whoever compares looks at the object as it is, and writes on exactly that
version.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pgctl.dcs.kubernetes_layout import Layout, Part, Spot, Thing
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds


class Entry(NamedTuple):
    """One key as last seen: `part` None is absent; `since`: when its lease was last seen to be renewed."""

    part: Part | None
    revision: Revision
    since: Instant = Instant(0)


_NOTHING = Entry(None, Revision(0))


class KubernetesBook:
    """May be used from several threads. `ttl` is what counts for a record that does not say its own."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._things: dict[Spot, Thing] = {}
        self._entries: dict[str, Entry] = {}
        self._present: dict[Spot, frozenset[str]] = {}
        """Keys that are on an object."""
        self._highest: dict[str, int] = {}
        self.ttl = Seconds(30)

    def highest(self, resource: str) -> int:
        """The highest version seen so far: a list of the resource, or one of its objects."""
        return self._highest.get(resource, 0)

    def thing(self, spot: Spot) -> Thing | None:
        return self._things.get(spot)

    def see(self, thing: Thing, now: Instant) -> None:
        """Notes an object as it was read, or as it came back from a write. Answers may come in any order."""
        with self._lock:
            known = self._things.get(thing.spot)
            parts = self._layout.parts(thing)
            if known is None or known.version < thing.version:
                self._things[thing.spot] = thing
                self._raise(thing.spot.resource, thing.version)
                self._note(thing.spot, parts, thing.version, now)
                return
            for key, part in parts.items():  # older news: the key was so already then
                entry = self._entries.get(key, _NOTHING)
                if entry.part and entry.part.identity == part.identity and entry.revision > thing.version:
                    self._entries[key] = entry._replace(revision=Revision(thing.version))

    def gone(self, spot: Spot, version: int) -> None:
        """Notes that an object was not there any more at that version."""
        with self._lock:
            known = self._things.get(spot)
            if known is not None and known.version <= version:
                del self._things[spot]
                self._note(spot, {}, version, Instant(0))

    def see_all(self, resource: str, things: Iterable[Thing], version: int, now: Instant) -> None:
        """Notes a whole list of one resource."""
        found = {thing.spot: thing for thing in things}
        for thing in found.values():
            self.see(thing, now)
        for spot in [spot for spot in self._things if spot.resource == resource and spot not in found]:
            self.gone(spot, version)
        self._raise(resource, version)

    def forget(self) -> None:
        """This is another store than before: its count began anew. Leases are timed from the beginning."""
        with self._lock:
            self._things.clear()
            self._entries.clear()
            self._present.clear()
            self._highest.clear()

    def entry(self, key: str, now: Instant) -> Entry:
        """The key now: one whose lease is over is absent."""
        found = self._entries.get(key, _NOTHING)
        return _NOTHING if self._over(found, now) else found

    def entries(self, now: Instant) -> Mapping[str, tuple[Part, Revision]]:
        """Every key that is there."""
        with self._lock:
            return {key: (found.part, found.revision) for key, found in self._entries.items()
                    if found.part is not None and not self._over(found, now)}

    def changed(self, since: Mapping[str, Revision], floor: Revision) -> Mapping[str, Revision]:
        """Keys changed after `floor`, but those at the revision that `since` has."""
        with self._lock:
            return {key: found.revision for key, found in self._entries.items()
                    if found.revision > floor and since.get(key) != found.revision}

    def ends(self) -> Mapping[str, Instant]:
        """Leased keys → when their lease ends, or has ended, if nothing is heard of it."""
        with self._lock:
            return {key: Instant(found.since + self._ttl(found.part)) for key, found in self._entries.items()
                    if found.part and found.part.record}

    def _note(self, spot: Spot, parts: Mapping[str, Part], version: int, now: Instant) -> None:
        for key in self._present.get(spot, frozenset()) | set(parts):
            old, part = self._entries.get(key, _NOTHING), parts.get(key)
            same = old.part is not None and part is not None and old.part.identity == part.identity
            renewed = part is not None and (old.part is None or part.record != old.part.record)
            self._entries[key] = Entry(part, old.revision if same else Revision(version), now if renewed else old.since)
        self._present[spot] = frozenset(parts)

    def _raise(self, resource: str, version: int) -> None:
        self._highest[resource] = max(self.highest(resource), version)

    def _over(self, entry: Entry, now: Instant) -> bool:
        return bool(entry.part and entry.part.record) and now >= entry.since + self._ttl(entry.part)

    def _ttl(self, part: Part | None) -> float:
        text = part.record[1] if part and part.record else ""
        return float(text) if text.isdigit() else float(self.ttl)
