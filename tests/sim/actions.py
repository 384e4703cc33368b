"""What a simulated member does for each request: to the store, to its server, to its guards; with delays and losses."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.agent.core.view import JobState, Lease, ShowView
from pgctl.dcs.store import Applied, Rejected
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.model.history import History, HistoryLine
from pgctl.model.lsn import Lsn
from pgctl.model.server import Phase
from pgctl.units import Instant, Seconds
from tests.sim.postgres_model import position

BUDGET = Seconds(1.0)
DURATION = {
    "bootstrap": 1.0,
    "clone": 1.5,
    "reinitialize": 2.0,
    "rewind": 1.0,
    "start": 0.3,
    "restart": 0.4,
    "stop": 0.1,
    "promote": 0.1,
}
Reply = Callable[[Any], None]


class Actions:
    """The simulator's driver."""

    def __init__(self, node: Any) -> None:
        self.node = node

    def perform(self, request: e.Request[Any], reply: Reply) -> None:
        node, world = self.node, self.node.world
        pause = world.random.uniform(0.0005, 0.01)
        match request:
            case e.ReadCluster():
                self._read(reply)
            case e.ReadServer():
                node.later(pause, lambda: reply(node.server.look(world.senders(node.name))))
            case ShowView(view):
                node.shown = view
                reply(None)
            case e.AskPeers(members):
                node.later(world.random.uniform(0.002, 0.05), lambda: reply(tuple(self._peer(name) for name, _ in members)))
            case e.ReadUpstreamHistory(upstream):
                node.later(pause, lambda: reply(self._history(upstream.name)))
            case e.StartJob(job):
                node.later(pause, lambda: reply(self._start(job)))
            case e.CancelJob():
                node.later(pause, lambda: reply(self._cancel()))
            case e.MoveFence(armed):
                self._fence(armed)
                reply(e.APPLIED)
            case e.WriteConf(conf):
                node.server.upstream = conf.upstream.name if conf.upstream and conf.standby else None
                reply(e.APPLIED)
            case e.Quit(reason):
                world.tell(f"{node.name}: quits: {reason}")
                node.kill_agent()
            case e.SetSlots() | e.RunCallback():
                reply(e.APPLIED)
            case _:
                self._write(request, reply)

    # --- the store ---

    def send(self, verb: Callable[[], Any], reply: Reply) -> None:
        """A write: it takes time to get there, is applied or not, and the answer may be lost."""
        node, world = self.node, self.node.world
        lost = world.random.random() < node.lose_replies

        def arrive() -> None:
            if node.cut_from_store:
                node.later(BUDGET, lambda: reply(e.Answer(e.Outcome.UNKNOWN, "no answer")))
                return
            answer = self._apply(verb)
            if lost:
                node.later(BUDGET, lambda: reply(e.Answer(e.Outcome.UNKNOWN, "the answer was lost")))
            else:
                node.later(world.random.uniform(0.0005, 0.01), lambda: reply(answer))

        world.at(world.random.uniform(0.0005, 0.01), arrive)

    def _apply(self, verb: Callable[[], Any]) -> e.Answer:
        try:
            done = verb()
        except StoreUnreachable as error:
            return e.Answer(e.Outcome.REJECTED, str(error))
        except OutcomeUnknown as error:
            return e.Answer(e.Outcome.UNKNOWN, str(error))
        return e.Answer(e.Outcome.REJECTED, done.reason) if isinstance(done, Rejected) else e.APPLIED

    def _read(self, reply: Reply) -> None:
        node, world = self.node, self.node.world

        def arrive() -> None:
            if node.cut_from_store:
                node.later(BUDGET, lambda: reply(e.Unreadable("no answer")))
            else:
                found = node.store.read(budget=BUDGET)
                node.later(world.random.uniform(0.0005, 0.01), lambda: reply(found))

        world.at(world.random.uniform(0.0005, 0.01), arrive)

    def _write(self, request: e.Request[Any], reply: Reply) -> None:
        node, store = self.node, self.node.store
        ttl = Seconds(node.settings.ttl)
        match request:
            case e.HoldLease(guard):
                self._lead(lambda: store.hold_leader(node.name, ttl=ttl, guard=guard, budget=BUDGET), reply)
            case e.ReclaimLease(revision):
                self._lead(lambda: store.reclaim_leader(node.name, revision, ttl=ttl, budget=BUDGET), reply)
            case e.ReleaseLease(revision):
                node.lease = Lease()
                self.send(lambda: store.release_leader(revision, budget=BUDGET), reply)
            case e.WriteStatus(status):
                self.send(lambda: store.write_status(status, budget=BUDGET), reply)
            case e.WriteSync(sync, revision):
                self.send(lambda: store.write_sync(sync, expect=revision, budget=BUDGET), reply)
            case e.WriteInitialize(value, revision):
                self.send(lambda: store.write_initialize(value, expect=revision, budget=BUDGET), reply)
            case e.DeleteInitialize(revision):
                self.send(lambda: store.delete_initialize(expect=revision, budget=BUDGET), reply)
            case e.WriteConfig(document, revision):
                self.send(lambda: store.write_config(document, expect=revision, budget=BUDGET), reply)
            case e.WriteHistory():
                self.send(lambda: store.write_history(self._lines(), budget=BUDGET), reply)
            case e.CloseIntent(_, revision):
                self.send(lambda: store.write_intent(None, expect=revision, budget=BUDGET), reply)
            case e.Publish(member):
                self.send(lambda: store.write_member(member, ttl=ttl, budget=BUDGET), reply)
            case _:
                raise AssertionError(f"the simulator does not know {request}")

    def _lead(self, verb: Callable[[], Applied | Rejected], reply: Reply) -> None:
        """Takes the leader key; what the store granted counts from when the request was sent."""
        node = self.node
        sent, clock = node.world.now, node.world.clock
        granted: list[Instant] = []

        def apply() -> Applied | Rejected:
            done = verb()
            if isinstance(done, Applied) and done.deadline is not None:
                granted.append(Instant(done.deadline - (clock.now() - sent)))
            return done

        def held(answer: e.Answer) -> None:
            if answer.outcome is e.Outcome.APPLIED:
                node.lease = Lease(True, granted[-1])
                node.fence.move(node.lease.deadline, node.settings.margin)
            reply(answer)

        self.send(apply, held)

    def _lines(self) -> Any:

        return History(tuple(HistoryLine(line, position(at), "") for line, at in self.node.server.switches), True)

    # --- the server, peers, guards ---

    def _peer(self, name: str) -> e.Peer:
        node, world = self.node, self.node.world
        other = node.peers.get(name)
        reachable = other is not None and other.alive and world.now >= other.frozen_until and world.linked(node.name, name)
        if other is None or not reachable or other.shown is None:
            return e.Peer(name, False, problem="no answer")
        server, cluster = other.shown.server, other.shown.cluster
        return e.Peer(
            name,
            server.lsn is not None,
            server.phase is Phase.PRIMARY,
            server.lsn or Lsn(0),
            server.timeline,
            other.tags,
            looked=cluster is None or cluster.leader is None,
        )

    def _history(self, name: str) -> Any:
        world = self.node.world
        server = world.servers.get(name)
        ok = server is not None and server.phase in (Phase.PRIMARY, Phase.STANDBY) and world.linked(self.node.name, name)
        return server.history() if server is not None and ok else None

    def _fence(self, armed: bool) -> None:
        node = self.node
        if armed and node.lease.held:
            node.fence.move(node.lease.deadline, node.settings.margin)
        elif not armed:
            node.fence.disarm()

    def _lease_good(self) -> bool:
        return bool(self.node.lease.left(self.node.world.now) >= self.node.settings.margin)

    def _cancel(self) -> e.Answer:
        node = self.node
        if node.job is not None and not node.job.ended and not node.job.irrevocable:
            node.job_number += 1
            node.job = replace(node.job, ended=True, ok=False, message="called off")
            node.wake()
        return e.APPLIED

    def _start(self, job: j.Job) -> e.Answer:
        node, world = self.node, self.node.world
        writes = job.writes or (isinstance(job, j.Restart) and job.primary)
        if writes and not self._lease_good():
            return e.Answer(e.Outcome.REJECTED, "the lease has less than the margin left")
        node.job = JobState(job, Instant(world.now))
        node.job_number = getattr(node, "job_number", 0) + 1
        number = node.job_number
        world.tell(f"{node.name}: job {job.name} by {job.rule}")
        duration = DURATION[job.name] * world.random.uniform(0.5, 2.0)

        def turn() -> None:
            if node.job_number != number:
                return
            if writes and not self._lease_good():
                self._end(number, False, "the lease is nearly out")
                return
            node.job = replace(node.job, irrevocable=True)
            node.later(world.random.uniform(0.0, 0.01), lambda: self._deed(job, number))

        node.later(duration, turn)
        return e.APPLIED

    def _deed(self, job: j.Job, number: int) -> None:
        node, world, server = self.node, self.node.world, self.node.server
        try:
            self._do(job, server)
        except RuntimeError as error:
            self._end(number, False, str(error))
            return
        world.tell(f"{node.name}: {job.name} done, {server.phase} timeline {server.timeline}")
        self._end(number, True, "")

    def _end(self, number: int, ok: bool, message: str) -> None:
        node = self.node
        if node.job_number == number and node.job is not None:
            node.job = replace(node.job, ended=True, ok=ok, message=message)
            node.wake()

    def _do(self, job: j.Job, server: Any) -> None:
        node, world = self.node, self.node.world
        conf = getattr(job, "conf", None)
        upstream = conf.upstream.name if conf is not None and conf.upstream is not None else None
        match job:
            case j.Bootstrap():
                server.initdb(str(7_000_000_000_000_000_000 + world.random.randrange(10**9)))
            case j.Clone(source=source) | j.Rebuild(source=source):
                origin = world.servers.get(source.name if source else "")
                if origin is None or not origin.running or not world.linked(node.name, origin.name):
                    raise RuntimeError("the source does not answer")
                server.empty()
                server.copy_from(origin)
                server.upstream = upstream
                server.start(standby=True)
            case j.Rewind(source=source):
                origin = world.servers.get(source.name if source else "")
                if origin is None or not origin.writable or not world.linked(node.name, origin.name):
                    raise RuntimeError("the source is no primary")
                server.stop()
                server.copy_from(origin)
                server.upstream = upstream
                server.start(standby=True)
            case j.StartStandby():
                server.upstream = upstream
                server.start(standby=True)
            case j.StartPrimary():
                server.start(standby=False)
            case j.Restart():
                standby = not server.writable
                if not standby:
                    world.flush_standbys(server)
                server.stop()
                server.start(standby=standby)
            case j.Stop(mode=mode):
                node.stop_server(clean=mode != "immediate")
            case j.Promote():
                if server.phase is not Phase.STANDBY:
                    raise RuntimeError("the server is no standby")
                server.promote()
