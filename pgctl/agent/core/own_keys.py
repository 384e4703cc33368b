"""Effects on the keys that are ours alone: the event journal, and the claim to a timeline. See `effects`."""

from dataclasses import dataclass

from pgctl.agent.core.effects import Answer, Request
from pgctl.model.cluster import Revision
from pgctl.model.events import Journal
from pgctl.model.history import Claim


@dataclass(frozen=True, slots=True)
class WriteJournal(Request[Answer]):
    """The event journal. Always answered applied: a write that was lost is made up for by the next cycle, and the journal
    must not keep anything else from being done.
    """

    journal: Journal
    revision: Revision


@dataclass(frozen=True, slots=True)
class ClaimTimeline(Request[Answer]):
    """Claims the number of the timeline that a promotion is about to open (`core.claims`)."""

    claim: Claim
    revision: Revision
