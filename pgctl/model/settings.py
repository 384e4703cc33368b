"""The table of cluster-wide settings: name, type, unit, bounds, default, meaning; and their reading from `/config`.

Reads no file. Source: config.md 9, ha.md 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from pgctl.model import postgresql_section
from pgctl.model.member import nothing
from pgctl.model.merge import merge_patch as merge_patch
from pgctl.model.settings_values import READERS, Kind, shown
from pgctl.model.settings_values import StandbyCluster as StandbyCluster
from pgctl.model.settings_values import SyncMode as SyncMode


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in force: defaults filled in, bounds kept, timing repaired. Durations in seconds, sizes in bytes."""

    ttl: float = 30
    loop_wait: float = 10
    retry_timeout: float = 10
    maximum_lag_on_failover: int = 1048576
    maximum_lag_on_syncnode: int = -1
    max_timelines_history: int = 0
    primary_start_timeout: float = 300
    primary_stop_timeout: float = 0
    primary_race_backoff: float = 0
    check_timeline: bool = False
    synchronous_mode: SyncMode = SyncMode.OFF
    synchronous_mode_strict: bool = False
    synchronous_node_count: int = 1
    failsafe_mode: bool = False
    pause: bool = False
    standby_cluster: StandbyCluster | None = None
    member_slots_ttl: float = 1800
    slots: Mapping[str, object] = field(default_factory=nothing)
    ignore_slots: tuple[Mapping[str, object], ...] = ()
    postgresql: Mapping[str, object] = field(default_factory=nothing)

    @property
    def synchronous(self) -> bool:
        """Synchronous replication is wanted; never in a standby cluster."""
        return self.synchronous_mode is not SyncMode.OFF and self.standby_cluster is None

    @property
    def stop_limit(self) -> float:
        """Seconds after which a stop is forced, where an operator set one; 0: none. Only in synchronous mode, where what

        a forced stop leaves behind is on a standby.
        """
        return self.primary_stop_timeout if self.synchronous else 0

    @property
    def margin(self) -> float:
        """That of a lease of `ttl`: see `margin`."""
        return margin(self.ttl)


def margin(ttl: float) -> float:
    """Seconds before the end of a lease of `ttl` at which the fence stops a writable server: a sixth of it, 1 to 5."""
    return min(5.0, max(1.0, ttl / 6))


class Row(NamedTuple):
    """One setting. `older` are names that are still read: before the new name where `older_wins`, else after it."""

    name: str
    kind: Kind
    meaning: str
    minimum: int | None = None
    older: tuple[str, ...] = ()
    older_wins: bool = False
    later: bool = False
    """Accepted and checked, and without effect in this version."""

    @property
    def default(self) -> object:
        return getattr(_DEFAULTS, self.name)


_DEFAULTS = Settings()
_KEPT = ("slots", "ignore_slots", "postgresql")
"""Settings that stay as they were when they cannot be read: a slip of the pen must not drop a slot."""

TABLE: tuple[Row, ...] = (
    Row("ttl", Kind.TIMING, "how long a leader's lease lasts without renewal", 5),
    Row("loop_wait", Kind.TIMING, "the longest time between two cycles of an agent", 1),
    Row("retry_timeout", Kind.TIMING, "how long one operation on the store or the server may be retried", 1),
    Row("maximum_lag_on_failover", Kind.BYTES, "WAL that a standby may miss and still be promoted unasked", 0),
    Row("maximum_lag_on_syncnode", Kind.BYTES, "WAL a synchronous standby may miss and stay one; 0, -1: any", -1),
    Row("check_timeline", Kind.FLAG, "refuse candidates on an older timeline than the cluster's"),
    Row("max_timelines_history", Kind.COUNT, "lines kept in the history of leaders; 0: all", 0),
    Row("primary_start_timeout", Kind.SECONDS, "time a crashed primary has to come up, then others lead; 0: none", 0,
        ("master_start_timeout",)),
    Row("primary_stop_timeout", Kind.SECONDS, "time to stop before it is forced, in synchronous mode; 0: no limit", 0,
        ("master_stop_timeout",)),
    Row("primary_race_backoff", Kind.SECONDS, "wait before a race while WAL still arrives", 0),
    Row("synchronous_mode", Kind.SYNC, "keep synchronous standbys, and promote only them"),
    Row("synchronous_mode_strict", Kind.FLAG, "block commits when there is no synchronous standby"),
    Row("synchronous_node_count", Kind.COUNT, "how many synchronous standbys to keep", 1),
    Row("failsafe_mode", Kind.FLAG, "stay primary without the store while all members agree"),
    Row("pause", Kind.FLAG, "maintenance: touch nothing, do not fail over"),
    Row("standby_cluster", Kind.STANDBY, "follow a primary outside this cluster"),
    Row("member_slots_ttl", Kind.SECONDS, "how long the slot of a member that went away is kept; 0: not at all", 0),
    Row("slots", Kind.SLOTS, "permanent replication slots", None, ("permanent_replication_slots", "permanent_slots"),
        True),
    Row("ignore_slots", Kind.MATCHERS, "slots to leave alone"),
    Row("postgresql", Kind.MAPPING, "the server's configuration"),
)
ROWS: Mapping[str, Row] = {row.name: row for row in TABLE}


def read(document: Mapping[str, object] | None, previous: Settings | None = None) -> tuple[Settings, tuple[str, ...]]:
    """The settings in force, and a note on each value that is not taken as written.

    Without a document, and when ttl, loop_wait or retry_timeout cannot be read, those of `previous` (else the
    defaults) stay in force. Bounds of those three are lower than Patroni's 20, 1 and 3: here a lease is renewed by a
    timer of its own and not by the cycle, so that a lease of 5 s is safe. Other values that cannot be read give
    their default.
    """
    before = previous or _DEFAULTS
    if document is None:
        return before, ()
    found, wrong, remarks = _take(document)
    refused = [name for name, _ in wrong if ROWS[name].kind is Kind.TIMING and name not in found]
    if refused:
        kept = f"the settings in force stay, for {refused[0]} cannot be read"
        return before, (*(f"{name} {why}" for name, why in wrong), kept)
    for name in _KEPT:
        if name not in found and any(name == one for one, _ in wrong):  # one that is gone is no broken one
            found[name] = getattr(before, name)
    notes = [f"{name} {why}{_instead(found.get(name, ROWS[name].default))}" for name, why in wrong]
    settings, repairs = _repaired(Settings(**found))
    return settings, (*notes, *remarks, *repairs)


def repair(ttl: float, loop_wait: float, retry_timeout: float) -> tuple[float, float, float]:
    """The three with loop_wait + 2 * retry_timeout <= ttl: loop_wait gives way before retry_timeout, ttl never.

    Source: ha.md T30 to T36.
    """
    if 1 + 2 * retry_timeout > ttl:
        return ttl, 1, (ttl - 1) // 2
    return ttl, min(loop_wait, ttl - 2 * retry_timeout), retry_timeout


def faults(document: Mapping[str, object]) -> tuple[str, ...]:
    """What is wrong with a document about to be stored, a sentence each, in the order of the table; else nothing."""
    names = [name for row in TABLE for name in (row.name, *row.older)]
    found, wrong, _ = _take(document)
    inner = found.get("postgresql", {})
    remote = document.get("standby_cluster")
    remote = remote if isinstance(remote, Mapping) else {}
    known = {field.name for field in fields(StandbyCluster)}
    sentences = [
        *postgresql_section.unknown(document, names),
        *(f"{name} {why}" for name, why in wrong),
        *(f"standby_cluster: {why}" for why in postgresql_section.unknown(remote, known)),
        *(f"postgresql.{key}: {why}" for key, why in postgresql_section.faults(inner, local=False)),
    ]
    if not any(ROWS[name].kind is Kind.TIMING for name, _ in wrong):
        sentences.extend(_repaired(Settings(**found))[1])
    return tuple(sentences)


def markdown() -> str:
    """The table for the reference, in Markdown."""
    lines = ["| setting | value | default | at least | meaning |", "|---|---|---|---|---|"]
    for row in TABLE:
        older = f" (older name: {', '.join(f'`{name}`' for name in row.older)})" if row.older else ""
        least = "" if row.minimum is None else str(row.minimum)
        later = "; **no effect yet**" if row.later else ""
        lines.append(f"| `{row.name}` | {row.kind} | {shown(row.default)} | {least} | {row.meaning}{older}{later} |")
    return "\n".join(lines) + "\n"


def without_effect(settings: Settings) -> tuple[str, ...]:
    """Settings that were given another value than the default, and have no effect in this version."""
    return tuple(row.name for row in TABLE if row.later and getattr(settings, row.name) != row.default)


def _take(document: Mapping[str, object]) -> tuple[dict[str, Any], list[tuple[str, str]], list[str]]:
    """Values by setting, (setting, what is wrong with it), and remarks on older names. Null counts as absent."""
    found: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    remarks: list[str] = []
    for row in TABLE:
        key, value = _written(row, document)
        if key != row.name:
            remarks.append(f"{key} is an older name of {row.name}")
        if value is None:
            continue
        try:
            found[row.name], why = READERS[row.kind](value)
        except (ValueError, OverflowError) as error:
            wrong.append((row.name, str(error)))
            continue
        if row.minimum is not None and found[row.name] < row.minimum:
            found[row.name], why = row.minimum, f"must be at least {row.minimum}, not {shown(value)}"
        if why:
            wrong.append((row.name, why))
    return found, wrong, remarks


def _written(row: Row, document: Mapping[str, object]) -> tuple[str, object]:
    """The name under which the setting is written, and its value; its own name and None when it is not."""
    names = (*row.older, row.name) if row.older_wins else (row.name, *row.older)
    for name in names:
        value = document.get(name)
        if value is not None and (value or not row.older_wins):
            return name, value
    return row.name, document.get(row.name)


def _instead(value: object) -> str:
    return f": {shown(value)} is used" if isinstance(value, (int, float, str)) else ""


def _repaired(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """`settings` with timing that holds the relation, and a note when it did not."""
    ttl, loop_wait, retry_timeout = repair(settings.ttl, settings.loop_wait, settings.retry_timeout)
    if (loop_wait, retry_timeout) == (settings.loop_wait, settings.retry_timeout):
        return settings, ()
    note = (
        f"loop_wait {settings.loop_wait:g} + 2 * retry_timeout {settings.retry_timeout:g} exceeds ttl {ttl:g}: "
        f"loop_wait {loop_wait:g} and retry_timeout {retry_timeout:g} are used"
    )
    return replace(settings, loop_wait=loop_wait, retry_timeout=retry_timeout), (note,)
