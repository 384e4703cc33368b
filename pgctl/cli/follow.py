"""What a reading of the store says on a switchover or failover that was ordered: phases reached, and how it stands. Pure."""

from dataclasses import dataclass
from enum import Enum

from pgctl.model.cluster import Cluster
from pgctl.model.member import Member, Role, State

_LEADING = (Role.PRIMARY, Role.STANDBY_LEADER)


@dataclass(frozen=True, slots=True)
class Handover:
    """What was ordered: away from `former` (None: nobody led), to `candidate` (None: to whoever is fit)."""

    former: str | None
    candidate: str | None = None
    standbys: frozenset[str] = frozenset()
    """Who streamed before; they are expected to stream again."""


class Standing(Enum):
    ORDERED = "ordered"  # the former leader leads still, or nobody does
    LEADS = "leads"  # another holds the lease, and is not primary yet
    PROMOTED = "promoted"  # another is primary; the former has not rejoined
    COMPLETE = "complete"


def begin(cluster: Cluster, candidate: str | None) -> Handover:
    standbys = frozenset(member.name for member in cluster.members if _streams(member))
    return Handover(cluster.leader_name, candidate, standbys)


def standing(handover: Handover, cluster: Cluster) -> Standing:
    """How far it is."""
    if cluster.leader is None or cluster.leader.name == handover.former:
        return Standing.ORDERED
    if not _leads(cluster.leader_member):
        return Standing.LEADS
    return Standing.PROMOTED if _missing(handover, cluster) else Standing.COMPLETE


def phases(handover: Handover, cluster: Cluster) -> tuple[str, ...]:
    """Sentences that hold now, in the order in which they come true. A sentence is told once."""
    found = []
    former = cluster.member(handover.former) if handover.former else None
    leader = cluster.leader_name
    if former is not None and former.state in (State.STOPPING, State.STOPPED):
        found.append(f"{former.name} is {former.state}")
    if leader is None:
        found.append("nobody holds the lease" if handover.former is None else f"{handover.former} has given up the lease")
    if leader is not None and leader != handover.former:
        found.append(f"{leader} holds the lease")
        found += _after(handover, cluster, leader)
    return tuple(found)


def _after(handover: Handover, cluster: Cluster, leader: str) -> list[str]:
    member = cluster.leader_member
    if member is None or not _leads(member):
        return []
    timeline = f" on timeline {member.timeline}" if member.timeline else ""
    found = [f"{leader} is {'primary' if member.role == Role.PRIMARY else 'standby leader'}{timeline}"]
    missing = _missing(handover, cluster)
    back = [name for name in sorted({*handover.standbys, handover.former or ""}) if name not in (leader, "", *missing)]
    return found + [f"{name} follows {leader}" for name in back]


def waiting_for(handover: Handover, cluster: Cluster) -> str:
    """What is not there yet, in words."""
    now = standing(handover, cluster)
    if now is Standing.ORDERED:
        return "another leader"
    if now is Standing.LEADS:
        return f"the promotion of {cluster.leader_name}"
    return ", ".join(_missing(handover, cluster)) or "nobody"


def _missing(handover: Handover, cluster: Cluster) -> tuple[str, ...]:
    """Who should follow the new leader, and does not yet."""
    leader = cluster.leader_member
    expected = sorted({*handover.standbys, handover.former or ""} - {"", leader.name if leader else ""})
    timeline = leader.timeline if leader else None
    members = ((name, cluster.member(name)) for name in expected)
    return tuple(name for name, member in members if member is None or not _streams(member) or member.timeline != timeline)


def _leads(member: Member | None) -> bool:
    return member is not None and member.role in _LEADING and member.state == State.RUNNING


def _streams(member: Member) -> bool:
    return member.state == State.RUNNING and member.replication_state == "streaming"
