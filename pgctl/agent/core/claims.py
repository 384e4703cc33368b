"""The claim to a timeline's number, made in the store before a promotion's point of no return. Pure.

Law: no two members of a cluster ever open a timeline of the same number.

Theory. PostgreSQL takes the next number that it has not heard of. A member that is promoted and dies before `/history`
says so leaves a timeline that nobody else has heard of: the next one to be promoted would open the same number again, and
two logs of the same name cannot be told apart, neither by a standby nor by pg_rewind, if both began at the same position.
So whoever is promoted first writes down, compared with what it has read, a number that is higher than every one it knows
of: its own, those that members say, that of `/history`, and the last claim. The lease is held meanwhile, so claims are made
one after another; one that was delayed on its way is refused by the comparison. A number that was claimed and never used is
skipped by the next promotion (`postgresql.promotion`). Peers that do not know the key neither need nor disturb it.
"""

from dataclasses import replace

from pgctl.agent.core import upkeep
from pgctl.agent.core.effects import Answer, Request, StartJob
from pgctl.agent.core.job import Promote
from pgctl.agent.core.own_keys import ClaimTimeline
from pgctl.agent.core.view import View
from pgctl.model.history import Claim


def promotion(view: View) -> tuple[Request[Answer], ...]:
    """The claim, and the promotion to what was claimed. A server whose timeline is not known takes what comes."""
    timeline = following(view)
    if not timeline:
        return (StartJob(Promote()),)
    claim = ClaimTimeline(Claim(timeline, view.me), upkeep.revision(view, "promotion"))
    return (claim, StartJob(replace(Promote(), timeline=timeline)))


def following(view: View) -> int:
    """The lowest number that nobody has used or claimed, as far as is known; 0 when my own timeline is not."""
    cluster, own = view.cluster, view.server.timeline
    if cluster is None or not own:
        return 0
    said = [member.timeline or 0 for member in cluster.members] + [peer.timeline or 0 for peer in view.peers or ()]
    return max(own, cluster.history.timeline, cluster.claim.timeline, *said, 0) + 1
