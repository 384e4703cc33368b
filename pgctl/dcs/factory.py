"""Name → backend, imported when it is asked for: a client of one store would be felt at the prompt of another.

Knows which kinds there are, and what is missing when one cannot be had. Reads no file.
"""

import importlib
from collections.abc import Mapping
from typing import Any, cast

from pgctl.clock import Clock
from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs.store import Store
from pgctl.errors import ConfigError

_ROOMS: Mapping[str, str] = {
    "consul": "consul", "etcd": "etcd2", "etcd3": "etcd3", "kubernetes": "kubernetes", "sqlite": "sqlite",
    "zookeeper": "zookeeper",
}
"""Kind → room with a function `open_store(section, clock)`."""
_EXTRAS: Mapping[str, str] = {"consul": "consul", "etcd": "etcd", "zookeeper": "zookeeper"}
"""Kind → the extra that installs its client library."""
_FOUND_BY_DNS = ("etcd", "etcd3")
_NOTICES: Mapping[str, str] = {"sqlite": "the embedded store serves members on this host only, and is gone with it"}


def notice(section: StoreSection) -> str:
    """What an agent says at start about its store, for whoever chose it by mistake; mostly nothing."""
    return _NOTICES.get(section.kind, "")


def open_store(section: StoreSection, clock: Clock) -> Store:
    """The store of one cluster, not yet asked anything; with an empty scope, that of all clusters of the namespace.

    Raises ConfigError: the kind is unknown, its client library is missing, its options are wrong.
    """
    room = _ROOMS.get(section.kind)
    if room is None:
        supported = ", ".join(sorted(_ROOMS))
        raise ConfigError(f'store "{section.kind}" is not supported by this version',
                          hint=f"Use one of those that are: {supported}.")
    module = _import(section.kind, room, _EXTRAS.get(section.kind))
    if section.kind in _FOUND_BY_DNS and _import(section.kind, "etcd_access", None).srv(section.options)[0]:
        names = _import(f"{section.kind}.srv", "srv", "srv")
        return cast(Store, module.open_store(section, clock, names.finder(section.kind, section.options, clock)))
    return cast(Store, module.open_store(section, clock))


def _import(what: str, room: str, extra: str | None) -> Any:
    """A room beside this one, which may need a library. Raises ConfigError that names the extra to install."""
    try:
        return importlib.import_module(f"pgctl.dcs.{room}")
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").startswith("pgctl"):
            raise
        library = (error.name or "").partition(".")[0]
        raise ConfigError(f'store "{what}" needs the Python library {library}, which is not installed',
                          hint=f'Install it: pip install "pgctl-ha[{extra}]".') from error
