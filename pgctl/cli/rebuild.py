"""How far a member is with being cloned anew, as its agent tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pgctl.model import document
from pgctl.rest.schema import PeerStatus


class Progress(Enum):
    WAITING = "waiting"  # not begun, or no answer
    BUSY = "busy"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """`words` say where it is."""

    progress: Progress
    words: str = ""


def judge(before: PeerStatus, now: PeerStatus, explained: Mapping[str, object]) -> Look:
    """Compared with how it was `before` the order. The same server still running has not begun yet."""
    if not now.body:
        return Look(Progress.WAITING, f"does not answer ({now.problem})" if now.problem else "does not answer")
    job = document.mapping(explained.get("job")) or {}
    if job and not job.get("ended"):
        return Look(Progress.BUSY, f"{job.get('name')}: {job.get('progress') or 'under way'}")
    failure = str(explained.get("last_failure") or "")
    if now.state != "running":
        if failure and now.state != "creating replica":
            return Look(Progress.FAILED, failure)
        return Look(Progress.BUSY, now.state)
    if _started(now) != _started(before):
        return Look(Progress.DONE, "runs on a new copy" if now.body.get("replication_state") != "streaming" else
                    "runs on a new copy and streams")
    if failure:  # such as a source that does not answer: then nothing is removed
        return Look(Progress.FAILED, f"{failure}; its data is as it was")
    return Look(Progress.WAITING, "has not begun yet")


def _started(status: PeerStatus) -> object:
    return status.body.get("postmaster_start_time")
