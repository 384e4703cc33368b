"""The background of every history: clients write, servers flush and stream, commits are acknowledged.

Each record is written, sent `SEND` seconds later and flushed by a standby at `FLUSH`. Between two events of the world
nothing else changes; so the steps that fell due meanwhile are made up for in one go before the next event. A commit is
acknowledged once its own server has flushed it and the standbys named in `synchronous_standby_names`, as they stream at
that moment, have; with no names at all, at once, which also frees those that wait. Clients are many, and each waits for
its own commit: no more than `CLIENTS` commits wait.

Source: PostgreSQL 15, 27.2.8 Synchronous Replication; src/backend/replication/syncrep.c (what a reload frees).
"""

from collections.abc import Iterable
from typing import Any

from pgctl.model.server import WalSender
from tests.sim.postgres_model import Server, position
from tests.sim.record import Followed

EVERY = 0.05
SEND = 0.015
FLUSH = 0.025
CLIENTS = 50


class Replication:
    """`due` is when the next step is; `world` has servers, links, the record and chance."""

    def __init__(self, world: Any) -> None:
        self._world = world
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
        if not writable:
            return
        server = writable[0] if len(writable) == 1 else self._world.random.choice(writable)
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

    def _send(self, at: float) -> None:
        for server in self._world.servers.values():
            if server.standby:
                self.stream(server, at)

    def _flush(self, at: float) -> None:
        for server in self._world.servers.values():
            if server.flushed < len(server.wal) and server.running and not server.hung:
                self._sync(server, at)
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
        return {other.name: other.flushed for other in self.followers(server.name)}

    # --- who streams from whom --------------------------------------------------------------------------------------

    def stream(self, server: Server, at: float) -> None:
        """One step of replication to a standby."""
        world, upstream = self._world, self._world.servers.get(server.upstream or "")
        heard = upstream is not None and upstream.serves and world.linked(server.name, upstream.name)
        if upstream is None or not heard or server.hung or not server.may_follow(upstream):
            server.streams = False
        elif not server.stream_from(upstream) and len(server.wal) <= upstream.flushed:
            world.note(Followed(at, server.name, upstream.name))

    def followers(self, name: str) -> Iterable[Server]:
        return (other for other in self._world.servers.values() if other.upstream == name and other.streams)

    def drain(self, server: Server) -> None:
        """The end of a clean stop: all of the log is flushed, here and by those who stream; nobody is told any more."""
        server.flushed = len(server.wal)
        for other in list(self.followers(server.name)):
            self.stream(other, self._world.now)
            other.flushed = len(other.wal)

    def senders(self, server: Server) -> tuple[WalSender, ...]:
        """Rows of pg_stat_replication."""
        streaming = {other.name: other for other in self.followers(server.name)}
        return tuple(
            WalSender("r", name, None, "streaming", server.names.state(name, streaming), server.names.priority(name),
                      position(len(other.wal)), position(other.flushed), position(other.flushed))
            for name, other in streaming.items()
        )  # fmt: skip
