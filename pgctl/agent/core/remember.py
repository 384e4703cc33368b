"""What this view adds to the memory, before anything is decided. Pure: (view) → memory."""

from dataclasses import replace

from pgctl.agent.core import intents, logical_slots, record, recovery, remote, sync_evidence
from pgctl.agent.core.job import Clone, CopySlots, Promote, Rebuild, Restart, Rewind, StartPrimary, StartStandby, Stop
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import JobState, View
from pgctl.model.server import Phase
from pgctl.units import Instant

SOURCE_AGAIN_AFTER = 2.0
"""Seconds until a server that did not answer is asked again for its data."""


def update(view: View) -> Memory:
    """The memory with the store's, the server's and the job's news in it."""
    memory = record.take_up(view, _of_failsafe(view, _of_cluster(view, _of_claim(view, view.memory))))
    hung = (memory.hung_since or view.now) if view.server.phase is Phase.HUNG else None
    unfed = (memory.unfed_since or view.now) if remote.unfed(view) else None
    memory = replace(memory, hung_since=hung, unfed_since=unfed)
    memory = logical_slots.seen(view, memory)
    memory = _of_intent(view, _of_position(view, memory))
    memory = replace(memory, evidence=sync_evidence.update(replace(view, memory=memory)))
    if view.job is not None and view.job.ended:
        memory = record.finish(view, view.job, _of_job(view, view.job, memory))
    return recovery.note(view, memory)


def _of_cluster(view: View, memory: Memory) -> Memory:
    cluster = view.cluster
    if cluster is None:
        return memory
    if cluster.leader is None:
        since = memory.leaderless_since if memory.leaderless_since is not None else view.now
        return replace(memory, cluster=cluster, settings=cluster.settings, leaderless_since=since)
    handover = memory.handover if cluster.leader.name == view.me else None
    streams = cluster.leader.name != view.me and view.server.replication_state == "streaming"
    bootstrapping = memory.bootstrapping and cluster.known_identifier is None
    return replace(
        memory,
        cluster=cluster,
        settings=cluster.settings,
        leaderless_since=None,
        former_leader=cluster.leader.name,
        known_members=cluster.members,
        handover=handover,
        bootstrapping=bootstrapping,
        heard=view.now if streams else memory.heard,
        rebuilds=0 if streams else memory.rebuilds,  # whatever was rebuilt in vain is mended
    )


def _of_claim(view: View, memory: Memory) -> Memory:
    """Since when somebody is making this cluster. A claim of mine that became another's is mine no more."""
    cluster = view.cluster
    if cluster is None:
        return memory
    if cluster.initialize != "":
        return replace(memory, claim_seen=None)
    revision, seen = cluster.revision("initialize"), memory.claim_seen
    if seen is not None and seen[0] == revision:
        return memory
    return replace(memory, claim_seen=(revision, view.now), bootstrapping=memory.bootstrapping and seen is None)


def _of_position(view: View, memory: Memory) -> Memory:
    lsn = view.server.lsn
    grew = lsn is not None and memory.lsn is not None and lsn > memory.lsn
    return replace(memory, lsn=lsn, grew_at=view.now if grew else memory.grew_at)


def _of_intent(view: View, memory: Memory) -> Memory:
    """Since when an order is due: what only needs a moment to become possible is given one."""
    intent = intents.open_intent(view)
    if view.cluster is None or intent is None or intents.wait_for(view, intent) > 0:
        return memory if view.cluster is None else replace(memory, intent_seen=None)
    revision = view.cluster.revision("failover")
    if memory.intent_seen is not None and memory.intent_seen[0] == revision:
        return memory
    return replace(memory, intent_seen=(revision, view.now))


def _of_job(view: View, ended: JobState, memory: Memory) -> Memory:
    """A deed that worked clears what failed before; one that failed is tried again later, each time later."""
    job = ended.job
    if isinstance(job, CopySlots):
        return replace(memory, conf=None, copy_slots_at=Instant(view.now + logical_slots.COPY_AGAIN_AFTER))
    if ended.ok:
        fresh = isinstance(job, (Rewind, Clone, Rebuild, Promote, StartPrimary, StartStandby, Restart))
        memory = replace(memory, last_failure="", retry_at=Instant(0), start_failures=0 if fresh else memory.start_failures)
        if isinstance(job, (Clone, Rebuild)):
            memory = replace(memory, rebuilds=0)
        if isinstance(job, (Clone, Rebuild, Rewind)):
            memory = replace(memory, rewind_failed=False, rewind_failures=0)
        # Deeds write the configuration they were given, and change what was published: both are looked at afresh.
        return replace(memory, conf=None, leaving_since=None)
    if ended.unreached:  # it says nothing of this member's data
        again = Instant(view.now + SOURCE_AGAIN_AFTER)
        return replace(memory, conf=None, leaving_since=None, last_failure=ended.message, retry_at=again)
    failures = memory.start_failures + 1
    memory = replace(
        memory,
        conf=None,
        leaving_since=None,
        last_failure=ended.message,
        start_failures=failures,
        retry_at=Instant(view.now + min(10.0, 0.25 * 2 ** min(failures, 8))),
    )
    if isinstance(job, Rewind):
        failed = memory.rewind_failures + 1
        memory = replace(memory, rewind_failed=True, rewind_failures=failed, rewind_failed_at=view.now)
    if isinstance(job, Rebuild):
        memory = replace(memory, rebuilds=memory.rebuilds + 1)
    if isinstance(job, Stop):
        memory = replace(memory, handover=None)
    return memory



def _of_failsafe(view: View, memory: Memory) -> Memory:
    """A write of `/failsafe` whose answer was lost may still arrive, until the key has moved past it."""
    cluster = view.cluster
    if cluster is None or view.lease.failsafe:
        return memory
    if cluster.leader_name != view.me:
        return replace(memory, failsafe=None, failsafe_tried={}, failsafe_at=None)
    if memory.failsafe_at is None or cluster.revision("failsafe") == memory.failsafe_at:
        return memory
    return replace(memory, failsafe=cluster.failsafe or None, failsafe_tried={})
