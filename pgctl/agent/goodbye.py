"""Before a synchronous standby's agent stops its server for good: ask to be released, and wait until `/sync` says so.

The leader is woken by the member key and answers at once; one that does not is waited for two loops at most, and then the
server is stopped all the same, as it must be when the store is away. Source: ha.md N50, X5.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from pgctl.agent.core import duty, report
from pgctl.agent.driver import Driver
from pgctl.agent.hands import Hands
from pgctl.errors import PgctlError
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

_BUDGET = Seconds(2.0)
_LOOK = 0.5
"""Seconds between two readings of the store, should no change of `/sync` be heard of."""


def leave_duty(hands: Hands, driver: Driver, pause: Callable[[float], None]) -> None:
    """Returns once nobody's commits wait for this server, or it was waited for long enough. Raises nothing foreseen.

    `pause` waits so many seconds, less when a key of the store changes, and tells the heartbeat that this agent works.
    """
    settings, begun = driver.settings, hands.clock.now()
    until = Instant(begun + duty.patience(settings))
    asked = False
    try:
        while hands.clock.now() < until:
            cluster = hands.store.read(budget=_BUDGET)
            if not duty.on_duty(cluster, settings, hands.name):
                if asked:
                    log.info("released from synchronous duty  took=%.2fs", hands.clock.now() - begun)
                return
            if not asked:
                view = replace(hands.board.read().view, cluster=cluster)
                hands.store.write_member(duty.asks(report.member(view)), ttl=Seconds(settings.ttl), budget=_BUDGET)
                asked = True
            pause(_LOOK)
        log.warning("the leader did not release this synchronous standby: its commits may wait for a moment")
    except PgctlError as error:
        log.warning("not released from synchronous duty: %s", error)
