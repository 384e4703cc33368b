"""The agent put together, brought up, run and ended: what is constructed, and in which order. Holds no logic of its own.

Order of coming up: the run directory and the fence, so that what an earlier life left is guarded; what that promised; the
heartbeat, so that the fence sees this life; the name check; the REST server; the watcher; the loop. Going down: the other
way round.
"""

import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import replace

from pgctl.agent import claim, notify, shutdown
from pgctl.agent.bell import Bell
from pgctl.agent.board import Board
from pgctl.agent.core.view import Host
from pgctl.agent.driver import Driver
from pgctl.agent.fence import Fence
from pgctl.agent.hands import Hands
from pgctl.agent.heartbeat import Heartbeat
from pgctl.agent.inbox import Inbox
from pgctl.agent.jobs import Jobs
from pgctl.agent.lease import LeaseCell
from pgctl.agent.loop import Loop
from pgctl.agent.orders import Orders
from pgctl.agent.promise import FileRecord, PromiseCell
from pgctl.agent.rest_server import RestServer
from pgctl.agent.slot_keeper import SlotKeeper
from pgctl.agent.watchdog import Watchdog
from pgctl.agent.watcher import Watcher
from pgctl.clock import SystemClock
from pgctl.config import local
from pgctl.config.sections import Configuration, StoreSection
from pgctl.dcs import factory
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.errors import ConfigError, OutcomeUnknown, PeerError, StoreUnreachable
from pgctl.model import addresses
from pgctl.model import settings as settings_table
from pgctl.model.member import MemberName
from pgctl.postgresql.server import Server
from pgctl.rest import schema
from pgctl.rest.client import Client
from pgctl.units import Seconds

log = logging.getLogger(__name__)

_NAME_CHECK = Seconds(3.0)


class Agent:
    """One member's agent. `run` returns why it ended on its own, empty when it was told to."""

    def __init__(self, configuration: Configuration, path: str | None, environment: Mapping[str, str]) -> None:
        """Constructs everything and opens nothing but what constructors must. Raises ConfigError."""
        self._configuration = configuration
        self._path = path
        self._environment = environment
        section, clock = configuration.agent, SystemClock()
        bootstrap = configuration.bootstrap
        settings, _ = settings_table.read(bootstrap.dcs if bootstrap else None)
        host = host_of(configuration)
        store = ClusterStore(factory.open_store(store_section(configuration), clock), section.scope, settings)
        server = Server(configuration.postgres, section.scope, clock, name=section.name, environment=environment)
        client = Client.of_member(configuration.ctl, clock)
        board = Board(section.scope, host, clock.now(), clock.wall())
        self.bell = Bell()
        self._inbox = Inbox(self.bell)
        fence = Fence(section.run_dir, configuration.postgres.data_dir)
        watchdog = Watchdog(configuration.watchdog, section.run_dir, clock)
        jobs = Jobs(server, bootstrap, clock, self.bell, lambda: self._driver.may_write())
        lease = LeaseCell()
        promise = PromiseCell(lease, FileRecord(section.run_dir), lambda: fence.armed)
        self.hands = Hands(store, server, client, jobs, lease, promise, fence, watchdog, board, clock, section.name,
                           SlotKeeper(server.keep_logical))
        self._driver = Driver(self.hands, settings)
        self._orders = Orders(store, client, clock, section.name, self.reload)
        self._heartbeat = Heartbeat(store, lease, fence, watchdog, board, self.bell, clock, settings)
        self._watcher = Watcher(store, self.bell, clock)
        self._rest = RestServer(configuration.rest, board, self._inbox, promise, clock)
        self._loop = Loop(self.hands, self._driver, self._orders, self._inbox, self.bell, self._heartbeat,
                          self._watcher, host, self.reload)

    def run(self) -> str:
        """Comes up, works, ends. Raises PgctlError when it cannot come up."""
        with claim.take(self._configuration.postgres.data_dir):
            return self._live()

    def _live(self) -> str:
        make_run_dir(self._configuration.agent.run_dir)
        notice = factory.notice(self._configuration.store)
        if notice:
            log.info("%s", notice)
        found = self.hands.fence.start()
        if found.armed:
            left = found.deadline - self.hands.clock.now()
            log.info("took over the fence of an earlier life  armed=yes left=%.1fs", left)
        self.hands.promise.begin(self.hands.clock.now())
        self.hands.board.promise(self.hands.promise.read())
        self._heartbeat.start()
        self._refuse_twin()
        self._rest.start()
        self._watcher.start()
        notify.notify(self._environment, notify.READY)
        reason = self._loop.run()
        notify.notify(self._environment, notify.STOPPING)
        self._end(orderly=not reason)
        return reason

    def stop(self) -> None:
        self._loop.stop()

    def ask_reload(self) -> None:
        self._loop.ask_reload()

    def reload(self) -> None:
        """Reads the configuration again and takes what can be taken without a restart. Raises ConfigError."""
        notify.notify(self._environment, notify.reloading(self.hands.clock.now()))
        try:
            self._reload()
        finally:
            notify.notify(self._environment, notify.READY)

    def _reload(self) -> None:
        fresh = local.read(self._path, self._environment)
        last = self._configuration
        fixed = [name for name in ("store", "bootstrap") if getattr(fresh, name) != getattr(last, name)]
        if replace(fresh.agent, tags=last.agent.tags) != last.agent:
            fixed.append("name, scope or run_dir")
        if fixed:
            log.warning("changes of %s take effect when the agent is restarted", " and ".join(fixed))
        self._rest.reload(fresh.rest)
        self.hands.server.reconfigure(fresh.postgres)
        self.hands.watchdog.reconfigure(fresh.watchdog)
        host = host_of(fresh)
        self._loop.host = replace(host, name=self._loop.host.name, bootstrap=self._loop.host.bootstrap)
        self._loop.memory = replace(self._loop.memory, conf=None)
        self._configuration = fresh
        log.info("the configuration was read again  source=%s", fresh.source)

    def _refuse_twin(self) -> None:
        """Raises ConfigError when an agent of this name is alive already. A store that cannot be read is no reason.

        Not asked while a promise stands that an earlier life made here: the name is this host's, and a leader that cannot
        reach the store wants this member's answer before its lease ends.
        """
        name, promise = self._configuration.agent.name, self.hands.promise.read()
        if promise is not None and promise.ping is not None and self.hands.clock.now() < promise.until:
            return
        try:
            member = self.hands.store.read(budget=_NAME_CHECK).member(name)
            if member is None or not member.api_url:
                return
            self.hands.client.get(member.api_url, schema.LIVENESS, budget=_NAME_CHECK)
        except (StoreUnreachable, OutcomeUnknown, PeerError):
            return
        raise ConfigError(f'a member called "{name}" is alive already', detail=f"it answers at {member.api_url}",
                          hint="Give this one another name, or end the other.")

    def _end(self, *, orderly: bool) -> None:
        self._rest.stop()
        if orderly:
            shutdown.shut_down(self.hands, self._driver, self._heartbeat, self.bell)
        self._heartbeat.stop(Seconds(3.0))
        self.hands.keeper.stop(Seconds(1.0))
        self.hands.store.close()
        self._watcher.stop(Seconds(3.0))
        self.hands.server.close()


def host_of(configuration: Configuration) -> Host:
    """What the core needs to know of this host."""
    postgres, bootstrap = configuration.postgres, configuration.bootstrap
    proxy = postgres.proxy_address
    return Host(
        name=MemberName(configuration.agent.name),
        conn_url=_url(postgres.connect_address, postgres.database),
        api_url=configuration.rest.url,
        version=schema.COMPATIBLE_VERSION,
        tags=configuration.agent.tags,
        proxy_url=_url(proxy, postgres.database) if proxy else None,
        bootstrap=bootstrap.dcs if bootstrap else None,
        database=postgres.database,
    )


def store_section(configuration: Configuration) -> StoreSection:
    return replace(configuration.store, scope=configuration.agent.scope, member=configuration.agent.name)


def make_run_dir(path: str) -> None:
    """Makes the run directory, private to its owner. Raises ConfigError."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        found = os.stat(path)
    except OSError as error:
        raise ConfigError(f"could not make the run directory {path}", detail=error.strerror or "",
                          hint="Set pgctl.run_dir to a directory that this user may write.") from error
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise ConfigError(f"the run directory {path} is open to others",
                          hint="It must belong to this user, and nobody else may write into it.")


def _url(address: str, database: str) -> str:
    host, port = addresses.split(address, 5432) or (address, 5432)
    return addresses.postgres_url(host, port, database)
