"""One function a write to the store, but for the lead: calls it, and answers applied, rejected or unknown.

Law. A write without an answer is `unknown`, whether or not it was sent: the next reading of the store tells. Nothing here
repeats a write.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pgctl.agent.core.effects import (
    Answer,
    CloseIntent,
    DeleteInitialize,
    Outcome,
    Publish,
    Request,
    WriteConfig,
    WriteFailsafe,
    WriteHistory,
    WriteInitialize,
    WriteStatus,
    WriteSync,
)
from pgctl.agent.core.own_keys import ClaimTimeline, WriteJournal
from pgctl.agent.hands import Hands
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model import history
from pgctl.model.timeline import TimelineHistory
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

JOURNAL_WITHIN = 1.0
"""Seconds that the event journal may cost a cycle."""


def perform(hands: Hands, request: Request[Any], ttl: Seconds, budget: Seconds) -> Answer:
    """The answer to a write; `ttl` is for keys that hang on the lease."""
    store = hands.store
    match request:
        case WriteStatus(status):
            return written(lambda: store.write_status(status, budget=budget))
        case WriteSync(sync, revision):
            return written(lambda: store.write_sync(sync, expect=revision, budget=budget))
        case WriteHistory():
            return _write_history(hands, request, budget)
        case ClaimTimeline(claim, revision):
            return written(lambda: store.write_claim(claim, expect=revision, budget=budget))
        case WriteJournal():
            return _write_journal(hands, request, budget)
        case WriteInitialize(value, revision):
            return written(lambda: store.write_initialize(value, expect=revision, budget=budget))
        case DeleteInitialize(revision):
            return written(lambda: store.delete_initialize(expect=revision, budget=budget))
        case WriteConfig(document, revision):
            return written(lambda: store.write_config(document, expect=revision, budget=budget))
        case WriteFailsafe(members, revision):
            return written(lambda: store.write_failsafe(members, expect=revision, budget=budget))
        case CloseIntent(_, revision, reason):
            if reason:
                log.warning("the switchover or failover is closed: %s", reason)
            return written(lambda: store.write_intent(None, expect=revision, budget=budget))
        case Publish():
            return _publish(hands, request, ttl, budget)
        case _:
            raise AssertionError(f"no driver function for {request}")


def _publish(hands: Hands, request: Publish, ttl: Seconds, budget: Seconds) -> Answer:
    taken: list[Applied] = []
    answer = written(lambda: hands.store.write_member(request.member, ttl=ttl, budget=budget), taken)
    for applied in taken:
        hands.lease.granted(applied.deadline or Instant(0))
    return answer


def _write_history(hands: Hands, request: WriteHistory, budget: Seconds) -> Answer:
    """From the server's own history file; one that is not there yet is left to the next cycle. Timeline 1 never has one."""
    own = hands.server.timeline_history(request.timeline) if request.timeline > 1 else TimelineHistory(1, ())
    if own is None:
        return Answer(reason="the server has no history file yet")
    stamp = datetime.fromtimestamp(hands.clock.wall(), UTC).isoformat()
    lines = history.brought_up(request.stored, own, hands.name, stamp, request.limit)
    return written(lambda: hands.store.write_history(lines, budget=budget))


def _write_journal(hands: Hands, request: WriteJournal, budget: Seconds) -> Answer:
    """Within a second, and whatever comes of it: the journal is never worth a cycle."""
    short = Seconds(min(budget, JOURNAL_WITHIN))
    answer = written(lambda: hands.store.write_journal(request.journal, expect=request.revision, budget=short))
    if answer.outcome is not Outcome.APPLIED:
        log.info("the event journal was not written, and will be: %s", answer.reason)
    return Answer(reason=answer.reason)


def written(write: Callable[[], Applied | Rejected], taken: list[Applied] | None = None) -> Answer:
    """A store's answer as the cycle understands it. What was applied is put into `taken`."""
    try:
        outcome = write()
    except (StoreUnreachable, OutcomeUnknown) as error:
        return Answer(Outcome.UNKNOWN, str(error))
    if isinstance(outcome, Rejected):
        return Answer(Outcome.REJECTED, outcome.reason)
    if taken is not None:
        taken.append(outcome)
    return Answer(revision=outcome.revision)
