"""The lease of one process in Consul, which is a session: making it, keeping it, moving its keys when the ttl changes.

Law: a deadline is believed from before the request was sent, and never longer than others are sure to wait. Why a
session of ttl / 2 is a lease of ttl is the theory at the head of `consul`. Consul cannot change a session's ttl, so a new
one is made and each key is put on it, if it still hangs on an old one; the old one is destroyed when all have certainly
moved. Until then it is kept in the list: a key on any of these sessions is ours.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pgctl.clock import Clock
from pgctl.dcs import consul_wire as wire
from pgctl.dcs.consul_client import ConsulClient
from pgctl.dcs.consul_wire import Meaning, Refusal
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import PgctlError, StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds, show_seconds

_LOG = logging.getLogger(__name__)
_ENDED = Rejected("the session has ended")
_DESTROY_WITHIN = Seconds(1.0)
_WAITS = 2
"""How many times its ttl Consul waits before it ends a session that is not renewed."""
_NO_DELAY, _LONGEST_DELAY = Seconds(0.001), Seconds(60.0)
"""Of a lock's delay: 0 means Consul's default of 15 s, and more than a minute is cut to one."""


@dataclass(frozen=True, slots=True)
class Session:
    """`length` is its ttl in Consul; `deadline` is its holder's belief, on this host's boot-time clock."""

    id: str
    length: Seconds
    deadline: Instant


class ConsulLease:
    """Keys are absolute here. Renewal may run beside everything else; the rest takes turns through `attaching`."""

    def __init__(self, client: ConsulClient, clock: Clock, name: str, checks: tuple[str, ...],
                 mark: Callable[[], int]) -> None:
        self._client = client
        self._clock = clock
        self._name = name
        self._checks = checks
        self._mark = mark
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._sessions: tuple[Session, ...] = ()
        """The one in use last; before it those that keys are being moved from."""
        self._own: set[str] = set()
        """Keys that may hang on them."""
        self._bounds = wire.Bounds(Seconds(0.0), Seconds(86400.0))

    @property
    def ids(self) -> frozenset[str]:
        """Sessions of this process: a key on one of them is mine."""
        return frozenset(session.id for session in self._sessions)

    @contextlib.contextmanager
    def attaching(self, budget: Seconds) -> Iterator[Instant]:
        """The turn to put keys on the session or to move them; yields the instant at which the budget ends."""
        end = Instant(self._clock.now() + budget)
        if not self._turn.acquire(timeout=max(0.0, budget)):
            raise StoreUnreachable("the session is busy", detail="another request on it did not end in time")
        try:
            yield end
        finally:
            self._turn.release()

    def current(self, ttl: Seconds | None, end: Instant) -> Session:
        """The session as it is; one is made for `ttl` where there is none. Needs the turn."""
        return self._sessions[-1] if self._sessions else self._make(ttl, end)

    def extended(self, ttl: Seconds, end: Instant) -> Session:
        """The session, from now on for `ttl`; a new one if it has ended. Needs the turn."""
        if self._sessions and isinstance(self._extend(ttl, end), Applied) and self._sessions:
            return self._sessions[-1]
        return self._make(ttl, end)

    def renew(self, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        """Extends the session with its keys. Waits for the turn only when `ttl` has changed."""
        sessions = self._sessions
        if not sessions:
            return Rejected("there is no session")
        if len(sessions) == 1 and sessions[0].length == self._length(ttl):
            return self._keep(sessions[0], ttl, Instant(self._clock.now() + budget))
        with self.attaching(budget) as end:
            return self._extend(ttl, end) if self._sessions else _ENDED

    def carries(self, key: str) -> None:
        """Notes that a key may hang on the session from now on."""
        self._own.add(key)

    def lost(self, session: Session) -> None:
        """Notes that Consul no longer knows this session."""
        with self._state:
            self._sessions = tuple(known for known in self._sessions if known.id != session.id)

    def _length(self, ttl: Seconds) -> Seconds:
        return Seconds(min(max(ttl / _WAITS, self._bounds.least), self._bounds.most))

    def _believed(self, ttl: Seconds) -> Seconds:
        """For how long nobody else can hold my keys, whatever becomes of the session."""
        return Seconds(min(ttl, self._delay(ttl) if self._checks else _WAITS * self._length(ttl)))

    def _delay(self, ttl: Seconds) -> Seconds:
        return Seconds(min(ttl, _LONGEST_DELAY)) if self._checks else _NO_DELAY

    def _extend(self, ttl: Seconds, end: Instant) -> Applied | Rejected:
        current = self._sessions[-1]
        if current.length != self._length(ttl):
            return self._move(self._make(ttl, end), end)
        kept = self._keep(current, ttl, end)
        return self._move(self._sessions[-1], end) if isinstance(kept, Applied) and len(self._sessions) > 1 else kept

    def _make(self, ttl: Seconds | None, end: Instant) -> Session:
        """A new session, last in the list. The agent's bounds are learnt from its refusal, and said once."""
        if ttl is None:
            raise ValueError("a leased key needs a ttl when there is no session yet")
        for _ in range(2):
            sent = self._clock.now()
            length = self._length(ttl)
            body = {"name": self._name, "checks": self._checks, "lockdelay": f"{self._delay(ttl)}s", "behavior": "delete",
                    "ttl": f"{length}s"}
            try:
                made = Session(self._client.create_session(body, end=end), length, Instant(sent + self._believed(ttl)))
            except Refusal as error:
                self._learn(error, length)
            else:
                with self._state:
                    self._sessions = (*self._sessions, made)
                return made
        raise StoreUnreachable("Consul refused a session within the bounds it gave")

    def _learn(self, refusal: Refusal, asked: Seconds) -> None:
        """Raises StoreUnreachable when there is nothing to be learnt."""
        bounds = wire.bounds(refusal.detail) if refusal.meaning is Meaning.BOUNDS else None
        if bounds is None:
            hint = "Look at session_ttl_min of the agent, and at the names in consul.checks."
            raise StoreUnreachable("Consul refused a session", detail=refusal.detail, hint=hint) from refusal
        self._bounds = bounds
        used = Seconds(min(max(asked, bounds.least), bounds.most))
        _LOG.warning("Consul allows no session of %s: %s is used, so a lost leader is replaced after up to %s",
                     show_seconds(asked), show_seconds(used), show_seconds(_WAITS * used))

    def _keep(self, session: Session, ttl: Seconds, end: Instant) -> Applied | Rejected:
        """Renews one session. The belief counts from before the server that leads had to prove it, and an answer that
        came after the last belief had ended proves nothing: see `consul`."""
        sent = self._clock.now()
        try:
            self._client.prove_leader(session.id, end=end)
            self._client.renew_session(session.id, end=end)
        except Refusal as error:
            if error.meaning is not Meaning.SESSION_GONE:
                raise StoreUnreachable("Consul refused", detail=error.detail) from error
            self.lost(session)
            return _ENDED
        deadline = Instant(sent + self._believed(ttl))
        if self._prolonged(session.id, deadline):
            return Applied(Revision(0), deadline)
        self._destroy(session.id, end)
        return _ENDED

    def _prolonged(self, session: str, deadline: Instant) -> bool:
        """Whether a renewal that was answered just now came in time for the newest belief; if not, the session is given up.

        The newest one, for another thread's renewal may have been answered while this one was on its way.
        """
        with self._state:
            newest = next((known for known in self._sessions if known.id == session), None)
            if newest is None or self._clock.now() >= newest.deadline:
                self._sessions = tuple(known for known in self._sessions if known is not newest)
                return False
            prolonged = replace(newest, deadline=max(newest.deadline, deadline))
            self._sessions = tuple(prolonged if known is newest else known for known in self._sessions)
        return True

    def _move(self, target: Session, end: Instant) -> Applied | Rejected:
        """Puts every key of ours on `target`; Rejected when not one was left to move."""
        old = self.ids - {target.id}
        own = sorted(self._own)
        moved = [revision for key in own if (revision := self._moved(key, old, target, end)) is not None]
        ended = bool(own) and not moved
        kept = () if ended else (target.id,)
        for session in self.ids.difference(kept):
            self._destroy(session, end)
        with self._state:
            self._sessions = tuple(session for session in self._sessions if session.id in kept)
        return _ENDED if ended else Applied(max(moved, default=Revision(0)), target.deadline)

    def _destroy(self, session: str, end: Instant) -> None:
        with contextlib.suppress(PgctlError):  # it will end by itself
            self._client.destroy_session(session, end=Instant(min(end, self._clock.now() + _DESTROY_WITHIN)))

    def _moved(self, key: str, old: frozenset[str], target: Session, end: Instant) -> Revision | None:
        """The key's revision once it hangs on `target`; None when it was not ours any more.

        Let go and taken in one transaction: nobody can come between, and no lock delay begins.
        """
        for _ in range(3):  # between reading and moving it may change, but nobody but us should change it
            row = self._client.row(key, end=end)
            if row is None or row.session not in old | {target.id}:
                break
            if row.session == target.id:
                return row.revision
            again = wire.lock(key, row.value, target.id, self._mark())
            answer = self._client.change([wire.is_at(key, row.revision), wire.unlock(row), again], end=end)
            if isinstance(answer, int):
                return answer
        self._own.discard(key)
        return None
