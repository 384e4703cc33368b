"""Takes, prolongs and gives up the lead: the lease cell, the promise and the guards move together here, and nowhere else.

Law. Taking the lead arms the fence before anything else is done, for a server that takes writes even before the key is
asked for, and is refused without a live fence, or while this member is bound by a promise. A lead whose giving up was
not answered counts as given up: others may have it by now.
"""

import logging

from pgctl.agent import store_effects
from pgctl.agent.core.effects import (
    APPLIED,
    Answer,
    AskMembers,
    HoldLease,
    Outcome,
    Prolong,
    ReclaimLease,
    ReleaseLease,
    Round,
)
from pgctl.agent.core.view import Lease
from pgctl.agent.hands import Hands
from pgctl.dcs.store import Applied
from pgctl.model import document, failsafe
from pgctl.model import settings as settings_table
from pgctl.model.cluster import Leader
from pgctl.model.settings import Settings
from pgctl.rest import schema
from pgctl.rest.client import Call
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)


def margin(lease: Lease, settings: Settings) -> Seconds:
    """By the TTL that was granted; the settings may have changed since."""
    return Seconds(settings.margin if lease.margin is None else lease.margin)


def may_write(hands: Hands, settings: Settings) -> bool:
    """Whether a server may be made writable now. Any thread may ask. In pause no watchdog guards anybody."""
    lease = hands.lease.read()
    guarded = hands.fence.alive() and (settings.pause or not hands.watchdog.missing)
    return lease.left(hands.clock.now()) >= margin(lease, settings) and guarded


def take(hands: Hands, request: HoldLease | ReclaimLease, settings: Settings, budget: Seconds) -> Answer:
    """Asks for the leader key, unless bound by a promise."""
    if not hands.fence.alive():
        return Answer(Outcome.REJECTED, "the fence process is not alive")
    unwatched = hands.watchdog.fault(settings.ttl) if request.arm else ""
    if unwatched:
        return Answer(Outcome.REJECTED, f"the watchdog that is required cannot be used: {unwatched}")
    bound = hands.promise.attempt(hands.clock.now())
    if bound:
        return Answer(Outcome.REJECTED, bound)
    armed = hands.fence.armed or not (request.arm and request.writable)
    if not armed:
        hands.fence.arm(Instant(hands.clock.now() + settings.ttl), Seconds(settings.margin))
    try:
        answer = _ask_for_key(hands, request, settings, budget)
    finally:
        hands.promise.attempted()
    if not armed and answer.outcome is Outcome.REJECTED:  # there is no lease to guard, and certainly none on its way
        hands.fence.disarm()
    return answer


def _ask_for_key(hands: Hands, request: HoldLease | ReclaimLease, settings: Settings, budget: Seconds) -> Answer:
    store, name, ttl = hands.store, hands.name, Seconds(settings.ttl)
    taken: list[Applied] = []
    if isinstance(request, HoldLease):
        guard = request.guard
        answer = store_effects.written(lambda: store.hold_leader(name, ttl=ttl, guard=guard, budget=budget), taken)
    else:
        revision = request.revision
        answer = store_effects.written(lambda: store.reclaim_leader(name, revision, ttl=ttl, budget=budget), taken)
    if not taken:
        return answer
    deadline = taken[0].deadline or hands.lease.session
    hands.lease.hold(deadline, settings.margin)
    if request.arm:
        arm(hands, settings)
    hands.board.lease(hands.lease.read())
    return answer


def release(hands: Hands, request: ReleaseLease, budget: Seconds) -> Answer:
    answer = store_effects.written(lambda: hands.store.release_leader(request.revision, budget=budget))
    if answer.outcome is not Outcome.REJECTED:
        drop(hands)
    return answer


def drop(hands: Hands) -> None:
    hands.lease.give_up()
    hands.board.lease(hands.lease.read())


def compare(hands: Hands, leader: Leader | None) -> None:
    """After a reading: a lead whose key is gone is over; one that rests on promises, only when somebody else leads."""
    lease = hands.lease.read()
    promised = lease.failsafe and (leader is None or leader.name == hands.name)
    if lease.held and not promised and not (leader and leader.mine):
        log.warning("the leader key no longer hangs on this agent's lease")
        drop(hands)


def move_fence(hands: Hands, settings: Settings, *, armed: bool) -> Answer:
    lease = hands.lease.read()
    if not armed:
        disarm(hands)
    elif lease.left(hands.clock.now()) <= 0:
        return Answer(Outcome.REJECTED, "there is no lease to guard")
    else:
        arm(hands, settings)
    return APPLIED


def arm(hands: Hands, settings: Settings) -> None:
    """All guards of a lead that is held: the kernel's first, since with it the lead is believed to end earlier."""
    hands.watchdog.arm(settings.ttl)
    believed = hands.watchdog.keep(hands.lease.read().deadline, settings.ttl)
    hands.lease.limit(believed, settings_table.margin(hands.watchdog.within(settings.ttl)))
    lease = hands.lease.read()
    hands.fence.arm(lease.deadline, margin(lease, settings))


def disarm(hands: Hands) -> None:
    """Nothing of ours can write, or the operator wants it so."""
    hands.fence.disarm()
    hands.watchdog.close()


def see_to_watchdog(hands: Hands, settings: Settings) -> str:
    """Before a cycle: a leader whose device was lost, or allowed again, opens it. Why a required one cannot be used."""
    if not hands.fence.armed or not hands.lease.read().held:
        return hands.watchdog.fault(settings.ttl)
    if not hands.watchdog.open:
        arm(hands, settings)
        return (hands.watchdog.fault(settings.ttl) or "it is not open") if hands.watchdog.missing else ""
    return ""


# --- without the store ------------------------------------------------------------------------------------------------


def ask_members(hands: Hands, request: AskMembers, budget: Seconds) -> Round:
    """All at once. Only the answer's very words count as consent. Source: rest.md 14."""
    sent, body = hands.clock.now(), failsafe.write(request.ping)
    found = hands.client.call_all([Call(name, url, "POST", schema.FAILSAFE, body) for name, url in request.members],
                                  budget=budget)  # fmt: skip
    accepted, refused = [], []
    for answer in found:
        name, reply = answer.call.name, answer.response
        if reply is not None and reply.status == 200 and reply.text == schema.ACCEPTED:
            accepted.append((name, document.position(reply.headers.get(schema.POSITION))))
        else:
            refused.append((name, answer.problem if reply is None else reply.text[:100].strip() or f"status {reply.status}"))
    return Round(sent, tuple(accepted), tuple(refused))


def prolong(hands: Hands, request: Prolong, settings: Settings) -> Answer:
    before, within = hands.lease.read(), hands.watchdog.within(settings.ttl)
    margin = settings_table.margin(within)
    deadline = hands.watchdog.keep(request.deadline, settings.ttl)
    lease = hands.lease.prolong(deadline, hands.clock.now(), margin)
    if lease is None:
        return Answer(Outcome.REJECTED, "the members agreed too late: the lease is nearly out")
    if not before.failsafe:
        log.warning("the store cannot be reached: leading on, for every member has agreed")
    hands.fence.move(lease.deadline, Seconds(margin))
    hands.board.lease(lease)
    return APPLIED
