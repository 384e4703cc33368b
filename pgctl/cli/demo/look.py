"""Looks at a demo's cluster through its store, and says in a few words what each member is doing. Orders nothing."""

import re
from collections.abc import Callable, Set

from pgctl.cli.demo import files
from pgctl.cli.demo import plan as plans
from pgctl.cli.demo.plan import Node, Plan
from pgctl.clock import Clock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.errors import PgctlError
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member, Role, State
from pgctl.units import Seconds

BUDGET = Seconds(2.0)
STAMP = re.compile(r"^\S+ \S+ [A-Z]+: ")
"""Date, time and level before a line of an agent's log."""
_ENDED = "pgctl-agent ended"
"""What an agent of an earlier demo wrote last."""


class Window:
    """An open view of the store, which may be away."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        ((kind, options),) = plans.store_section(plan).items()
        self._plan = plan
        self._clock = clock
        self._section = StoreSection(kind, options, scope=plan.scope)
        self._store: ClusterStore | None = None
        self.problem = ""

    def read(self) -> Cluster | None:
        """The cluster now; None when the store cannot be read: then `problem` says why."""
        try:
            cluster = self._open().read(budget=BUDGET)
        except PgctlError as error:
            self.problem = str(error)
            return None
        self.problem = ""
        return cluster

    def wait(self, changed: Callable[[], None], longest: Seconds) -> None:
        """Waits `longest`, calling `changed` whenever a key changes meanwhile."""
        try:
            store = self._open()
            store.watch(store.revision, lambda _: changed(), budget=longest)
        except PgctlError as error:
            self.problem = str(error)
            self._clock.sleep(longest)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _open(self) -> ClusterStore:
        if self._store is None:
            self._store = ClusterStore(factory.open_store(self._section, self._clock), self._plan.scope)
        return self._store


def leader_name(plan: Plan, clock: Clock) -> str | None:
    """Who holds the leader key, if that can be told."""
    window = Window(plan, clock)
    try:
        cluster = window.read()
    finally:
        window.close()
    return cluster.leader_name if cluster else None


def healthy(cluster: Cluster | None, names: Set[str]) -> bool:
    """A primary runs, and of `names` everyone else streams on its timeline."""
    leader = cluster.leader_member if cluster else None
    if cluster is None or leader is None or not leads(leader) or leader.timeline is None:
        return False
    others = [cluster.member(name) for name in names if name != leader.name]
    return all(member is not None and streams(member) and member.timeline == leader.timeline for member in others)


def leads(member: Member) -> bool:
    return member.state == State.RUNNING and member.role in (Role.PRIMARY, Role.STANDBY_LEADER)


def streams(member: Member) -> bool:
    return member.replication_state == "streaming"


def doing(plan: Plan, node: Node, cluster: Cluster | None) -> str:
    """What a member is doing, as it says itself; before it says anything, the last line of its log."""
    member = cluster.member(node.name) if cluster else None
    if cluster is None or member is None:
        last = STAMP.sub("", files.last_line(plan.agent_log(node)))
        return "starting" if last in ("", _ENDED) else last
    if member.name == cluster.leader_name and leads(member):
        return "running as primary"
    if streams(member):
        return f"streaming from {cluster.leader_name or 'its upstream'}"
    return "running, and not streaming yet" if member.state == State.RUNNING else member.state
