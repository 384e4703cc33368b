"""The layout of keys under a cluster's path. Knows no values. Source: dcs.md 1 and 2."""

import re

LEADER = "leader"
INITIALIZE = "initialize"
CONFIG = "config"
STATUS = "status"
OPTIME = "optime/leader"
HISTORY = "history"
FAILOVER = "failover"
SYNC = "sync"
FAILSAFE = "failsafe"
EVENTS = "events"
"""Ours alone: the event journal. Readers that do not know a key ignore it."""
PROMOTION = "promotion"
"""Ours alone: the timeline that a promotion has claimed."""
MEMBERS = "members/"


def base_path(namespace: str, scope: str, group: int | None = None) -> str:
    """`/service/prod`: slashes collapsed, none at the end; with Citus the group follows."""
    path = f"/{namespace or 'service'}/{scope}" + ("" if group is None else f"/{group}")
    return re.sub(r"/+", "/", path).rstrip("/")


def member(name: str) -> str:
    return MEMBERS + name


def member_name(key: str) -> str | None:
    """The member of a key `members/<name>`; None for other and for deeper keys."""
    name = key.removeprefix(MEMBERS)
    return name if key.startswith(MEMBERS) and name and "/" not in name else None
