"""Configuration, stores and clients of this one call, under one deadline. Has no defaults of its own but the patience.

Everything is opened when first asked for, and closed at the end of the call.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pgctl.cli import choose, output
from pgctl.cli.output import Format, Shown
from pgctl.clock import Clock
from pgctl.config import load
from pgctl.config.ctl_sections import CtlConfiguration
from pgctl.dcs import factory
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.errors import ConfigError, PgctlError, StoreUnreachable
from pgctl.model.cluster import Cluster
from pgctl.units import Instant, Seconds

PATIENCE = Seconds(10.0)
"""For the store, and for a member's short answers, unless --timeout says otherwise."""


class Options(NamedTuple):
    """What was given before the command."""

    config_file: str | None = None
    dcs_url: str | None = None
    insecure: bool = False
    timeout: Seconds | None = None


class NoSuchCluster(PgctlError):
    """Nothing is stored under this name."""


class _Changed(Exception):
    """Thrown through a watch to end it: something changed."""


class Call:
    """One run of the program."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.options = Options()
        self.form = Format.PRETTY
        self.ordered: list[str] = []
        """What cannot be taken back by Ctrl-C, in words."""
        self._begun = clock.now()
        self._configuration: CtlConfiguration | None = None
        self._stores: dict[str, ClusterStore] = {}

    def configure(self, parameters: Mapping[str, object]) -> None:
        """Takes the program's own options as parsed."""
        timeout = parameters.get("timeout")
        self.options = Options(
            config_file=_text(parameters.get("config_file")),
            dcs_url=_text(parameters.get("dcs_url")),
            insecure=bool(parameters.get("insecure")),
            timeout=Seconds(timeout) if isinstance(timeout, float) else None,
        )

    # --- time ---------------------------------------------------------------------------------------------------------

    def deadline(self, patience: float = PATIENCE) -> Instant:
        """When to give up: --timeout after the start of the program, else `patience` from now."""
        if self.options.timeout is not None:
            return Instant(self._begun + self.options.timeout)
        return Instant(self.clock.now() + patience)

    def left(self, deadline: Instant, most: float = PATIENCE) -> Seconds:
        """Seconds until `deadline`, `most` at most; never quite nothing, so that one attempt is made."""
        return Seconds(max(0.05, min(most, deadline - self.clock.now())))

    def budget(self, patience: float = PATIENCE) -> Seconds:
        """For one request of this call."""
        return self.left(self.deadline(patience), patience)

    # --- the store ----------------------------------------------------------------------------------------------------

    def configuration(self) -> CtlConfiguration:
        """Read once. Raises ConfigError."""
        if self._configuration is None:
            options = self.options
            self._configuration = load.load_ctl(options.config_file, options.dcs_url, insecure=options.insecure)
        return self._configuration

    def scope(self, name: str | None) -> str:
        """`name`, else the configured cluster. Raises ConfigError when there is neither."""
        found = name or self.configuration().scope
        if not found:
            raise ConfigError("which cluster?", hint="Name it after the command, or set `scope` in the configuration.")
        return found

    def store(self, scope: str) -> ClusterStore:
        """One store a cluster. Raises ConfigError."""
        if scope not in self._stores:
            section = self.configuration().store
            if section is None:
                looked = f"there is none of {', '.join(load.CTL_DEFAULTS)}"
                raise ConfigError("no store is configured", detail="" if self._configured() else looked,
                                  hint="Name a configuration with -c, or the store with -d.")
            self._stores[scope] = ClusterStore(factory.open_store(replace(section, scope=scope), self.clock), scope)
        return self._stores[scope]

    def _configured(self) -> bool:
        """Whether a configuration file was found."""
        return self.configuration().source not in ("", "environment")

    def read(self, scope: str) -> Cluster:
        """The cluster now. Raises NoSuchCluster when nothing is stored under that name, StoreUnreachable."""
        cluster = self.store(scope).read(budget=self.budget())
        if not cluster.revisions:
            raise self._unknown(scope)
        return cluster

    def clusters(self, budget: Seconds) -> tuple[str, ...]:
        """Names of all clusters in the store's namespace. Raises StoreUnreachable, ConfigError."""
        section = self.configuration().store
        if section is None:
            return ()
        store = factory.open_store(replace(section, scope=""), self.clock)
        try:
            return tuple(sorted({key.partition("/")[0] for key in store.snapshot(budget=budget).items}))
        finally:
            store.close()

    def _unknown(self, scope: str) -> NoSuchCluster:
        try:
            known = self.clusters(self.budget())
        except PgctlError:
            known = ()
        if known:
            hint = choose.nearest(scope, known) or f"Known clusters: {', '.join(known)}."
        else:
            hint = "The store answers and holds no cluster at all: no agent has started yet, or it is another store."
        return NoSuchCluster(f'there is no cluster "{scope}" in the store', hint=hint)

    def changed(self, cluster: Cluster, longest: float) -> bool:
        """Waits until something in the store changes after `cluster` was read, `longest` seconds at most."""
        store = self.store(cluster.scope)
        try:
            store.watch(store.revision, _throw, budget=Seconds(longest))
        except _Changed:
            return True
        except StoreUnreachable:
            self.clock.sleep(Seconds(min(longest, 1.0)))
        return False

    # --- output -------------------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """Progress: to stdout for people, to stderr while a program reads stdout."""
        output.write(sys.stdout if self.form is Format.PRETTY else sys.stderr, line + "\n")

    def print(self, text: str) -> None:
        """A result that is text already."""
        output.write(sys.stdout, text)

    def warn(self, line: str) -> None:
        output.write(sys.stderr, f"warning: {line}\n")

    def show(self, shown: Shown) -> None:
        output.show(shown, self.form)

    def close(self) -> None:
        """Ends watches and connections."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _throw(_: frozenset[str]) -> None:
    raise _Changed
