"""The labels of a member's pod, by which Services find the primary: from its document and the lead. Pure.

Patroni's table (dcs.md 6.5): the first line that fits counts. A label that has no value is taken away.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

_BUILDING = frozenset({
    "initializing new cluster", "running custom bootstrap script", "starting after custom bootstrap", "creating replica",
})

Labels = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class LabelNames:
    """How the labels are called and spelt here; `bootstrap` are those of a pod whose server is being made."""

    role: str = "role"
    leader: str = "primary"
    standby_leader: str = "primary"
    follower: str = "replica"
    temporary: str = ""
    bootstrap: Mapping[str, str] = field(default_factory=dict)


def wanted(names: LabelNames, member: str, *, leads: bool) -> Labels:
    """Of the pod whose member document this is; `leads`: it holds the leader key."""
    state, role = _read(member)
    value: str | None = None
    plain: str | None = None
    if leads and role == "standby_leader":
        value, plain = names.standby_leader, "primary"
    elif leads:
        value, plain = names.leader, "primary"
    elif state == "running" and role and role not in ("primary", "master"):
        value, plain = (names.follower if role == "replica" else role), role
    building = state in _BUILDING
    found: dict[str, str | None] = {name: text if building else None for name, text in names.bootstrap.items()}
    return {**found, **({names.temporary: plain} if names.temporary else {}), names.role: value}


def differ(labels: Mapping[str, str], wish: Labels) -> bool:
    return any(labels.get(name) != value for name, value in wish.items())


def _read(member: str) -> tuple[str, str]:
    """State and role in a member's document; empty where it does not say."""
    try:
        document = json.loads(member)
    except ValueError:
        document = None
    found = document if isinstance(document, dict) else {}
    return str(found.get("state") or ""), str(found.get("role") or "")
