"""The thread that watches the store and rings the bell for keys that matter to this member.

It decides nothing: a ring costs one cycle, and a key that is not rung for is seen by the next cycle anyway. Members
write their own key all the time, so those count only while somebody waits for them, or for a member not yet known. A
watch begins where the last cycle's reading ended, so nothing is missed in between. What this member writes into its own
key tells it nothing: a leader that waits for the others would ring for itself with every cycle.
"""

import logging
import threading
from dataclasses import dataclass

from pgctl.agent.bell import Bell
from pgctl.agent.core import intents
from pgctl.agent.core.job import Job
from pgctl.agent.core.view import Decision, View
from pgctl.agent.driver import writes
from pgctl.clock import Clock
from pgctl.dcs import keys
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds

log = logging.getLogger(__name__)

QUIET = frozenset({keys.STATUS, keys.OPTIME, keys.HISTORY, keys.FAILSAFE, keys.EVENTS, keys.PROMOTION})
"""Keys that only say what somebody did; nobody has to act on them."""

_WATCH = Seconds(30.0)
_TRIAL = Seconds(0.2)
"""A first watch after a failure is short: that it ends well says that the store is back."""
_PAUSES = (0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Interest:
    """What the last cycle waits for: it has seen all up to `since`, and the members `known`.

    `orders`: an order for another leader is due, and `/status` may say where the log of the one who leaves ends.

    `members`: any change of theirs matters, but not of `own`. `busy`: a deed is under way that no key has a say in; its end
    will ring.
    """

    since: Revision = Revision(0)
    known: frozenset[str] = frozenset()
    members: bool = False
    busy: bool = False
    own: str = ""
    orders: bool = False


def interest(view: View, decision: Decision, since: Revision, deed: Job | None, *, asked: bool = False) -> Interest:
    """What is waited for after a cycle, with the deed that runs now; `asked`: an order waits for members."""
    members = view.cluster.members if view.cluster else view.memory.known_members
    known = frozenset(member.name for member in members)
    busy = deed is not None and not writes(deed)
    intent = view.cluster.intent if view.cluster and view.cluster.leader_name != view.me else None
    orders = intent is not None and intents.wait_for(view, intent) <= view.settings.loop_wait
    return Interest(since, known, (decision.wake_on_members or asked) and not busy, busy, view.host.name, orders)


def matters(changed: frozenset[str], interest: Interest) -> bool:
    """Whether these keys call for a cycle; an empty set says that anything may have changed."""
    if interest.busy:
        return False
    if not changed:
        return True
    for key in changed:
        name = keys.member_name(key)
        if name is None and (key not in QUIET or (key == keys.STATUS and interest.orders)):
            return True
        if name is not None and name != interest.own and (interest.members or name not in interest.known):
            return True
    return False


class Watcher:
    """`note` is the loop's; the watch has a thread of its own."""

    def __init__(self, store: ClusterStore, bell: Bell, clock: Clock) -> None:
        self._store = store
        self._bell = bell
        self._clock = clock
        self._interest = Interest(members=True)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, longest: Seconds) -> None:
        """To be called after the store was closed, which ends the watch."""
        self._stopped.set()
        self._thread.join(longest)

    def note(self, interest: Interest) -> None:
        self._interest = interest

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                self._store.watch(self._interest.since, self._changed, budget=_TRIAL if failures else _WATCH)
                if failures:
                    log.info("the store can be watched again")
                    self._bell.ring()
                failures = 0
            except StoreUnreachable as error:
                if self._stopped.is_set():
                    return
                log.log(logging.DEBUG if failures else logging.WARNING, "the store cannot be watched: %s", error)
                self._stopped.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            except Exception:
                log.exception("a bug ended the watch; it begins anew")
                self._stopped.wait(_PAUSES[-1])

    def _changed(self, changed: frozenset[str]) -> None:
        if matters(changed, self._interest):
            self._bell.ring()
