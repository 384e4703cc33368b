"""Several servers of which any one will do, under one deadline. Opens nothing: it is given the call.

Whether the next one may be asked depends on what became of the last request, which is what the errors of `net` say.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pgctl.clock import Clock
from pgctl.net import NoReply, NotSent
from pgctl.units import Seconds

T = TypeVar("T")

Finder = Callable[[Seconds], Sequence[str]]
"""Where servers are now, found within so many seconds. Raises NotSent when it cannot tell."""


class Endpoints:
    """Several servers of which any one will do. The one that answered last is asked first.

    `find` is asked while none is known, and again once nobody answered.
    """

    def __init__(self, urls: Sequence[str], find: Finder | None = None) -> None:
        self._given = self._urls = tuple(urls)
        self._find = find
        self._lost = not urls

    @property
    def urls(self) -> tuple[str, ...]:
        """In the order in which they would be asked."""
        return self._urls

    def learn(self, urls: Sequence[str]) -> None:
        """Adds those that are not known yet, last; what was learnt before and is not among them is forgotten.

        Of an empty list nothing is learnt.
        """
        if not urls:
            return
        kept = tuple(url for url in self._urls if url in self._given or url in urls)
        self._urls = (*kept, *(url for url in urls if url not in kept))

    def distrust(self, url: str) -> None:
        """Puts `url` last."""
        self._urls = (*(known for known in self._urls if known != url), url)

    def ask(self, call: Callable[[str, Seconds], T], *, budget: Seconds, clock: Clock, repeatable: bool) -> T:
        """What `call(url, timeout)` returns for the first server that answers; one deadline for all.

        With several left, a server gets its share of the time that is left. After NoReply the next one is asked
        only if the call is `repeatable`; else it is given all the time, for cutting it short would gain nothing.
        Raises the last NotSent or NoReply.
        """
        deadline = clock.now() + budget
        if self._lost and self._find is not None:
            self._given = self._urls = tuple(self._find(Seconds(budget / 2)))
            self._lost = False
        failure: NotSent | NoReply = NotSent("no server is configured")
        for tried, url in enumerate(self._urls):
            left = deadline - clock.now()
            try:
                return call(url, Seconds(left / (len(self._urls) - tried) if repeatable else left))
            except NotSent as error:
                failure = error
            except NoReply as error:
                if not repeatable:
                    self.distrust(url)
                    raise
                failure = error
            self.distrust(url)
        self._lost = True
        raise failure
