"""A leader's synchronous replication: from a view to the one next write of `/sync` or of the names. Pure.

Law. First PostgreSQL, then `/sync`: a step is decided only while PostgreSQL runs with the names that it was last told,
and each step ends the matter for this cycle; the next look, a moment later, decides on the next one. `/sync` is written
with the revision that was read: whoever wrote in between ends the cycle (ha.md INV14). Theory: `sync`.

Not every store answers with the newest: one that lags would show `/sync` as it was before my last write, and names that
bear what it says now would be taken away. So what I have written over once is written once more before it is believed.
"""

from dataclasses import replace
from typing import NamedTuple

from pgctl.agent.core import sync, sync_candidates
from pgctl.agent.core.effects import Answer, Outcome, StirStandbys, WriteSync
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.sync import Confirming, Published, Standing
from pgctl.agent.core.view import View
from pgctl.model import sync_names
from pgctl.model.cluster import Revision
from pgctl.model.server import Phase
from pgctl.model.sync import SyncState
from pgctl.model.sync_names import SyncNames

SOON = 0.05
"""Seconds to the next look while a step is under way: a server reads its configuration within a few milliseconds."""
WATCH = 1.0
"""Seconds between looks otherwise: a standby that vanished without a word must not hold commits up for long."""


TRIED = 16
"""Of how many writes of `/sync` it is remembered what they were written upon: far more than a store lags behind."""
STIRS = 2
"""Once when the names are seen in force, and once more: a walsender may read its configuration a moment later."""


class Keeping(NamedTuple):
    """The names to run with (None: the operator's own), what to write, whether more is to come, and words for people.

    `again`: they were written before, and may have been overridden since.
    """

    names: str | None
    write: WriteSync | None = None
    pending: bool = False
    said: str = ""
    alarm: bool = False
    again: bool = False


def keep(view: View) -> Keeping:
    """What a leader with a running primary does next."""
    cluster = view.cluster
    assert cluster is not None
    revision = cluster.revision("sync")
    if not view.settings.synchronous:
        gone = WriteSync(SyncState(), revision) if cluster.sync.active else None
        return Keeping(view.server.sync_names if gone else None, gone, gone is not None)
    if cluster.sync.leader != view.me:
        return Keeping(view.server.sync_names, WriteSync(SyncState(view.me), revision), True)
    told = view.memory.conf
    if told is None or told.standby or told.sync_names is None:
        return Keeping(view.server.sync_names, pending=True)
    if sync_names.parse(told.sync_names) != sync_names.parse(view.server.sync_names):
        said = f"PostgreSQL has not taken up {told.sync_names or 'no names'!r} yet"
        return Keeping(told.sync_names, None, True, said, again=True)
    if revision in view.memory.sync_tried:
        return Keeping(told.sync_names, WriteSync(cluster.sync, revision), True, "the store may lag behind what I wrote")
    return _step(view, told.sync_names, revision)


def _step(view: View, running: str, revision: Revision) -> Keeping:
    now = standing(view)
    goal = sync_candidates.goal(view, now.published)
    step = sync.next_step(now, goal)
    said, alarm = _words(view, now)
    if isinstance(step, Published):
        state = SyncState(view.me, tuple(sorted(step.voters)), step.quorum)
        return Keeping(running, WriteSync(state, revision), True, said, alarm)
    if isinstance(step, Confirming):
        return Keeping(written(view, step), None, True, said, alarm)
    names = written(view, now.confirming) if now.confirming == goal.confirming else running
    return Keeping(names, None, now.published != goal.published or names != running, said, alarm)


def tried(memory: Memory, upon: Revision, answer: Answer) -> Memory:
    """With the revision that `/sync` was written upon, whatever came of it; but what a write made is the newest.

    Kubernetes keeps the revision of what is written over with the same words; it would be doubted for ever.
    """
    made = answer.revision if answer.outcome is Outcome.APPLIED else None
    return replace(memory, sync_tried=tuple(each for each in (*memory.sync_tried, upon)[-TRIED:] if each != made))


def stir(view: View, memory: Memory) -> tuple[tuple[StirStandbys, ...], Memory]:
    """After a change of names, that commits which wait by the old ones are looked at again."""
    evidence = memory.evidence
    if not view.settings.synchronous or not evidence.names or evidence.stirred >= STIRS:
        return (), memory
    return (StirStandbys(),), replace(memory, evidence=evidence._replace(stirred=evidence.stirred + 1))


def standing(view: View) -> Standing:
    """What is, as the planner wants it."""
    found = view.cluster.sync if view.cluster else SyncState()
    running = sync_names.parse(view.server.sync_names)
    return Standing(
        Published(sync_candidates.all_spelt(view, found.standbys), found.quorum),
        Confirming(sync_candidates.all_spelt(view, running.names), running.needed),
        view.memory.evidence.proven,
        frozenset(sync_candidates.streaming(view)),
    )


def written(view: View, wanted: Confirming) -> str:
    """The parameter's text, in the form of the mode."""
    return sync_names.show(SyncNames(wanted.names, wanted.needed, sync_candidates.quorum_mode(view)))


def at_start(view: View) -> str | None:
    """The names for a server that will take writes before anybody has looked at it: those that bear what is published.

    A running primary keeps what it runs with.
    """
    if not view.settings.synchronous:
        return None
    if view.server.phase is Phase.PRIMARY:
        return view.server.sync_names
    found = view.cluster.sync if view.cluster else SyncState()
    names = sync.covering(Published(sync_candidates.all_spelt(view, found.standbys), found.quorum))
    return written(view, sync_candidates.at_least_nobody(names) if view.settings.synchronous_mode_strict else names)


def _words(view: View, now: Standing) -> tuple[str, bool]:
    """Who is synchronous; and whether somebody should look: in strict mode, when nobody can confirm a commit."""
    listed = ", ".join(sorted(now.published.voters))
    if view.settings.synchronous_mode_strict and not sync_candidates.choose(view):
        return "no synchronous standby: commits wait for one", True
    return f"synchronous with {listed}" if listed else "no synchronous standby", False
