"""The typed sections that the command line needs, and the agent as well. Holds no default that a table has.

They stand apart from `sections` because twelve more would be felt at the prompt. Secrets live here and are never
printed: `repr` leaves them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgctl.model.member import nothing


@dataclass(frozen=True, slots=True)
class CtlSection:
    """How this program calls members' REST APIs; restapi's credentials and CA already filled in (config.md 4)."""

    username: str = ""
    password: str = field(default="", repr=False)
    insecure: bool = False
    cacert: str = ""
    certfile: str = ""
    keyfile: str = ""
    keyfile_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StoreSection:
    """Which store, and its own options as configured (config.md 5). For `sqlite`: `path` of the file."""

    kind: str
    options: Mapping[str, object] = field(default_factory=nothing, repr=False)
    namespace: str = "service"
    scope: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True)
class CtlConfiguration:
    """What the command line needs of the same file; parts may be missing."""

    scope: str = ""
    store: StoreSection | None = None
    ctl: CtlSection = CtlSection()
    source: str = ""
    api_url: str = ""
    """The API of this host's own agent, where the file is an agent's: whom to ask when the store does not answer."""
