"""Leading on without the store: whom to ask, when, and what their answers allow. Pure.

LAW. While a leader believes in a lead that rests on promises, nobody else creates the leader key.

Theory. The store's lease is a promise of one party: it gives the key to nobody else before the lease ends. When the store
cannot be reached, the same promise is asked of every party that could take the key: the members that `/failsafe` names.

* Who may take the key. With `failsafe_mode` on, a member that a non-empty `/failsafe` does not name does not stand (ha.md
  E12), and the key is taken on the revision of `/failsafe` and `/config` that this was judged by. So at any instant the
  members that may take the key are those that `/failsafe` names at that instant. But for one case (`shut_out`): nobody has
  led for a ttl, and all whom it names answer, none of them a primary and none bound. The holder of a lead that rests on
  promises is named itself and would say so; without the store nobody can become one.
* Who is asked. The holder of the lead alone writes `/failsafe`, each time on the revision that it has read, and once in
  each lead in any case, which voids what a former leader may still have on its way. `Memory` holds the value that is in
  the store after that, and every value written since whose answer is not known, until the key has moved past it: all of
  them are asked. Before the first write is known to be in place nobody is asked, and the lead ends with its lease.
* What is promised. A member that accepts at t does not create or take over the leader key before t + ttl; the ttl is the
  longer of its own and the leader's (which the leader sends along). A promise and an attempt at the key exclude each other
  in one cell (`agent.promise`): none is made while an attempt is under way or the lead is held, and no attempt is made
  while it stands. An attempt whose answer was lost may put the key in place later, but the member does not act on it:
  taking it over is an attempt too. The promise outlives the agent (a file in the run directory); after a boot, when the
  file proves nothing, the member does not stand for a ttl.
* What is believed. If all accept in one round, each did at some t >= sent, so nobody takes the key before sent + ttl, and
  that is the new deadline. One refusal, one silence, one reply that comes too late: the deadline stays. Replies that are
  lost cost a member up to a ttl of waiting, and nothing else.
* When the store comes back, the key may have expired there. The promises still stand, so the leader alone may create it
  again (or put it on its present lease), and from that answer on its deadline is the store's. A renewal in between says
  nothing: what it renews may be a new lease, which carries the member key alone.
* Clocks: only their rates must agree, as for every lease; the fence's margin pays for the difference.

What it costs: one member that is silent ends the lead (ha.md WK39), for it may be the one that could take the key. A promise
binds for at most a ttl after the last question, which is no longer than the key of a leader that is gone would have lasted
(WK40); who is bound is no candidate for a planned switchover, so that no leader stops for one who has to wait.

The members are asked only once renewals have failed for a third of the ttl: a store that stumbles for a second binds nobody.
Source: ha.md 2.13 (K1 to K11), INV6, INV7, E12, E14; dcs.md 3.10; rest.md 14.
"""

from collections.abc import Mapping

from pgctl.agent.core import remote, slots
from pgctl.agent.core.effects import AskMembers, Prolong
from pgctl.agent.core.view import View
from pgctl.model.failsafe import Ping
from pgctl.units import Instant

DUE = 2 / 3
"""Of the ttl: with less than this left of the lease the members are asked."""


def topology(view: View) -> dict[str, str]:
    """`/failsafe` as the leader should write it: every member that can be asked, and the leader itself."""
    members = view.cluster.members if view.cluster else ()
    named: dict[str, str] = {member.name: member.api_url for member in members if member.api_url}
    return {**named, view.me: view.host.api_url}


def due(view: View) -> bool:
    """I lead, the store cannot be read, and the lease runs out."""
    left = view.lease.left(view.now)
    return view.cluster is None and not view.settings.pause and 0 < left < DUE * view.settings.ttl


def usable(view: View) -> bool:
    """The mode is on, and I am among those that I wrote into `/failsafe` (K1). A standby leader needs no promise (Y9)."""
    if remote.section(view) is not None:
        return False
    return view.settings.failsafe_mode and view.memory.failsafe is not None and view.me in _asked(view)


def _asked(view: View) -> dict[str, str]:
    return {**(view.memory.failsafe or {}), **view.memory.failsafe_tried}


def question(view: View) -> AskMembers | None:
    """Whom to ask now; nobody when it is too early, or the mode cannot be used."""
    if not due(view) or not usable(view):
        return None
    others = tuple((name, url) for name, url in sorted(_asked(view).items()) if name != view.me)
    host = view.host
    return AskMembers(others, Ping(host.name, host.conn_url, host.api_url, slots.positions(view), view.settings.ttl))


def prolong(view: View) -> tuple[Prolong, ...]:
    """What a round that all accepted allows: to lead until a ttl after it was sent."""
    return (Prolong(Instant(view.round.sent + view.settings.ttl)),) if view.round is not None else ()


def electors(view: View) -> Mapping[str, str]:
    """Those that `/failsafe` names, as far as it counts: they have to be heard in a race, too (E14)."""
    cluster = view.cluster
    return (cluster.failsafe or {}) if cluster is not None and cluster.settings.failsafe_mode else {}


def left_out(view: View, name: str) -> bool:
    """`/failsafe` names others: a leader without the store would not ask this member, so it must not stand (E12)."""
    named = electors(view)
    return bool(named) and name not in named


def shut_out(view: View) -> bool:
    """Left out, and somebody may lead without the store, for all that I know.

    Nobody does when each of those that `/failsafe` names answers and says so, the holder of the lead among them. After a ttl
    without a leader that is enough: else a member that came back when the leader had gone could never stand.
    """
    since = view.memory.leaderless_since
    waited = since is not None and view.now - since > view.settings.ttl
    harmless = {peer.name for peer in view.peers or () if peer.state and not peer.primary and not peer.failsafe}
    return left_out(view, view.me) and not (waited and electors(view).keys() <= harmless)


def promised(view: View) -> float:
    """Seconds for which this member has still promised not to stand."""
    return max(0.0, view.promise.end(view.settings) - view.now) if view.promise is not None else 0.0
