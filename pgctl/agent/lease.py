"""The lease as this agent believes it to be: one cell, swapped as a whole, between the cycle and the heartbeat.

Two leases are one. All keys of this process hang on the *store's* lease, the member key too, so it is renewed whatever
the role is; `session` is its deadline. When the leader key hangs on it as well, the agent *leads* until that deadline:
that is the `Lease` which views and guards see. Both deadlines count from before the request was sent.

Law. An answer that was on its way while the cycle took or gave up the lead must not undo that. So whoever renews takes
a token before it sends, and what it brings back counts only while the token does. One thread renews, so its answers come
in order, and the last one counts even where it is shorter: the TTL may have been lowered. A lead whose deadline has passed
is never brought back by a renewal: what was renewed may be a new lease, which carries the member key alone. Only the
store can tell, so the key has to be read, and taken over, first.

A lead that goes on by the members' promises (`prolong`) is deaf to renewals for the same reason, and to their refusal,
for the store may have dropped the lease by now: `session` follows them, the lead does not, until the key is taken again.
"""

import threading

from pgctl.agent.core.view import Lease
from pgctl.units import Instant

NOTHING = Lease()


class LeaseCell:
    """Reading never locks. The lock is held for a comparison and an assignment, never longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lease = NOTHING
        self._session = Instant(0)
        self._token = 0

    def read(self) -> Lease:
        return self._lease

    @property
    def session(self) -> Instant:
        """Until when the store keeps my keys, by what it last promised; 0 when it promised nothing."""
        return self._session

    def token(self) -> int:
        """To be taken before a renewal is sent."""
        return self._token

    def granted(self, deadline: Instant) -> None:
        """A key was written on the lease. Where there was one before, the heartbeat knows its end better."""
        with self._lock:
            self._session = self._session or deadline

    def hold(self, deadline: Instant, margin: float | None = None) -> Lease:
        """The leader key is mine. `margin` belongs to the TTL that was granted."""
        with self._lock:
            self._token += 1
            self._session = deadline
            self._lease = Lease(True, deadline, margin)
            return self._lease

    def limit(self, deadline: Instant, margin: float | None = None) -> Lease | None:
        """A renewal is about to be sent that promises no more than this; the lead, if that is less than it had.

        The store may apply it and the answer be lost, so a lowered TTL is believed before it is asked for.
        """
        with self._lock:
            if not self._lease.held or deadline >= self._lease.deadline:
                return None
            self._session = min(self._session, deadline)
            self._lease = Lease(True, deadline, margin, self._lease.failsafe)
            return self._lease

    def extend(self, token: int, deadline: Instant, now: Instant, margin: float | None = None) -> Lease:
        """The store renewed the lease, as is known `now`. The lease as it is after that."""
        with self._lock:
            if token == self._token:
                self._session = deadline
                if self._lease.held and not self._lease.failsafe:
                    lapsed = now >= self._lease.deadline
                    self._lease = NOTHING if lapsed else Lease(True, deadline, margin)
                    self._token += lapsed
            return self._lease

    def lose(self, token: int) -> bool:
        """The store no longer knows the lease. False: the cycle was faster, and took or gave up the lead meanwhile."""
        with self._lock:
            if token != self._token:
                return False
            self._token += 1
            self._session = Instant(0)
            if not self._lease.failsafe:
                self._lease = NOTHING
            return True

    def prolong(self, deadline: Instant, now: Instant, margin: float) -> Lease | None:
        """Every member has promised not to lead before `deadline`. None: too late, the fence has begun to act."""
        with self._lock:
            last = self._lease
            if last.left(now) < (margin if last.margin is None else last.margin):
                return None
            self._token += 1
            self._lease = Lease(True, max(deadline, last.deadline), margin, failsafe=True)
            return self._lease

    def give_up(self) -> None:
        """The leader key is no longer mine; my other keys still hang on the lease."""
        with self._lock:
            self._token += 1
            self._lease = NOTHING
