"""From a request to its reply: access, then the board's answer, an order and the wait for its reply, or a promise.

A promise to a leader without the store is made here and not by the loop, which may itself be waiting for the store.

Works in the REST server's event loop and never blocks it. Knows no socket and no HTTP.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from pgctl.agent import access, answers, answers_status, listener, rest_wire
from pgctl.agent.access import Access, Asker
from pgctl.agent.answers import Request
from pgctl.agent.answers_orders import Accepted
from pgctl.agent.board import Board
from pgctl.agent.inbox import Inbox, Order, Reply
from pgctl.agent.member_addresses import MemberAddresses
from pgctl.agent.promise import PromiseCell
from pgctl.agent.rest_wire import Style
from pgctl.clock import Clock
from pgctl.config.sections import RestSection
from pgctl.model.failsafe import Ping
from pgctl.rest import schema
from pgctl.units import Instant

log = logging.getLogger(__name__)

Answered = Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class Front:
    """Everything that a section of the configuration decides, swapped whole on reload."""

    section: RestSection
    access: Access
    style: Style
    mark: listener.Mark

    @classmethod
    def of(cls, section: RestSection) -> "Front":
        """Resolves the allowlist's names, so it may take a while."""
        return cls(section, Access(section), rest_wire.style(section), listener.mark(section))


class Reception:
    """All but `front` is fixed for life; everything but `front` is used from the event loop's thread only."""

    def __init__(self, front: Front, board: Board, inbox: Inbox, promise: PromiseCell, clock: Clock,
                 loop: asyncio.AbstractEventLoop, spawn: Callable[[Callable[[], None]], None]) -> None:
        self.front = front
        self.clock = clock
        self._board = board
        self._inbox = inbox
        self._promise = promise
        self._loop = loop
        self._members = MemberAddresses(loop, clock, spawn)
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, asked: Request, asker: Asker, answered: Answered) -> None:
        """Calls `answered` once: at once, or for an order when the loop has replied or the order's limit is over."""
        try:
            if not asked.changes:
                self._answer(asked, asker, answered)
            elif (members := self._member_addresses(asked)) is not None:
                self._check(asked, asker, members, answered)
            else:
                self._later(self._resolve_first(asked, asker, answered))
        except Exception:
            log.exception("a bug kept %s %s from being answered", asked.method, asked.path)
            answered(Reply(500, "internal error: the member's log has the details"))

    def cancel(self) -> None:
        """Gives up what still waits for a name server."""
        for task in self._tasks:
            task.cancel()

    def _hosts(self) -> frozenset[str]:
        return access.member_hosts(answers_status.known_cluster(self._board.read(), self.clock.now()))

    def _member_addresses(self, asked: Request) -> frozenset[str] | None:
        if not self.front.access.include_members or asked.head == schema.FAILSAFE:
            return frozenset()
        return self._members.known(self._hosts())

    async def _resolve_first(self, asked: Request, asker: Asker, answered: Answered) -> None:
        self._check(asked, asker, await self._members.resolve(self._hosts()), answered)

    def _later(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check(self, asked: Request, asker: Asker, members: frozenset[str], answered: Answered) -> None:
        refusal = self.front.access.refusal(asker, members, failsafe=asked.head == schema.FAILSAFE)
        if refusal is None:
            self._answer(asked, asker, answered)
            return
        log.warning("refused %s %s to %s: %s", asked.method, asked.head, asker.address, refusal.body)
        answered(refusal)

    def _answer(self, asked: Request, asker: Asker, answered: Answered) -> None:
        now = self.clock.now()
        outcome = answers.answer(asked, self._board.read(), now, self.clock.wall())
        if isinstance(outcome, Reply):
            answered(outcome)
        elif isinstance(outcome, Ping):
            answered(self._promised(outcome))
        else:
            self._order(asked, asker, outcome, answered)

    def _promised(self, ping: Ping) -> Reply:
        """Counted from now, which is after the leader sent it."""
        now, view = self.clock.now(), self._board.read().view
        until = Instant(now + max(view.settings.ttl, ping.ttl))
        refusal = self._promise.accept(ping, until, self.clock.now)
        if refusal:
            log.warning("a promise not to lead was refused to %s: %s", ping.name, refusal)
            return Reply(500, refusal)
        self._board.promise(self._promise.read())
        lsn = view.server.lsn
        return Reply(200, schema.ACCEPTED, headers={} if lsn is None else {schema.POSITION: str(int(lsn))})

    def _order(self, asked: Request, asker: Asker, accepted: Accepted, answered: Answered) -> None:
        """Into the inbox. The first who replies is heard: the loop, or the clock."""
        waiting: asyncio.Future[Reply] = self._loop.create_future()
        waiting.add_done_callback(lambda done: None if done.cancelled() else answered(done.result()))

        def settle(reply: Reply) -> None:
            if not waiting.done():
                waiting.set_result(reply)

        def from_any_thread(reply: Reply) -> None:
            with contextlib.suppress(RuntimeError):  # the server was stopped meanwhile: nobody listens any more
                self._loop.call_soon_threadsafe(settle, reply)

        clock, now = self._loop.call_later(accepted.limit, settle, accepted.silence), self.clock.now()
        waiting.add_done_callback(lambda _: clock.cancel())
        order = Order(asked.method, asked.head, asked.query, accepted.body, from_any_thread, now,
                      Instant(now + accepted.limit), asker.words)
        if not self._inbox.put(order):
            settle(Reply(503, "too many orders wait: the member is busy or stuck"))
