"""The hands, the lease and the guards as the shell passes them round: references to what `wiring` constructed, no more."""

from dataclasses import dataclass

from pgctl.agent.board import Board
from pgctl.agent.fence import Fence
from pgctl.agent.jobs import Jobs
from pgctl.agent.lease import LeaseCell
from pgctl.agent.promise import PromiseCell
from pgctl.agent.slot_keeper import SlotKeeper
from pgctl.agent.watchdog import Watchdog
from pgctl.clock import Clock
from pgctl.dcs.cluster_store import ClusterStore
from pgctl.postgresql.server import Server
from pgctl.rest.client import Client


@dataclass(frozen=True, slots=True)
class Hands:
    """What may be used; `name` is this member's."""

    store: ClusterStore
    server: Server
    client: Client
    jobs: Jobs
    lease: LeaseCell
    promise: PromiseCell
    fence: Fence
    watchdog: Watchdog
    board: Board
    clock: Clock
    name: str
    keeper: SlotKeeper
