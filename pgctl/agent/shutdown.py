"""An agent's orderly end: stop the server, say how far its log goes, hand the lead back, say that it is stopped.

Law. The leader key is given up only after the server is proven stopped; then the fence has nothing left to guard. Where
the stop cannot be proven, key and fence stay as they are, and the fence does the rest. A paused cluster's server is left
alone, and so are the key and the server of an agent that was told to leave. Source: ha.md 2.15.
"""

import logging
from dataclasses import replace

from pgctl.agent import goodbye, lead
from pgctl.agent.bell import Bell
from pgctl.agent.core import report
from pgctl.agent.core.job import Stop
from pgctl.agent.driver import Driver
from pgctl.agent.hands import Hands
from pgctl.agent.heartbeat import Heartbeat, Pace
from pgctl.dcs.store import Rejected
from pgctl.errors import PgctlError
from pgctl.model.cluster import Cluster, Status
from pgctl.model.conf import StopMode
from pgctl.model.server import ServerState
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

_JOB_WITHIN = 30.0
_STOP_WITHIN = 60.0
_BUDGET = Seconds(3.0)


def shut_down(hands: Hands, driver: Driver, heartbeat: Heartbeat, bell: Bell) -> None:
    """The whole end, each step told. Never raises a foreseen error: an agent that was told to end ends.

    `bell` is rung by the watcher, which still works: a change of the store ends a wait for one.
    """
    if driver.settings.pause:
        log.info("paused: the server and the leader key are left as they are")
        lead.disarm(hands)
        return
    _end_job(hands, driver, heartbeat)
    goodbye.leave_duty(hands, driver, lambda seconds: _listen(hands, driver, heartbeat, bell, seconds))
    stopped = _stop_server(hands, driver, heartbeat)
    if stopped is None:
        log.error("the server could not be stopped: the leader key is left to expire, and the fence stays")
        return
    hands.watchdog.close()
    try:
        _hand_back(hands, stopped)
        hands.fence.disarm()
        _publish(hands, driver, stopped)
    except PgctlError as error:
        log.warning("the store was not told of the end: %s", error)


def _end_job(hands: Hands, driver: Driver, heartbeat: Heartbeat) -> None:
    hands.jobs.cancel("the agent ends")
    _wait(hands, driver, heartbeat, _JOB_WITHIN)


def _stop_server(hands: Hands, driver: Driver, heartbeat: Heartbeat) -> ServerState | None:
    """What the server is after the stop; None when it still runs. The lease is kept meanwhile."""
    patience = driver.settings.stop_limit or _STOP_WITHIN
    if hands.server.probe(_BUDGET).running:
        hands.jobs.forget(hands.jobs.look())
        hands.jobs.start(Stop(rule="shutdown", mode=StopMode.FAST, checkpoint=True, timeout=patience))
        _wait(hands, driver, heartbeat, patience + 20.0)
    found = hands.server.probe(_BUDGET)
    return None if found.running else found


def _listen(hands: Hands, driver: Driver, heartbeat: Heartbeat, bell: Bell, seconds: float) -> None:
    now = hands.clock.now()
    heartbeat.note(Pace(driver.settings, now, now))
    bell.wait(seconds)
    bell.clear()


def _wait(hands: Hands, driver: Driver, heartbeat: Heartbeat, longest: float) -> None:
    """For the deed's end, with the heartbeat told that this agent is at work."""
    until = Instant(hands.clock.now() + longest)
    while (now := hands.clock.now()) < until:
        heartbeat.note(Pace(driver.settings, now, now))
        if hands.jobs.wait(Seconds(0.5)):
            return


def _hand_back(hands: Hands, stopped: ServerState) -> None:
    """Status and key, if the lead was mine and the log's end is known."""
    if not hands.lease.read().held:
        return
    cluster = hands.store.read(budget=_BUDGET)
    if cluster.leader is None or cluster.leader.name != hands.name:
        return
    if stopped.control is None or not stopped.control.cleanly_stopped:
        log.warning("the server did not stop cleanly: the leader key is left to expire")
        return
    hands.store.write_status(_final(cluster, stopped), budget=_BUDGET)
    hands.lease.give_up()
    outcome = hands.store.release_leader(cluster.leader.revision, budget=_BUDGET)
    log.info("the lead is given up" if not isinstance(outcome, Rejected) else f"the lead was gone: {outcome.reason}")


def _final(cluster: Cluster, stopped: ServerState) -> Status:
    optime = stopped.control.checkpoint_lsn if stopped.control else cluster.status.optime
    return replace(cluster.status, optime=optime)


def _publish(hands: Hands, driver: Driver, stopped: ServerState) -> None:
    view = replace(hands.board.read().view, server=stopped, job=None)
    hands.store.write_member(report.member(view), ttl=Seconds(driver.settings.ttl), budget=_BUDGET)
