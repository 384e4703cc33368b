"""Which verb is possible from which phase of the server: one table. Whether it is wise is the core's to say."""

from enum import StrEnum

from pgctl.errors import ServerError
from pgctl.model.server import RUNNING, Phase


class Verb(StrEnum):
    BOOTSTRAP = "bootstrap"
    CLONE = "clone"
    START = "start"
    STOP = "stop"
    PROMOTE = "promote"
    REWIND = "rewind"
    REMOVE = "remove the data directory of"


ALLOWED: dict[Verb, frozenset[Phase]] = {
    Verb.BOOTSTRAP: frozenset({Phase.EMPTY}),
    Verb.CLONE: frozenset({Phase.EMPTY}),
    Verb.START: frozenset({Phase.DOWN}),
    Verb.STOP: RUNNING,
    Verb.PROMOTE: frozenset({Phase.STANDBY}),
    Verb.REWIND: frozenset({Phase.DOWN}),
    Verb.REMOVE: frozenset({Phase.EMPTY, Phase.UNREADABLE, Phase.DOWN}),
}

_WHY = {
    Phase.EMPTY: ("the data directory is empty", "Clone or bootstrap it first."),
    Phase.UNREADABLE: ("the data directory cannot be read", "Look at its owner and permissions, or reinitialize it."),
    Phase.DOWN: ("the server is not running", "Start it first."),
    Phase.STARTING: ("the server is starting", "Wait until it accepts connections, or stop it."),
    Phase.STOPPING: ("the server is stopping", "Wait until it has stopped."),
    Phase.HUNG: ("the server does not answer", "Look at the load of this host and at the server log."),
    Phase.STANDBY: ("the server is running as a standby", "Stop it first."),
    Phase.PRIMARY: ("the server is running as a primary", "Stop it first."),
}


def require(verb: Verb, phase: Phase) -> None:
    """Raises ServerError when `verb` is not possible from `phase`."""
    if phase in ALLOWED[verb]:
        return
    detail, hint = _WHY[phase]
    if verb in (Verb.BOOTSTRAP, Verb.CLONE) and phase is Phase.DOWN:
        detail, hint = "the data directory is not empty", "Move it away, or reinitialize this member."
    if verb is Verb.PROMOTE and phase is Phase.PRIMARY:
        detail, hint = "the server is a primary already", ""
    raise ServerError(f"cannot {verb} the server", detail=detail, hint=hint)
