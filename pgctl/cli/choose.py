"""Which members are meant: by name, by role, by a word that may also be the cluster's. Pure.

Source: cli.md 2 and 5.1.
"""

import difflib
from collections.abc import Collection, Sequence

from pgctl.errors import PgctlError, UsageError
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member, Role

ROLES = ("leader", "primary", "standby-leader", "replica", "standby", "any")


class UnknownMember(PgctlError):
    """A name that no member has."""


def nearest(name: str, known: Collection[str]) -> str:
    """A sentence that suggests the nearest known name; empty when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else ""


def has_role(cluster: Cluster, member: Member, role: str) -> bool:
    """Whether the member has the role as the store tells it: the leader key decides, not the member's word."""
    holder = member.name == cluster.leader_name
    match role:
        case "leader":
            return holder
        case "primary":
            return holder and member.role != Role.STANDBY_LEADER
        case "standby-leader":
            return holder and member.role != Role.PRIMARY
        case "replica" | "standby":
            return not holder
    return True


def members(cluster: Cluster, names: Sequence[str] = (), role: str = "any") -> tuple[Member, ...]:
    """Members so called, of that role; without names all of that role. In the order of their names.

    Raises UnknownMember for any name that no member has, and UsageError when a named member has another role: nothing
    is dropped without a word.
    """
    known = sorted(cluster.members, key=lambda member: member.name)
    wrong = [name for name in dict.fromkeys(names) if cluster.member(name) is None]
    if wrong:
        raise _unknown(cluster, wrong)
    chosen = [member for member in known if not names or member.name in names]
    other = [member.name for member in chosen if not has_role(cluster, member, role)]
    if names and other:
        raise UsageError(f"{', '.join(other)} does not have the role {role}",
                         hint="Leave out the role, or the member.")
    return tuple(member for member in chosen if has_role(cluster, member, role))


def _unknown(cluster: Cluster, wrong: Sequence[str]) -> UnknownMember:
    known = sorted(member.name for member in cluster.members)
    listed = f"Members of {cluster.scope}: {', '.join(known) or 'none'}."
    hints = list(dict.fromkeys(filter(None, (nearest(name, known) for name in wrong))))
    named = ", ".join(f'"{name}"' for name in wrong)
    return UnknownMember(f"{cluster.scope} has no member {named}", hint=" ".join([*hints, listed]))


def split(words: Sequence[str], scope: str, known: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """(cluster, members) of the words after a command; `scope` is the configured cluster, `known` its members.

    The first word is the cluster, as in the old tool; it is a member when a cluster is configured that has such a one.
    """
    if not words:
        return scope, ()
    first, *others = words
    if first != scope and first in known:
        return scope, tuple(words)
    return first, tuple(others)
