"""The background of every history: clients write, servers flush and stream, commits are acknowledged.

Each record is written, sent `SEND` seconds later and flushed by a standby at `FLUSH`. Between two events of the world
nothing else changes; so the steps that fell due meanwhile are made up for in one go before the next event. A commit is
acknowledged once its own server has flushed it and the standbys named in `synchronous_standby_names`, as they stream at
that moment, have; with no names at all, at once, which also frees those that wait. Clients are many, and each waits for
its own commit: no more than `CLIENTS` commits wait.

A session between two servers ends at once when one of them ends, and its host lives. Where a link is cut, a host is lost or
a server hangs, nobody is told: both ends believe in the session for `SILENCE` seconds, in which nothing comes through.

Source: PostgreSQL 15, 27.2.8 Synchronous Replication; 20.6 (wal_sender_timeout, wal_receiver_timeout);
src/backend/replication/syncrep.c (what a reload frees), walsender.c (WalSndDone).
"""

from collections.abc import Iterable
from typing import Any

from pgctl.model.conf import Upstream
from pgctl.model.server import WalSender
from tests.sim import logical_model
from tests.sim.postgres_model import Server, position
from tests.sim.record import Followed

EVERY = 0.05
SEND = 0.015
FLUSH = 0.025
CLIENTS = 50
SILENCE = 60.0
"""wal_sender_timeout and wal_receiver_timeout."""


def may_follow(server: Server, source: Server) -> bool:
    """PostgreSQL's rule, by timeline and position alone; content is what the checker looks at."""
    if source.timeline == server.timeline:
        return True
    fork = dict(source.switches).get(server.timeline)
    return source.timeline > server.timeline and fork is not None and len(server.wal) <= fork


def receive(server: Server, source: Server) -> bool:
    """Takes what `source` has flushed and `server` lacks; False where the branches differ."""
    mine, theirs = len(server.wal), source.flushed
    if mine > theirs or (mine and server.wal[-1] != source.wal[mine - 1]):
        server.streams = False
        return False
    if mine < theirs:
        server.wal.extend(source.wal[mine:theirs])
    if server.timeline != source.timeline:
        # A WAL receiver flushes what it has when its timeline ends.
        server.flushed = max(server.flushed, min(theirs, dict(source.switches).get(server.timeline, mine)))
        server.timeline, server.switches = source.timeline, list(source.switches)
    server.streams = True
    if server.name in source.slots:
        source.slots[server.name] = server.flushed
    return True


class Replication:
    """`due` is when the next step is; `world` has servers, links, the record and chance. `clients`: whether they write."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.clients = True
        self._next_record = 1
        self._write_at = self._send_at = self._flush_at = self.due = float("inf")

    def begin(self, now: float) -> None:
        self._write_at = now + EVERY
        self._send_at, self._flush_at = self._write_at + SEND, self._write_at + FLUSH
        self.due = self._write_at

    def advance(self, now: float) -> None:
        """All steps up to `now`. Of several writes all but the newest were sent and flushed as well."""
        if now >= self._write_at:
            ticks = int((now - self._write_at) / EVERY) + 1
            last = self._write_at + (ticks - 1) * EVERY
            if ticks > 1:
                self._write(self._write_at, ticks - 1)
            if ticks > 1 or self._flush_at < last:
                self._send(last)
                self._flush(last)
            self._write(last, 1)
            self._write_at = last + EVERY
            self._send_at, self._flush_at = last + SEND, last + FLUSH
        if now >= self._send_at:
            self._send(self._send_at)
            self._send_at = self._write_at + SEND
        if now >= self._flush_at:
            self._flush(self._flush_at)
            self._flush_at = self._write_at + FLUSH
        self.due = min(self._write_at, self._send_at, self._flush_at)

    # --- the steps --------------------------------------------------------------------------------------------------

    def _write(self, at: float, ticks: int) -> None:
        """Clients find a server that takes writes, and write to it from `at`, one record every `EVERY` seconds."""
        writable = [server for server in self._world.servers.values() if server.writable and not server.hung]
        if writable and self.clients:
            self.commit(writable[0] if len(writable) == 1 else self._world.random.choice(writable), at, ticks)

    def commit(self, server: Server, at: float, ticks: int) -> int:
        """That many commits on one server, as far as it has free clients; the record of the first."""
        first, ticks = self._next_record, min(ticks, CLIENTS - len(server.waiting))
        begun = len(server.wal)
        self._next_record += ticks
        server.wal.extend(range(first, first + ticks))
        if server.names.names or server.slow_disk:
            server.waiting.extend((begun + n + 1, first + n, at + n * EVERY) for n in range(ticks))
            if not server.slow_disk:
                server.flushed = len(server.wal)
        else:
            server.flushed = len(server.wal)
            self._world.record.acknowledged.extend((at + n * EVERY, first + n, server.name) for n in range(ticks))
        return first

    def _send(self, at: float) -> None:
        for server in self._world.servers.values():
            if server.standby or server.streams:
                self.stream(server, at)

    def _flush(self, at: float) -> None:
        for server in self._world.servers.values():
            if server.flushed < len(server.wal) and server.running and not server.hung:
                self._sync(server, at)
            if server.logical and server.writable:
                logical_model.consume(server)
        for server in self._world.servers.values():
            if server.waiting and not server.hung:
                self._acknowledge(server, at)

    def _sync(self, server: Server, at: float) -> None:
        if not server.slow_disk or at >= server.next_flush:
            server.flushed = len(server.wal)
            server.next_flush = at + server.slow_disk

    def _acknowledge(self, server: Server, at: float) -> None:
        """Clients of commits that are confirmed hear so, in order."""
        confirmed = server.flushed
        if server.names.names:
            confirmed = min(confirmed, server.names.confirmed(self._confirmations(server)))
        waiting = server.waiting
        while waiting and waiting[0][0] <= confirmed:
            self._world.record.acknowledged.append((at, waiting.pop(0)[1], server.name))

    def _confirmations(self, server: Server) -> dict[str, int]:
        return {other.name: other.flushed for other in self.followers(server)}

    # --- who streams from whom --------------------------------------------------------------------------------------

    def stream(self, server: Server, at: float) -> None:
        """One step of replication to a standby."""
        upstream = self._world.servers.get(server.upstream or "")
        if upstream is None:
            server.streams = False
        elif server.streams and self._silent(server, upstream):
            server.streams = at < server.heard + SILENCE
        elif self._silent(server, upstream) or not upstream.serves or not may_follow(server, upstream):
            server.streams = False
        elif receive(server, upstream):
            server.session, server.heard = upstream.starts, at
        elif len(server.wal) <= upstream.flushed:
            self._world.note(Followed(at, server.name, upstream.name))

    def _silent(self, server: Server, upstream: Server) -> bool:
        """Whether nothing comes through, and nobody is told."""
        dumb = server.hung or server.vanished or upstream.hung or upstream.vanished
        return dumb or not self._world.linked(server.name, upstream.name)

    def followers(self, server: Server) -> Iterable[Server]:
        """Whose sessions the server believes in."""
        return (other for other in self._world.servers.values()
                if other.upstream == server.name and other.streams and other.session == server.starts)  # fmt: skip

    def owed(self, server: Server) -> bool:
        """Whether a clean stop still waits for somebody to confirm the last of the log."""
        return any(self._silent(other, server) for other in self.followers(server))

    def reserve(self, server: Server, upstream: Upstream | None) -> None:
        """A slot of one's own where one is going to stream from; as `postgresql.slots.reserve_if_possible`."""
        if upstream is None or upstream.slot is None or upstream.remote:
            return
        source = self._world.servers.get(upstream.name)
        if source is not None and source.serves and self._world.linked(server.name, source.name):
            source.slots.setdefault(upstream.slot, source.flushed)

    def drain(self, server: Server) -> None:
        """A clean stop: all of the log is flushed, here and by those who stream; nobody is told any more."""
        server.flushed = len(server.wal)
        for other in list(self.followers(server)):
            if not self._silent(other, server):
                self.stream(other, self._world.now)
                other.flushed = len(other.wal)

    def senders(self, server: Server) -> tuple[WalSender, ...]:
        """Rows of pg_stat_replication."""
        streaming = {other.name: other for other in self.followers(server)}
        return tuple(
            WalSender("r", name, None, "streaming", server.names.state(name, streaming), server.names.priority(name),
                      position(len(other.wal)), position(other.flushed), position(other.flushed))
            for name, other in streaming.items()
        )  # fmt: skip
