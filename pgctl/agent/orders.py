"""Orders to this member become writes, intents, or an order for the next cycle; each is answered once its result shows.

The loop's thread alone comes here: it takes orders out of the inbox between two cycles. What the board could refuse has
been refused; what needs a fresh reading of the store is judged here once more. An answer that has to wait is a question
to later views (`Pending`); the asker's own deadline ends it. Source: rest.md 9 to 13.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pgctl.agent import outcomes, restarts
from pgctl.agent.core.effects import CloseIntent
from pgctl.agent.core.view import ConfigOrder, Decision, JobState, ReinitOrder, RestartOrder, View
from pgctl.agent.core.view import Order as CoreOrder
from pgctl.agent.inbox import JSON, Order, Reply
from pgctl.clock import Clock
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import ConfigError, OutcomeUnknown, PgctlError, StoreUnreachable
from pgctl.model import document, merge
from pgctl.model.cluster import Cluster
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import ScheduledRestart
from pgctl.model.objections import objections
from pgctl.rest import schema
from pgctl.rest.client import Client
from pgctl.rest.schema import PeerStatus
from pgctl.units import Instant, Seconds

log = logging.getLogger(__name__)

Question = Callable[[View], Reply | None]

_LEAST = 0.5
"""Seconds that a call gets even when the order's time is used up."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An order whose answer later views will give; `members`: changes of members' keys may bring it."""

    order: Order
    question: Question
    members: bool = False


class Orders:
    """One for the agent. `take` before a cycle, `settle` after it."""

    def __init__(self, store: ClusterStore, client: Client, clock: Clock, name: str, reload: Callable[[], None]) -> None:
        self._store = store
        self._client = client
        self._clock = clock
        self._name = name
        self._reload = reload
        self._until = Instant(0)
        self._closed = ""
        self._pending: list[Pending] = []
        self._next_id = 1
        self._asked: CoreOrder | None = None
        self._asked_until = Instant(0)
        self.scheduled: ScheduledRestart | None = None
        self._scheduled_by = ""
        self._taken_up = False
        self.config_order: ConfigOrder | None = None
        """The settings last stored by order."""

    @property
    def asked(self) -> CoreOrder | None:
        """The restart or reinitialize that the next cycle is told of."""
        return self._asked

    @property
    def waiting_for_members(self) -> bool:
        return any(pending.members for pending in self._pending)

    def wake_in(self) -> float | None:
        """Seconds until the scheduled restart is due; None without one."""
        return None if self.scheduled is None else max(0.05, restarts.instant(self.scheduled) - self._clock.wall())

    def take(self, order: Order, view: View) -> None:
        """Carries an order out as far as is possible at once, and answers it now or later. Never raises."""
        log.info("%s %s was ordered", order.method, order.path)
        try:
            answer = self._take(order, view)
        except StoreUnreachable as error:
            answer = Reply(503, f"the store cannot be reached: {error}")
        except OutcomeUnknown as error:
            answer = Reply(503, f"the store did not answer, the outcome is not known: {error}")
        except ConfigError as error:
            answer = Reply(400, str(error))
        except PgctlError as error:
            answer = Reply(503, str(error))
        if answer is not None:
            order.reply(answer)

    def _take(self, order: Order, view: View) -> Reply | None:
        self._until = Instant(self._clock.now() + view.settings.ttl / 3)
        body = order.body or {}
        match order.method, order.path:
            case ("PATCH" | "PUT"), schema.CONFIG:
                return self._config(order, body)
            case "POST", (schema.SWITCHOVER | schema.FAILOVER):
                return self._leave(order, body, view)
            case "DELETE", schema.SWITCHOVER:
                return self._unschedule_switchover()
            case "POST", schema.RESTART:
                return self._restart(order, body, view)
            case "DELETE", schema.RESTART:
                return self._unschedule_restart()
            case "POST", schema.REINITIALIZE:
                return self._reinitialize(order, body, view)
            case "POST", schema.RELOAD:
                self._reload()
                return Reply(202, "reload scheduled")
        return Reply(501, "Server does not support this operation")

    def _budget(self, most: float = 10.0) -> Seconds:
        """An order may keep the loop from its cycles for a third of the TTL."""
        left = self._until - self._clock.now()
        return Seconds(max(_LEAST, min(most, left)))

    # --- the settings -----------------------------------------------------------------------------------------------------

    def _config(self, order: Order, body: Mapping[str, object]) -> Reply:
        cluster = self._store.read(budget=self._budget())
        if order.method == "PUT":
            wanted: Mapping[str, object] = body
            changed, expected = cluster.config is None or not merge.same(cluster.config, body), None
        elif cluster.config is None:
            return Reply(503, "the cluster has no usable configuration to change")
        else:
            wanted, changed = merge.merge_patch(cluster.config, body)
            expected = cluster.revision("config")
        if changed:
            outcome = self._store.write_config(wanted, expect=expected, budget=self._budget())
            if isinstance(outcome, Rejected):
                return Reply(409, f"the configuration was changed by somebody else: {outcome.reason}")
            self.config_order = ConfigOrder(wanted, order.by)
        return Reply(200, document.dump(dict(wanted)), JSON)

    # --- switchover and failover ------------------------------------------------------------------------------------------

    def _leave(self, order: Order, body: Mapping[str, object], view: View) -> Reply | None:
        cluster = self._store.read(budget=self._budget())
        at, fault = document.moment(body.get("scheduled_at"))
        intent = Intent(document.name(body.get("leader")), document.name(body.get("candidate")), at, fault,
                        order.by)
        refusal = self._objection(cluster, intent, order.path == schema.FAILOVER, view)
        if refusal is not None:
            return refusal
        written = self._store.write_intent(intent, expect=cluster.revision("failover"), budget=self._budget())
        if not isinstance(written, Applied):
            return Reply(503, "failed to write failover key into DCS")
        if at is not None:
            return Reply(202, "Switchover scheduled")
        former, self._closed = cluster.leader_name, ""
        self._pending.append(Pending(order, lambda view: outcomes.result(view, self._closed, intent, former), members=True))
        return None

    def _objection(self, cluster: Cluster, intent: Intent, failover: bool, view: View) -> Reply | None:
        now = datetime.fromtimestamp(self._clock.wall(), UTC)
        asked = None
        if intent.scheduled_at is None:
            others = [(each.name, each.api_url) for each in cluster.members if each.api_url and each.name != self._name]
            if intent.candidate:
                others = [(name, url) for name, url in others if name == intent.candidate]
            asked = {peer.name: peer for peer in self._client.status(others, budget=self._budget(2.0))}
            asked[self._name] = _myself(view)
        found = objections(cluster, intent, now=now, asked=asked, failover=failover)
        if not found:
            return None
        log.info("refused: %s", "; ".join(f"{each.text} {each.hint}".strip() for each in found))
        return Reply(found[0].status, found[0].text)

    def _unschedule_switchover(self) -> Reply:
        cluster = self._store.read(budget=self._budget())
        if cluster.intent is None or not (cluster.intent.scheduled_at or cluster.intent.schedule_fault):
            return Reply(404, "no switchover is scheduled")
        written = self._store.write_intent(None, expect=cluster.revision("failover"), budget=self._budget())
        if isinstance(written, Rejected):
            return Reply(409, f"the switchover was changed by somebody else: {written.reason}")
        return Reply(200, "scheduled switchover deleted")

    # --- restart and reinitialize -----------------------------------------------------------------------------------------

    def _restart(self, order: Order, body: Mapping[str, object], view: View) -> Reply | None:
        wanted = restarts.from_body(body, view)
        if wanted.schedule:
            if self.scheduled is not None:
                return Reply(409, "Another restart is already scheduled")
            self.scheduled, self._scheduled_by = wanted, order.by
            return Reply(202, "Restart scheduled")
        if busy := self._busy(view):
            return Reply(503, busy)
        if why := restarts.unmet(wanted, view):
            log.info("not restarted: %s", why)
            return Reply(503, "restart conditions are not satisfied")
        number = self._ask(RestartOrder(self._next_id, wanted.timeout, order.by), order.deadline)
        self._pending.append(Pending(order, lambda view: outcomes.restarted(view.job, number) or self._given_up(number)))
        return None

    def _unschedule_restart(self) -> Reply:
        if self.scheduled is None:
            return Reply(404, "no restarts are scheduled")
        self.scheduled = None
        return Reply(200, "scheduled restart deleted")

    def _reinitialize(self, order: Order, body: Mapping[str, object], view: View) -> Reply | None:
        force = bool(body.get("force"))
        if not force and (busy := self._busy(view)):
            return Reply(503, busy)
        number = self._ask(ReinitOrder(self._next_id, force, bool(body.get("from_leader")), order.by), order.deadline)
        since = self._clock.now()
        self._pending.append(Pending(order, lambda view: outcomes.rebuilding(view.job, since) or self._given_up(number)))
        return None

    def _busy(self, view: View) -> str:
        if view.job is not None and not view.job.ended:
            return f"{view.job.job.name} already in progress"
        return "another order already in progress" if self._asked is not None else ""

    def _ask(self, order: CoreOrder, until: Instant) -> int:
        self._next_id += 1
        self._asked, self._asked_until = order, until
        return order.id

    def _given_up(self, number: int) -> Reply | None:
        """An order that no cycle could take up before its time was over."""
        waits = self._asked is not None and self._asked.id == number
        return Reply(503, "the member is in no state to do this now") if waits and self._late() else None

    def _late(self) -> bool:
        return self._clock.now() > self._asked_until - 0.5

    # --- after a cycle ----------------------------------------------------------------------------------------------------

    def begin_scheduled(self, view: View) -> None:
        """Before a cycle: a scheduled restart that is due becomes an order, one that is void is dropped."""
        self._take_up(view)
        if self.scheduled is None or self._asked is not None:
            return
        verdict = restarts.judge(self.scheduled, view, self._clock.wall())
        if verdict.drop:
            log.warning("the scheduled restart is dropped: %s", verdict.drop)
            self.scheduled = None
        elif verdict.begin:
            until = Instant(self._clock.now() + restarts.STALE * view.settings.loop_wait)
            self._ask(RestartOrder(self._next_id, self.scheduled.timeout, self._scheduled_by), until)
            self.scheduled = None

    def _take_up(self, view: View) -> None:
        """A fresh agent goes on from what its own key said before it: a schedule outlives an agent (ha.md WK53)."""
        if self._taken_up or view.cluster is None:
            return
        own, self._taken_up = view.cluster.member(self._name), True
        if own is None or own.scheduled_restart is None or self.scheduled is not None:
            return
        self.scheduled = own.scheduled_restart
        log.info("the restart that was scheduled before this agent began is taken up: %s", self.scheduled.schedule)

    def settle(self, view: View, decision: Decision, job: JobState | None) -> None:
        """After a cycle: answers what can be answered now. `job` is the deed as it is after the cycle."""
        self._closed = next((each.reason for each in decision.effects if isinstance(each, CloseIntent)), self._closed)
        kept = []
        for pending in self._pending:
            answer = pending.question(view)
            if answer is not None:
                pending.order.reply(answer)
            elif self._clock.now() < pending.order.deadline:
                kept.append(pending)
        self._pending = kept
        if self._asked is not None and (outcomes.taken_up(self._asked, job) or self._late()):
            self._asked = None


def _myself(view: View) -> PeerStatus:
    """What I would answer myself: without a leader an order goes to its candidate, who must not miss its own answer."""
    server = view.server
    problem = "" if server.lsn is not None else "its server does not answer"
    return PeerStatus(view.me, not problem, lsn=server.lsn or Lsn(0), timeline=server.timeline, tags=view.host.tags,
                      watchdog_failed=bool(view.host.watchdog_fault), live=False, problem=problem)
