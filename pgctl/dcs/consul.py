"""Consul: keys that hang on a session. Knows no key by name, but which are members', for their services.

Law: nobody else holds a key of mine before the deadline that I was given; and a key of mine is gone, or another's, soon
after. What nobody answered for is not believed.

Theory. A lease of `ttl` seconds is a session with a ttl of `ttl / 2`, no health checks (unless configured), behaviour
`delete` and practically no lock delay, as Patroni members have it (dcs.md 6.3). Let s be the session's ttl.

1. *What others see.* Consul ends a session that nobody renews 2 s after the last renewal, as counted by the server that
   leads: its contract says "not before s, and perhaps later", and its code doubles s on purpose, to be lenient with slow
   clients. With s = ttl / 2 the keys vanish at `ttl`. Where the agent does not allow so short a session, s is its least
   one: the keys stay longer, which costs others time and nobody safety.
2. *What the holder believes.* `ttl`, counted from before it sent anything. That is more than the contract's s, and rests
   on the doubling of every Consul so far; a belief of s would make the lease of a Patroni member and ours differ, and a
   session of `ttl` would make everybody wait for twice that. A session's creation goes through Consul's log and starts the
   timer afterwards; so does every election, with the whole time for each session. Both only add.
3. *The weak place of a renewal.* It goes to no log: the server that takes itself for the leader resets a timer in memory.
   One that was suspended, and is leader no more, may answer a renewal that moves nothing. Therefore before each renewal
   the leader must prove itself: a consistent reading is answered only after a majority has confirmed it. Let it be
   answered by L, sent at p. If L then serves the renewal, the timer was reset after p. If L is deposed before it does, its
   successor starts every timer anew, after p too. So `p + ttl` is safe in both cases.
   And it must come in time. When a timer runs out, Consul forgets it first and only then writes the session's end into its
   log; a renewal in between is answered as if all were well, with a new timer, and the session ends all the same. Before
   the last deadline no timer can have run out; an answer that is later proves nothing. The session is then destroyed, so
   that its keys are free and not held by nobody, and counts as ended.
4. *With health checks* (`consul.checks`) a session may end at any moment, and point 1 is void. There is a lock delay: for
   that long after a session was ended nobody can lock its keys. It is then `ttl` (Consul's most is 60 s, and a longer
   belief is cut to that). So checks never make a failover faster here; they take the key away from a node that failed.
5. *Clocks.* Consul's timers are monotonic, as ours are. Its servers' wall clocks do not matter.

Other programs' locks are respected, ours by them: a key is taken by `lock`, which fails while a session holds it. A
leader key that was written without a session protects nobody (dcs.md 6.3), so `hold` also requires that there is none.
`hold` checks absence and guards in the one transaction that locks. Readings are `consistent` whatever is configured: the
setting `consistency` is that of watches, which only ring.
"""

from collections.abc import Callable, Mapping

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs import consul_access, keys
from pgctl.dcs import consul_wire as wire
from pgctl.dcs.consul_client import ConsulClient
from pgctl.dcs.consul_lease import ConsulLease, Session
from pgctl.dcs.consul_service import ConsulService
from pgctl.dcs.consul_watch import ConsulWatch
from pgctl.dcs.consul_wire import Operation, Reading, Refusal
from pgctl.dcs.store import ABSENT, Applied, Item, Rejected, Snapshot
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Instant, Seconds


def open_store(section: StoreSection, clock: Clock) -> "ConsulStore":
    """Raises ConfigError for wrong options. Nothing is asked yet."""
    access = consul_access.access(section.options)
    base = keys.base_path(section.namespace, section.scope).lstrip("/")
    name = f"{section.scope}-{section.member}".strip("-")
    client = ConsulClient(access, clock)
    service = ConsulService(client, consul_access.service(section), clock)
    return ConsulStore(client, service, base, name, access.checks, clock)


class ConsulStore:
    """One cluster in Consul; the verbs are those of `store.Store`."""

    def __init__(self, client: ConsulClient, service: ConsulService, base: str, name: str, checks: tuple[str, ...],
                 clock: Clock) -> None:
        self._client = client
        self._service = service
        self._base = base + "/"
        self._clock = clock
        self._lease = ConsulLease(client, clock, name, checks, self._mark)
        self._watch = ConsulWatch(client, self._base, clock)
        self._last: Reading | None = None

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        end = self._end(budget)
        found = self._client.below(self._base, end=end)
        self._last = found
        self._service.settle(end=end)
        mine = self._lease.ids
        items = {row.key.removeprefix(self._base): Item(row.value, row.revision, row.session in mine)
                 for row in found.rows if row.key != self._base}
        return Snapshot(items, found.revision)

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        path = self._base + key
        compare = [] if expect is None else [wire.is_at(path, expect)]
        if not leased:
            return self._outcome(key, expect, [*compare, wire.put(path, value, self._mark())], self._end(budget))

        def attach(session: Session, end: Instant) -> Applied | Rejected:
            lock = wire.lock(path, value, session.id, self._mark())
            answer = self._client.change([*compare, lock], end=end)
            if isinstance(answer, tuple) and wire.lock_failed(answer):  # an earlier life's, or another program's
                answer = self._client.change([*compare, wire.delete(path), lock], end=end)
            done = _told(key, expect, answer)
            if not isinstance(done, Applied):
                return done
            if (member := keys.member_name(key)) and ttl is not None:
                self._service.written(member, value, ttl, end=end)
            return done._replace(deadline=session.deadline)

        return self._attached(path, lambda end: self._lease.current(ttl, end), attach, budget)

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        if expect == ABSENT:
            return Rejected(f"{key} does not exist")
        path = self._base + key
        compare = [] if expect is None else [wire.is_at(path, expect)]
        return self._outcome(key, expect, [*compare, wire.delete(path)], self._end(budget))

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        path = self._base + key
        compare = [wire.is_at(path, ABSENT)]
        compare += [wire.is_at(self._base + name, revision) for name, revision in (guard or {}).items()]

        def attach(session: Session, end: Instant) -> Applied | Rejected:
            answer = self._client.change([*compare, wire.lock(path, value, session.id, self._mark())], end=end)
            if isinstance(answer, int):
                return Applied(answer, session.deadline)
            found = self._client.row(path, end=end)
            if found and found.value == value and found.session in self._lease.ids:
                return Applied(found.revision, session.deadline)
            if found:
                return Rejected(f"{key} is held by {found.value}")
            delayed = wire.lock_failed(answer)
            return Rejected(f"{key} may not be taken yet: its lock delay runs" if delayed
                            else "what was read has changed since")

        return self._attached(path, lambda end: self._lease.extended(ttl, end), attach, budget)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        return self._lease.renew(ttl, budget)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        last = self._last
        self._watch.run(last if last and last.revision == since else None, since, changed, budget)

    def close(self) -> None:
        self._watch.close()
        self._client.close()

    def _end(self, budget: Seconds) -> Instant:
        return Instant(self._clock.now() + budget)

    def _mark(self) -> int:
        """No two writes alike: see `consul_wire.put`."""
        return int(self._clock.wall() * 1e6)

    def _attached(self, path: str, session: Callable[[Instant], Session],
                  attach: Callable[[Session, Instant], Applied | Rejected], budget: Seconds) -> Applied | Rejected:
        """What `attach` answers with a session that Consul knows; one that has ended is replaced, once."""
        with self._lease.attaching(budget) as end:
            for _ in range(2):
                found = session(end)
                self._lease.carries(path)
                try:
                    return attach(found, end)
                except Refusal:
                    self._lease.lost(found)
        raise StoreUnreachable("Consul lost a session it had just made")

    def _outcome(self, key: str, expect: Revision | None, operations: list[Operation], end: Instant) -> Applied | Rejected:
        return _told(key, expect, self._client.change(operations, end=end))


def _told(key: str, expect: Revision | None, answer: Revision | tuple[str, ...]) -> Applied | Rejected:
    """Of a transaction that compared `key` with `expect`. Raises StoreUnreachable when something else was wrong."""
    if not isinstance(answer, tuple):
        return Applied(answer)
    said = "; ".join(answer)
    if wire.lock_failed(answer):
        return Rejected(f"{key} may not be taken yet: its lock delay runs")
    if expect is None:
        raise StoreUnreachable("Consul refused", detail=said)
    absent = "doesn't exist" in said
    return Rejected(f"{key} does not exist" if absent else f"{key} has changed" if expect else f"{key} exists")
