"""What a simulated agent does for each request of a cycle: to the store, to its server, to its guards.

Follows `pgctl.agent.driver` and `store_effects`, with answers that come later or never; where they differ, those are right.
"""

from collections.abc import Callable
from typing import Any

from pgctl.agent import lead
from pgctl.agent.core import effects as e
from pgctl.agent.core import own_keys
from pgctl.agent.core.view import ShowView
from pgctl.agent.driver import writes
from pgctl.dcs.store import Applied, Rejected
from pgctl.model import history
from pgctl.model.cluster import Cluster
from pgctl.model.server import Phase, ServerState
from pgctl.units import Instant, Seconds
from tests.sim import failsafe_model, stored
from tests.sim.observe import Observer
from tests.sim.postgres_model import Server, records
from tests.sim.record import Attempted, GivenUp, Handed, SetFree
from tests.sim.record_agents import SlotChanged

LEAST = 0.5
RELOAD = 0.2
"""Seconds within which a server has read its configuration after it was told to."""
NOTHING = Seconds(0)
Reply = Callable[[Any], None]
Verb = Callable[[], Any]


class DriverModel:
    """The hands of one life of an agent."""

    def __init__(self, agent: Any) -> None:
        self._agent, self._node, self._world = agent, agent.node, agent.node.world
        self._until = 0.0
        self.quitting = ""
        self.observer = Observer(agent)

    def begin(self) -> None:
        agent = self._agent
        lease, until = agent.cell.read(), agent.now + agent.settings.ttl / 3
        self._until = min(until, lease.deadline - 2 * agent.margin(lease)) if lease.held else until

    def _budget(self, most: float | None = None) -> float:
        return float(min(max(LEAST, self._until - self._agent.now), most or self._agent.settings.retry_timeout))

    def perform(self, request: e.Request[Any], reply: Reply) -> None:
        def answered(answer: Any) -> None:
            self.observer.answered(request, answer)
            reply(answer)

        self.observer.asked(request)
        self._perform(request, answered)

    def _perform(self, request: e.Request[Any], reply: Reply) -> None:
        agent, world = self._agent, self._world
        pause = world.random.uniform(0.0005, 0.01)
        match request:
            case e.ReadCluster():
                self._read(reply)
            case e.ReadServer():
                agent.later(pause, lambda: reply(self._look()))
            case ShowView(view):
                agent.shown = view
                reply(None)
            case e.AskPeers():
                self._ask_peers(request, reply)
            case e.AskMembers():
                failsafe_model.ask(agent, request, self._budget(self._answer_within()), reply)
            case e.Prolong():
                reply(failsafe_model.prolong(agent, request))
            case e.ReadUpstreamHistory(upstream):
                agent.later(pause, lambda: reply(self._history(upstream.name)))
            case e.HoldLease() | e.ReclaimLease() | e.ReleaseLease():
                self._lead(request, reply)
            case e.WriteConf() | e.StirStandbys() | e.SetSlots() | e.RunCallback():
                agent.later(pause, lambda: reply(self._change_server(request)))
            case e.KeepLogical(plan):
                agent.keeper.want(plan, records)
                reply(e.APPLIED)
            case e.StartJob() | e.CancelJob() | e.MoveFence() | e.Quit():
                reply(self._order(request))
            case _:
                self._write(request, reply)

    def _answer_within(self) -> float:
        return 1.0 if self._agent.settings.ttl <= 10 else 2.0

    def _look(self) -> ServerState:
        server: Server = self._node.server
        return server.look(self._world.replication.senders(server))

    # --- the store --------------------------------------------------------------------------------------------------

    def _read(self, reply: Reply) -> None:
        agent, settings = self._agent, self._agent.settings
        asks = settings.failsafe_mode and agent.cell.read().held
        budget = self._budget(min(settings.retry_timeout, settings.ttl / 6) if asks else None)

        def answered(found: Cluster | None) -> None:
            if found is None:
                reply(e.Unreadable("no answer"))
                return
            agent.settings = found.settings
            lease, leader = agent.cell.read(), found.leader
            promised = lease.failsafe and (leader is None or leader.name == self._node.name)
            if lease.held and not promised and not (leader and leader.mine):
                agent.cell.give_up()
            reply(found)

        agent.post.send(lambda: agent.store.read(budget=NOTHING), answered, budget)

    def _send(self, verb: Verb, reply: Reply, taken: Callable[[Applied], None] = lambda applied: None) -> None:
        def answered(found: Applied | Rejected | None) -> None:
            if found is None:
                reply(e.Answer(e.Outcome.UNKNOWN, "no answer"))
            elif isinstance(found, Rejected):
                reply(e.Answer(e.Outcome.REJECTED, found.reason))
            else:
                taken(found)
                reply(e.Answer(revision=found.revision))

        self._agent.post.send(verb, answered, self._budget())

    def _lead(self, request: e.HoldLease | e.ReclaimLease | e.ReleaseLease, reply: Reply) -> None:
        agent, store, name = self._agent, self._agent.store, self._node.name
        ttl = Seconds(agent.settings.ttl)
        if isinstance(request, e.ReleaseLease):
            self._release(request, reply)
            return
        if not agent.fence.alive():
            reply(e.Answer(e.Outcome.REJECTED, "the fence process is not alive"))
            return
        unwatched = agent.watchdog.fault(agent.settings.ttl) if request.arm and not self._node.mutation.unwatched else ""
        if unwatched:
            reply(e.Answer(e.Outcome.REJECTED, unwatched))
            return
        bound = agent.promise.attempt(Instant(agent.now))
        if bound:
            reply(e.Answer(e.Outcome.REJECTED, bound))
            return
        self._world.note(Attempted(self._world.now, name))
        armed = agent.fence.armed or not (request.arm and request.writable)
        if not armed:
            agent.fence.arm(agent.now + ttl, agent.settings.margin)

        def answered(answer: e.Answer) -> None:
            agent.promise.attempted()
            if not armed and answer.outcome is e.Outcome.REJECTED:
                agent.fence.disarm()
            reply(answer)

        def taken(applied: Applied) -> None:
            self._node.took_lead()
            agent.cell.hold(applied.deadline or agent.cell.session, agent.settings.margin)
            if request.arm:
                self._arm()

        if isinstance(request, e.HoldLease):
            guard = request.guard
            self._send(lambda: store.hold_leader(name, ttl=ttl, guard=guard, budget=NOTHING), answered, taken)
        else:
            revision = request.revision
            self._send(lambda: store.reclaim_leader(name, revision, ttl=ttl, budget=NOTHING), answered, taken)

    def _release(self, request: e.ReleaseLease, reply: Reply) -> None:
        agent = self._agent
        server = self._node.server
        handed = agent.memory.handover is not None and server.phase is Phase.DOWN and server.control.startswith("shut down")

        def answered(answer: e.Answer) -> None:
            if answer.outcome is not e.Outcome.REJECTED:
                agent.cell.give_up()
            reply(answer)

        def arrive() -> Applied | Rejected:
            found: Applied | Rejected = agent.store.release_leader(request.revision, budget=NOTHING)
            if isinstance(found, Applied):
                self._given_up(handed)
            return found

        self._node.released(request.revision)
        self._send(arrive, answered)

    def _given_up(self, handed: bool) -> None:
        world, server = self._world, self._node.server
        phase = Phase.STANDBY if server.recovers and server.running else server.phase  # also while it recovers from a crash
        world.note(GivenUp(world.now, server.name, str(phase), self._agent.settings.pause))
        if handed:
            told = records(stored.optime(world.universe))
            others = tuple(len(other.wal) for other in world.servers.values() if other is not server)
            intent = stored.intent(world.universe)
            accepted = intent is not None and not intent.switchover
            world.note(Handed(world.now, server.name, told, len(server.wal), others, accepted))

    def _write(self, request: e.Request[Any], reply: Reply) -> None:
        store, cell = self._agent.store, self._agent.cell
        ttl = Seconds(self._agent.settings.ttl)
        match request:
            case e.WriteStatus(status):
                self._send(lambda: store.write_status(status, budget=NOTHING), reply)
            case e.WriteSync(sync, revision):
                self._send(lambda: store.write_sync(sync, expect=revision, budget=NOTHING), reply)
            case e.WriteFailsafe(members, revision):
                self._send(lambda: store.write_failsafe(members, expect=revision, budget=NOTHING), reply)
            case e.WriteInitialize(value, revision):
                self._send(lambda: store.write_initialize(value, expect=revision, budget=NOTHING), reply)
            case e.DeleteInitialize(revision):
                self._send(lambda: store.delete_initialize(expect=revision, budget=NOTHING), reply)
            case e.WriteConfig(document, revision):
                self._send(lambda: store.write_config(document, expect=revision, budget=NOTHING), reply)
            case e.WriteHistory(_, stored, limit):
                own = self._node.server.history()
                lines = history.brought_up(stored, own, self._node.name, "2026-01-01T00:00:00+00:00", limit)
                self._send(lambda: store.write_history(lines, budget=NOTHING), reply)
            case own_keys.ClaimTimeline(claim, revision):
                self._send(lambda: store.write_claim(claim, expect=revision, budget=NOTHING), reply)
            case own_keys.WriteJournal(journal, revision):
                self._send(lambda: store.write_journal(journal, expect=revision, budget=NOTHING),
                           lambda answer: reply(e.Answer(reason=answer.reason)))
            case e.CloseIntent(_, revision, reason):
                self._world.tell(f"{self._node.name}: closes the intent {reason}")
                self._send(lambda: store.write_intent(None, expect=revision, budget=NOTHING), reply)
            case e.Publish(member):
                self._send(lambda: store.write_member(member, ttl=ttl, budget=NOTHING), reply,
                           lambda applied: cell.granted(applied.deadline or Instant(0)))  # fmt: skip
            case _:
                raise AssertionError(f"the simulator does not know {request}")

    # --- peers ------------------------------------------------------------------------------------------------------

    def _ask_peers(self, request: e.AskPeers, reply: Reply) -> None:
        """All at once; who is silent costs the whole budget, unless he was optional."""
        budget = self._budget(self._answer_within())
        silent = [name for name, _ in request.members if name not in request.optional and self._node.silent(name)]
        wait = budget if silent else self._world.random.uniform(0.002, 0.05)
        asked = self._world.random.uniform(0.001, 0.02)
        found: list[e.Peer] = []
        self._world.at(asked, lambda: found.extend(self._node.ask(name) for name, _ in request.members))
        self._agent.later(max(wait, asked + 0.001), lambda: reply(tuple(found)))

    def _history(self, name: str) -> Any:
        server = self._world.servers.get(name)
        up = server is not None and server.phase in (Phase.PRIMARY, Phase.STANDBY) and not server.hung
        return server.history() if server is not None and up and self._world.linked(self._node.name, name) else None

    # --- jobs, fence, server ----------------------------------------------------------------------------------------

    def _order(self, request: e.StartJob | e.CancelJob | e.MoveFence | e.Quit) -> e.Answer:
        agent = self._agent
        match request:
            case e.StartJob(job):
                if writes(job) and not agent.may_write():
                    return e.Answer(e.Outcome.REJECTED, "less than the margin left, or the fence is not alive")
                refusal = agent.jobs.start(job)
                return e.Answer(e.Outcome.REJECTED, refusal) if refusal else e.APPLIED
            case e.CancelJob():
                agent.jobs.cancel()
            case e.MoveFence(armed):
                return self._move_fence(armed)
            case e.Quit(reason):
                self.quitting = reason
        return e.APPLIED

    def _move_fence(self, armed: bool) -> e.Answer:
        agent, lease = self._agent, self._agent.cell.read()
        if not armed:
            lead.disarm(agent.hands)
            if agent.settings.pause:
                self._world.note(SetFree(self._world.now, self._node.name, True))
        elif lease.left(Instant(agent.now)) <= 0:
            return e.Answer(e.Outcome.REJECTED, "there is no lease to guard")
        else:
            self._arm()
        return e.APPLIED

    def _arm(self) -> None:
        lead.arm(self._agent.hands, self._agent.settings)
        self._world.note(SetFree(self._world.now, self._node.name, False))

    def _change_server(self, request: e.WriteConf | e.StirStandbys | e.SetSlots | e.RunCallback) -> e.Answer:
        if isinstance(request, e.SetSlots):
            had = set(self._node.server.slots)
            self._node.server.change_slots(request.plan)
            for name in sorted(had - set(self._node.server.slots)):
                self._world.note(SlotChanged(self._world.now, self._node.name, name, False))
        if isinstance(request, e.WriteConf):
            server: Server = self._node.server
            before = server.upstream
            server.configure(request.conf)
            if server.upstream != before:
                self._world.replication.reserve(server, request.conf.upstream)
            self._world.at(self._world.random.uniform(0.001, RELOAD), server.reload)
        return e.APPLIED
