"""What the store holds, as the checkers' record tells of it: a look from outside, without a member's way to the store."""

from pgctl.dcs import keys
from pgctl.dcs.inproc import Universe
from pgctl.model import codec
from pgctl.model.intent import Intent
from pgctl.model.sync import SyncState


def holder(universe: Universe) -> str | None:
    return _text(universe, keys.LEADER)


def sync(universe: Universe) -> SyncState:
    text = _text(universe, keys.SYNC)
    return SyncState() if text is None else codec.read_sync(text)


def intent(universe: Universe) -> Intent | None:
    text = _text(universe, keys.FAILOVER)
    return None if text is None else codec.read_intent(text)


def optime(universe: Universe) -> int:
    text = _text(universe, keys.STATUS)
    return 0 if text is None else codec.read_status(text).optime


def latest_timeline(universe: Universe) -> int:
    text = _text(universe, keys.HISTORY)
    return 1 if text is None else codec.read_history(text).timeline


def paused(universe: Universe) -> bool:
    config = codec.read_config(_text(universe, keys.CONFIG) or "{}") or {}
    return config.get("pause") is True


def revision(universe: Universe, key: str) -> int:
    row = universe.rows.get(key)
    return 0 if row is None else row.revision


def _text(universe: Universe, key: str) -> str | None:
    row = universe.rows.get(key)
    return None if row is None else row.value
