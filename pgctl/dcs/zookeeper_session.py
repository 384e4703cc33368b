"""One session with ZooKeeper: asked within a deadline, and what became of what was asked. Knows no key.

kazoo would queue a request while there is no connection, and send it when nobody expects it any more: so nothing is asked
then. What an error means is in one table (`outcomes`); an error of any other kind is kazoo's parser's, about an answer that
is none.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kazoo.exceptions import (
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.threading import KazooTimeoutError

from pgctl.dcs import outcomes
from pgctl.dcs.outcomes import Outcome
from pgctl.dcs.zookeeper_link import Link, hint, words
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.units import Instant

NoNode, NodeExists, BadVersion, NotEmpty = NoNodeError, NodeExistsError, BadVersionError, NotEmptyError
ANSWERS = (NoNode, NodeExists, BadVersion, NotEmpty)
"""Complete answers that say no: nothing was changed."""
_PASSING = (ConnectionLoss, ConnectionClosedError, SessionExpiredError, SessionMovedError, OSError)
"""Of a reading: it may be asked again."""
_SIDE_EFFECTS = frozenset({"RolledBackError", "RuntimeInconsistency"})
"""What ZooKeeper says of the steps of a transaction other than the one that failed."""


class Session(Link):
    """Questions are functions of kazoo's client that return what to wait for."""

    def read(self, ask: Callable[[Any], Any], end: Instant) -> Any:
        """The answer; asked again when the connection is lost. Raises StoreUnreachable; one of ANSWERS is returned."""
        return self.read_all([ask], end)[0]

    def read_all(self, asks: Sequence[Callable[[Any], Any]], end: Instant) -> list[Any]:
        """Answers to several questions that are sent together; an answer that says no is among them as an exception."""
        while True:
            self.wait(end)
            try:
                waiting = [ask(self._client) for ask in asks]
                return [self._answer(each, end) for each in waiting]
            except KazooTimeoutError as error:
                raise StoreUnreachable("ZooKeeper gave no answer", detail="timed out") from error
            except Exception as error:
                if not isinstance(error, _PASSING) or self._clock.now() >= end:
                    raise _refused(error) from error

    def write(self, ask: Callable[[Any], Any], end: Instant) -> Any:
        """The answer. Raises StoreUnreachable, OutcomeUnknown; one of ANSWERS.

        Of a transaction the answers to its steps; there one of ANSWERS is returned.
        """
        self.wait(end)
        try:
            answer = ask(self._client).get(timeout=max(0.0, end - self._clock.now()))
        except ANSWERS:
            raise
        except KazooTimeoutError as error:
            raise OutcomeUnknown("ZooKeeper gave no answer to a write", detail="timed out") from error
        except Exception as error:
            raise _not_written(error) from error
        for step in answer if isinstance(answer, list) else ():
            if isinstance(step, Exception) and not isinstance(step, ANSWERS) and type(step).__name__ not in _SIDE_EFFECTS:
                raise _not_written(step) from step
        return answer

    def _answer(self, waiting: Any, end: Instant) -> Any:
        try:
            return waiting.get(timeout=max(0.0, end - self._clock.now()))
        except ANSWERS as error:
            return error


def _not_written(error: Exception) -> StoreUnreachable | OutcomeUnknown:
    outcome = outcomes.of_error(outcomes.KAZOO, error)
    if outcome in (Outcome.REFUSED, Outcome.DOWN):
        return _refused(error)
    return OutcomeUnknown("ZooKeeper gave no answer to a write", detail=words(error), hint=hint(error))


def _refused(error: Exception) -> StoreUnreachable:
    outcome = outcomes.of_error(outcomes.KAZOO, error)
    what = "ZooKeeper refused" if outcome is Outcome.REFUSED or hint(error) else "ZooKeeper gave no answer"
    return StoreUnreachable(what, detail=words(error), hint=hint(error))
