"""The local configuration of an agent: all that this host was told, in typed sections. Reads by way of `load`.

It stands apart from `load` because the command line needs a tenth of it. Source: config.md 1.
"""

import os
from collections.abc import Mapping

from pgctl.config import build, load
from pgctl.config.reader import Reader
from pgctl.config.sections import Configuration
from pgctl.errors import ConfigError


def read(path: str | None, environment: Mapping[str, str]) -> Configuration:
    """What this host was told. Raises ConfigError, whose detail lists every fault with its place.

    `environment` is what `load.take_environment` answered at start.
    """
    text, source, wrong = load.document(path, environment)
    if not text:
        raise ConfigError("there is no configuration", hint="Name a file, or set PGCTL_SCOPE and its kin.")
    reader = Reader(load.in_its_place(text, environment, agent=True))
    for sentence in wrong:
        reader.fault("environment", sentence)
    home = os.path.expanduser("~")
    configuration = build.configuration(reader, source=source, run_base=run_base(environment), home=home)
    load.refuse(reader.faults, source)
    return configuration


def run_base(found: Mapping[str, str]) -> str:
    """Where run directories go unless the file says: systemd's, else /run/pgctl if it is ours, else below /tmp.

    Nothing is created here.
    """
    if given := found.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return given
    if os.access("/run/pgctl", os.W_OK):
        return "/run/pgctl"
    return f"/tmp/pgctl-{os.getuid()}"  # private: whoever creates it makes it 0700 and checks its owner
