"""A member's way to the store on which readings may be old: as of a follower that lags, or of a cache."""

from typing import Any

from pgctl.dcs.inproc import InprocStore
from pgctl.dcs.store import Item, Snapshot


class StaleStore(InprocStore):
    """`node.stale_for` is how old, in seconds, a reading may be; writes always meet what is there."""

    def __init__(self, node: Any, clock: Any) -> None:
        super().__init__(node.world.universe, node.name, clock)
        self._node = node
        self._taken = float("-inf")
        self._old: Snapshot | None = None

    def _snapshot(self) -> Snapshot:
        now, fresh = self._node.world.now, super()._snapshot()
        if self._old is None or not now - self._taken < self._node.stale_for:
            self._old, self._taken = fresh, now
        mine = {key for key, item in fresh.items.items() if item.mine}
        items = {key: Item(item.value, item.revision, item.mine and key in mine) for key, item in self._old.items.items()}
        return Snapshot(items, self._old.revision)
