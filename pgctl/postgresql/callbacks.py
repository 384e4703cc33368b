"""The operator's scripts: callbacks beside us, pre_promote and before_stop waited for. Decides not when.

The command is split as a shell would split it, no shell runs it. Of callbacks one runs at a time, a new one ends an old
one, with its children; on_reload has a place of its own. Source: config.md 7.
"""

import logging
import shlex

from pgctl.errors import ServerError
from pgctl.postgresql import run
from pgctl.postgresql.options import Options
from pgctl.postgresql.run import Beside
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant

log = logging.getLogger(__name__)

_LONGEST = 60.0
"""Seconds that a script which holds up a stop without a deadline may take."""


class Callbacks:
    """The callbacks that run, at most one in each place."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._running: dict[str, tuple[str, Beside]] = {}

    @property
    def running(self) -> tuple[str, ...]:
        """The actions whose callbacks had not ended when last looked at."""
        return tuple(action for action, _ in self._running.values())

    def run(self, options: Options, action: str, role: str) -> None:
        """Starts `command action role scope`, if one is configured for `action`."""
        self.reap()
        command = options.callbacks.get(action)
        if not command:
            return
        place = "reload" if action == "on_reload" else "other"
        old = self._running.pop(place, None)
        if old is not None:
            log.warning("callback %s was still running and has been ended", old[0])
            old[1].kill()
        try:
            words = [*shlex.split(command), action, role, self._site.scope]
            self._running[place] = (action, Beside(words, child_environment(self._site.environment)))
        except (ServerError, ValueError) as error:
            log.error("callback %s could not be run: %s", action, error)

    def reap(self) -> None:
        """Notes the end of callbacks that ended."""
        for place, (action, child) in list(self._running.items()):
            status = child.status()
            if status is not None:
                del self._running[place]
                if status:
                    log.warning("callback %s ended with status %d", action, status)

    def run_and_wait(self, options: Options, action: str, deadline: Instant | None) -> bool:
        """Runs `pre_promote` or `before_stop` to its end; True when it, if there is one, ended well."""
        command = options.pre_promote if action == "pre_promote" else options.before_stop
        if not command:
            return True
        longest = Instant(self._site.clock.now() + _LONGEST)
        until = longest if deadline is None else Instant(min(deadline, longest))
        try:
            done = run.run(
                shlex.split(command),
                clock=self._site.clock,
                environment=child_environment(self._site.environment),
                deadline=until,
                on_line=lambda line: log.info("%s: %s", action, line),
                own_locale=True,
            )
        except (ServerError, ValueError) as error:
            log.error("%s could not be run: %s", action, error)
            return False
        if not done.ok:
            log.error("%s ended with status %d", action, done.status)
        return done.ok
