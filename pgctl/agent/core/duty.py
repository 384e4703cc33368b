"""A standby's part in synchronous replication: to be released before it goes away on purpose. Pure.

A standby whose server is to be stopped while the primary's commits wait for it says so in its member key (tag nosync) and
waits until `/sync` lists it no more; the leader is woken by that key and answers at once. A leader that does not answer
holds it up for two loops at most. Source: ha.md N50, WK32.
"""

from dataclasses import replace

from pgctl.agent.core.view import View
from pgctl.model.cluster import Cluster
from pgctl.model.member import Member, State, Tags
from pgctl.model.settings import Settings


def on_duty(cluster: Cluster | None, settings: Settings, me: str) -> bool:
    """Whether the leader's commits may wait for me, and it could let me go."""
    if cluster is None or cluster.leader is None or not settings.synchronous:
        return False
    listed = cluster.sync.leader == cluster.leader.name and cluster.sync.is_standby(me)
    return listed and cluster.leader.name != me and (not settings.synchronous_mode_strict or _others(cluster, me))


def _others(cluster: Cluster, me: str) -> bool:
    """Whether somebody could take my place; strict mode lets nobody go without."""
    gone = {me, cluster.leader_name}
    return any(m.name not in gone and m.state == State.RUNNING and not m.tags.nosync for m in cluster.members)


def patience(settings: Settings) -> float:
    """Seconds to wait for the release."""
    return 2 * settings.loop_wait


def counted_on(view: View) -> bool:
    """I am on duty, and have not yet waited in vain for my release."""
    since = view.memory.leaving_since
    waited = since is not None and view.now - since > patience(view.settings)
    return not waited and on_duty(view.cluster, view.settings, view.me)


def leaving(tags: Tags) -> Tags:
    """The tags of one who asks to be released."""
    return replace(tags, nosync=True, sync_priority=0, published={**tags.published, "nosync": True, "sync_priority": 0})


def asks(member: Member) -> Member:
    return replace(member, tags=leaving(member.tags))
